"""What each rule of a book says to one request: for people who ask why it won, or why it did not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from clientcreds_proxy.rules.matching import mismatch
from clientcreds_proxy.rules.model import RequestFacts, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule of the file, by its name."""

    rule: str
    outcome: Literal["wins", "shadowed", "differs"]
    why: str  # in words; empty for the one that wins
    same_host: bool  # whether the rule is for this host


def verdicts(rules: Sequence[Rule], facts: RequestFacts, winner: Rule | None) -> Iterator[Verdict]:
    """One for each rule of the file, in its order; `winner` is the one that `Gate.find` found."""
    by_name: dict[str, list[Rule]] = {}
    for rule in rules:  # hosts with ports of their own make several of one
        by_name.setdefault(rule.name, []).append(rule)
    for name, same in by_name.items():
        here = [rule for rule in same if _is_for_host(rule, facts)]
        reasons = [mismatch(rule, facts) for rule in here or same]
        if winner is not None and name == winner.name:
            yield Verdict(rule=name, outcome="wins", why="", same_host=True)
        elif winner is not None and None in reasons:
            why = f"would match, but {winner.name} comes first"
            yield Verdict(rule=name, outcome="shadowed", why=why, same_host=True)
        else:
            why = next((reason for reason in reasons if reason is not None), "")
            yield Verdict(rule=name, outcome="differs", why=why, same_host=bool(here))


def _is_for_host(rule: Rule, facts: RequestFacts) -> bool:
    return any(pattern.matches(facts.destination.host) for pattern in rule.match.hosts)

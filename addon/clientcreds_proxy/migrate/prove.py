"""The last step of every import: the new file goes through the very check that `clientcreds check` makes.

What it refuses is written as a comment instead, with its words as the reason: what is imported can be used as
it is, and nothing half-right is in force. Values of secrets that the source file has are put in for their
references here, in memory and in a folder that is gone at the end.
"""

import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from clientcreds_proxy.config.load import attempt
from clientcreds_proxy.config.reading.lookup import KUBERNETES_VARIABLE
from clientcreds_proxy.errors import Problem
from clientcreds_proxy.migrate.draft import Draft, Rule, Source, Value
from clientcreds_proxy.migrate.vault import Reference

_PLACE = re.compile(r"(?P<part>token_sources|rules|stores)(?:\.(?P<name>[a-z0-9-]+)|\[(?P<index>\d+)\])?")
_OF_A_MATCH = re.compile(r"rules\[\d+\]\.match\b")
_NO_TOKEN = "its own rule is a comment: this one keeps its requests from the tokens of other rules"
_MADE_UP = "a value made up for the check"  # of secrets that the source file names alone


def prove(draft: Draft, render: Callable[[], str]) -> str:
    """The new file's text, without what `check` refuses; `render` writes what there is of it."""
    while True:
        text = render()
        problems = _problems(draft, text)
        if not problems:
            return text
        found = [(_entry(draft, problem), problem) for problem in problems]  # before any index changes
        for entry, problem in found:
            _switch_off(draft, entry, problem)


def _problems(draft: Draft, text: str) -> list[Problem]:
    variables = draft.vault.variables.values()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(text, encoding="utf-8")
        for (name, key), value in draft.vault.mounted.items():
            mounted = Path(folder, "secrets", name, key)
            mounted.parent.mkdir(parents=True, exist_ok=True)
            mounted.write_text(value or _MADE_UP, encoding="utf-8")
        environ = {each.name: each.value or _MADE_UP for each in variables}
        found = attempt(path, environ={**environ, KUBERNETES_VARIABLE: str(Path(folder, "secrets"))})
    return [problem for problem in found.problems if not _is_made_up(draft, problem)]


def _is_made_up(draft: Draft, problem: Problem) -> bool:
    """Whether the problem is about a value that nobody knows yet, such as a key in Envoy's SDS."""
    unknown = {f"${{env:{each.name}}}" for each in draft.vault.variables.values() if each.value is None}
    unknown |= {
        f"urn:k8s:secret:{name}:{key}" for (name, key), value in draft.vault.mounted.items() if value is None
    }
    found = _entry(draft, problem)
    if not isinstance(found, Source):
        return False
    rest = problem.path.split(".")[2:]
    value: Value = found.keys
    for key in rest:
        value = value.get(key) if isinstance(value, dict) else None
    return isinstance(value, Reference) and any(text in value.text for text in unknown)


def _entry(draft: Draft, problem: Problem) -> Source | Rule | None:
    place = _PLACE.match(problem.path)
    if place is None or place["part"] == "stores":
        return None
    if place["part"] == "rules":
        active = [rule for rule in draft.rules if rule.off is None]
        return active[int(place["index"])] if place["index"] else None
    return next((source for source in draft.sources if source.name == place["name"]), None)


def _switch_off(draft: Draft, entry: Source | Rule | None, problem: Problem) -> None:
    """Write what the problem is about as a comment; RuntimeError, our bug, where that is nothing."""
    active = [rule for rule in draft.rules if rule.off is None and not rule.is_plain]
    if entry is not None:
        _off([entry], problem)
    elif problem.path.startswith("stores"):
        _drop_stores(draft, problem)
    else:
        raise RuntimeError(f"the new file can't be read: {problem.path}: {problem.message}")
    for rule in draft.rules:
        if rule.source is not None and rule.source.off is not None and rule.off is None:
            rule.off = "its token source is switched off"
    if not _OF_A_MATCH.match(problem.path):
        _guard(draft, (rule for rule in active if rule.off is not None))


def _guard(draft: Draft, rules: Iterable[Rule]) -> None:
    """Keep the requests of rules that are comments now from others: a wider one's token is not theirs."""
    for rule in rules:
        guard = Rule(hint=rule.hint, match=rule.match, at=rule.at, among=rule.among, comments=(_NO_TOKEN,))
        draft.rules.insert(draft.rules.index(rule), guard)


def _drop_stores(draft: Draft, problem: Problem) -> None:
    place = _PLACE.match(problem.path)
    names = [place["name"]] if place and place["name"] else [*draft.stores]
    for name in names:
        draft.stores.pop(name, None)
    _off((source for source in draft.sources if source.keys.get("store") in names), problem)


def _off(entries: Iterable[Source | Rule], problem: Problem) -> None:
    place = _PLACE.match(problem.path)
    key = problem.path[place.end() :].lstrip(".") if place else ""
    why = f"{key}: {problem.message}" if key else problem.message
    for entry in entries:
        if entry.off is None:
            entry.off = why
            entry.at.lost(f"written as a comment, for this proxy would refuse it: {why}")

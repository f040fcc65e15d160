"""All rules of a configuration: which hosts are ruled, which rule wins a request, and what may not go on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from clientcreds_proxy.errors import AmbiguousPath, MethodRefused
from clientcreds_proxy.rules.index import RuleIndex
from clientcreds_proxy.rules.matching import leaves_for, mismatch_beside_place
from clientcreds_proxy.rules.model import Destination, RequestFacts, Rule
from clientcreds_proxy.rules.path import Ambiguity, ambiguities, path_of, query_of, segments_of

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §9.1

_ALLOWED_BY: dict[Ambiguity, str] = {
    "an encoded slash": "allow_encoded_slash",
    "an empty segment": "allow_empty_segments",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The rule that won a request, and where the request leaves for: elsewhere only if it is upgraded."""

    rule: Rule
    destination: Destination


class RuleBook:
    """The rules in file order. Hosts are in normal form wherever they are asked about."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._index = RuleIndex(self.rules)
        self._by_name: dict[str, list[Rule]] = {}
        for rule in self.rules:
            self._by_name.setdefault(rule.name, []).append(rule)

    def rules_named(self, name: str) -> Sequence[Rule]:
        """The rule of this name; it is more than one where its hosts have different ports."""
        return self._by_name[name]

    def covers(self, host: str, port: int) -> bool:
        """Whether this is a ruled host: at least one rule is for it, whatever the scheme or path."""
        return self._index.covers(host, port)

    def find(self, facts: RequestFacts) -> Found | None:
        """The first rule in file order that is for this request, whether or not the request may go on."""
        segments, query = segments_of(path_of(facts.target)), query_of(facts.target)
        destination = facts.destination
        for rule in self._index.candidates(destination.host, destination.port, segments, query):
            leaves = leaves_for(rule, destination)
            if leaves is not None and mismatch_beside_place(rule, facts) is None:
                return Found(rule=rule, destination=leaves)
        return None

    @staticmethod
    def refuse_ambiguous(facts: RequestFacts, rule: Rule | None) -> None:
        """Refuse what may not go on to a ruled host, whichever rule won it, or none.

        TRACE is a MethodRefused, and so is what is no method: HTTP/2 can carry `GET /admin` as one, and an
        HTTP/1 request line would have it before the path. A path that two servers could read differently is
        an AmbiguousPath, unless the rule allows all that is ambiguous in it.
        """
        if facts.method.upper() == "TRACE":
            raise MethodRefused("TRACE is not forwarded: it would send the token back")
        if not _METHOD.fullmatch(facts.method):
            raise MethodRefused("the method is no token of RFC 9110, such as GET")
        allowed = _allowed(rule) if rule else set()
        if refused := sorted(ambiguities(path_of(facts.target)) - allowed):
            keys = [_ALLOWED_BY[each] for each in refused if each in _ALLOWED_BY]
            hint = (
                f"; {' and '.join(keys)} in its rule would let that pass" if len(keys) == len(refused) else ""
            )
            raise AmbiguousPath(f"the path holds {' and '.join(refused)}{hint}")


def _allowed(rule: Rule) -> set[Ambiguity]:
    allowed: set[Ambiguity] = set()
    if rule.allow_encoded_slash:
        allowed.add("an encoded slash")
    if rule.allow_empty_segments:
        allowed.add("an empty segment")
    return allowed

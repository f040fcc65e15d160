"""The rules of a draft in an order in which each of them wins what is its own.

KrakenD chooses by the URL that its clients call; here the API's own decides, where two routes may meet. Rules
that differ in their methods alone become one, the narrower of two rules goes first, and of two that want the
same requests the first one in the file gets them, which is reported. The order of a gateway that chooses by
the same facts as we do is kept.
"""

from dataclasses import dataclass, field, replace

from clientcreds_proxy.migrate.draft import Draft, Rule
from clientcreds_proxy.rules import model
from clientcreds_proxy.rules.pattern import (
    ANY_SEGMENT,
    ANY_SEGMENTS,
    HostPattern,
    PatternError,
    parse_host,
    parse_path,
)
from clientcreds_proxy.rules.shadow import takes_all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Built:
    """A rule as the proxy would match it: one for each port."""

    rule: Rule
    parts: tuple[model.Rule, ...]

    @property
    def hosts(self) -> set[tuple[HostPattern, model.Scheme | None, int | None]]:
        """Every host with its scheme and port."""
        return {
            (host, scheme, port)
            for part in self.parts
            for host in part.match.hosts
            for scheme in part.match.schemes or ("http", "https")
            for port in (part.match.ports if isinstance(part.match.ports, frozenset) else (None,))
        }

    @property
    def prefix(self) -> tuple[str, ...]:
        """The segments that all its paths begin with, before any wildcard."""
        paths = self.parts[0].match.paths
        segments = paths[0].segments if len(paths) == 1 else ()
        wild = (index for index, each in enumerate(segments) if each in (ANY_SEGMENT, ANY_SEGMENTS))
        return segments[: next(wild, len(segments))]

    def within(self, outer: "Built") -> bool:
        """Whether the other one takes all requests of this one."""
        return all(any(takes_all(taker, part) for taker in outer.parts) for part in self.parts)

    def meets(self, other: "Built") -> bool:
        """Whether both are for the same host, path, query and method."""
        mine, others = self.parts[0].match, other.parts[0].match
        return (
            {path.segments for path in mine.paths} == {path.segments for path in others.paths}
            and dict(mine.query) == dict(others.query)
            and not (mine.methods and others.methods and mine.methods.isdisjoint(others.methods))
            and not self.hosts.isdisjoint(other.hosts)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The rules in the order they are tried, and by the beginnings of their paths: there may be thousands."""

    rules: list[Built] = field(default_factory=list)
    _at: dict[tuple[str, ...], list[Built]] = field(default_factory=dict)
    _below: dict[tuple[str, ...], list[Built]] = field(default_factory=dict)

    def insert(self, index: int, new: Built) -> None:
        """Put a rule there."""
        self.rules.insert(index, new)
        prefix = new.prefix
        self._at.setdefault(prefix, []).append(new)
        for length in range(len(prefix) + 1):
            self._below.setdefault(prefix[:length], []).append(new)

    def near(self, new: Built) -> list[Built]:
        """Those that may share requests with a rule, in their order."""
        prefix = new.prefix
        above = (each for length in range(len(prefix)) for each in self._at.get(prefix[:length], ()))
        found = {id(each) for each in (*above, *self._below.get(prefix, ()))}
        return [each for each in self.rules if id(each) in found]


def arrange(draft: Draft) -> None:
    """Order the rules, merge equal ones, switch off those that can't win."""
    order = Order()
    active = [rule for rule in draft.rules if rule.off is None]
    off = [rule for rule in draft.rules if rule.off is not None and not rule.is_plain]
    _report_unguarded(draft)
    for rule in active if draft.in_order else _merged(active):
        try:
            built = Built(rule=rule, parts=_build(rule))
        except PatternError as error:
            said = str(error)
            rule.off = "a host or path that no rule can have" if draft.vault.holds(said) else said
            rule.at.lost(rule.off)
        else:
            (_append if draft.in_order else _settle)(built, order)
        if rule.off is not None and not rule.is_plain:
            off.append(rule)
    needed = [
        each.rule
        for index, each in enumerate(order.rules)
        if not each.rule.is_plain or _guards(each, order.rules[index + 1 :], by_host=draft.in_order)
    ]
    draft.rules[:] = [*needed, *off]


def _report_unguarded(draft: Draft) -> None:
    """Report requests without a token whose conditions no rule can say: another rule may take them."""
    for index, plain in enumerate(draft.rules):
        if plain.off is None or not plain.is_plain:
            continue
        others = draft.rules[index + 1 :] if draft.in_order else draft.rules
        hosts = {host for rule in others if rule.source and rule.off is None for host in rule.match.hosts}
        if any(host in hosts or "*" in host + other for host in plain.match.hosts for other in hosts):
            plain.at.lost(f"its requests got no token, and may get that of another rule here: {plain.off}")


def _merged(rules: list[Rule]) -> list[Rule]:
    """Rules that differ in their methods alone, as one."""
    kept: list[Rule] = []
    by_place: dict[object, list[Rule]] = {}
    for rule in rules:
        others = by_place.setdefault((rule.match.hosts, rule.match.paths), [])
        twin = next((other for other in others if _alike(other, rule)), None)
        if twin is None:
            kept.append(rule)
            others.append(rule)
        else:
            mine, its = rule.match.methods, twin.match.methods
            methods = tuple(dict.fromkeys((*its, *mine))) if mine and its else ()
            twin.match = replace(twin.match, methods=methods)
    return kept


def _alike(one: Rule, other: Rule) -> bool:
    return (
        replace(one.match, methods=()) == replace(other.match, methods=())
        and one.source is other.source
        and one.keys == other.keys
    )


def _append(new: Built, order: Order) -> None:
    """Put a rule behind all others, unless one of them takes its requests."""
    taker = next((other for other in order.near(new) if new.within(other)), None)
    if taker is None:
        order.insert(len(order.rules), new)
        return
    before = ", as it did before" if taker.rule.among == new.rule.among else ""
    new.rule.off = f"{taker.rule.at.where} takes all its requests first{before}"
    if not before and not taker.rule.is_plain:
        new.rule.at.lost(f"{new.rule.off}: here the API's own host does not tell the two apart")
    elif not new.rule.is_plain:
        new.rule.at.note(new.rule.off)


def _settle(new: Built, order: Order) -> None:
    """Put a rule before the first that would take its requests, unless these are that rule's, too."""
    near = order.near(new)
    rivals = [other for other in near if new.meets(other)]
    for other in rivals:
        if other.rule.is_plain and not new.rule.is_plain:
            order.rules.remove(other)
            _contest(other.rule, new.rule)
            continue
        if not new.rule.is_plain or not other.rule.is_plain:
            _contest(new.rule, other.rule)
        if new.within(other):
            new.rule.off = f"{other.rule.at.where} is for the same requests, and the first rule wins"
            return
    wider = next((other for other in near if other not in rivals and new.within(other)), None)
    order.insert(order.rules.index(wider) if wider else len(order.rules), new)


def _contest(loser: Rule, winner: Rule) -> None:
    what = "without a token" if loser.is_plain else "with another token or other modifiers"
    loser.at.lost(
        f"the same host, path and method as {winner.at.where}, {what}: a request does not tell which of the "
        "two is meant, so the other one gets all of them"
    )


def _guards(plain: Built, later: list[Built], *, by_host: bool) -> bool:
    """Whether a plain rule keeps requests from a later one that would do something to them."""
    acting = [other for other in later if not other.rule.is_plain]
    if by_host:
        return any(not plain.hosts.isdisjoint(other.hosts) or plain.within(other) for other in acting)
    return any(plain.within(other) for other in acting)


def _build(rule: Rule) -> tuple[model.Rule, ...]:
    by_port: dict[int | None, list[HostPattern]] = {}
    for text in rule.match.hosts:
        pattern, port = parse_host(text)
        by_port.setdefault(port, []).append(pattern)
    schemes: tuple[model.Scheme, ...] = ("http", "https")
    return tuple(
        model.Rule(
            name=rule.hint,
            match=model.Match(
                hosts=tuple(hosts),
                paths=tuple(parse_path(path) for path in rule.match.paths),
                methods=frozenset(rule.match.methods),
                schemes=frozenset(scheme for scheme in schemes if scheme in rule.match.schemes),
                ports=frozenset({port}) if port else None,
                query=tuple((name, frozenset(values)) for name, values in rule.match.query.items()),
            ),
            upgrade_to_https=rule.keys.get("upgrade_to_https") is True,
        )
        for port, hosts in by_port.items()
    )

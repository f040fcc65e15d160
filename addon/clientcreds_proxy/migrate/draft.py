"""What every gateway's file comes to before it is written: token sources and rules, each with its origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.notes import Notes
from clientcreds_proxy.migrate.vault import Reference, Vault, slug
from clientcreds_proxy.rules.host import is_loopback, split_host_port

type Value = str | int | float | bool | Reference | list[Value] | dict[str, Value] | None


def filled(keys: Mapping[str, Value]) -> dict[str, Value]:
    """The keys that have a value: no null, and nothing empty."""
    return {key: value for key, value in keys.items() if value is not None and value not in ("", [], {})}


def one_or_many(values: Sequence[Value]) -> Value:
    """A single value as it is, several as a list."""
    return values[0] if len(values) == 1 else list(values)


@dataclass(slots=True, kw_only=True, eq=False)
class Source:
    """A token source of the new file."""

    hint: str  # what to name it after
    keys: dict[str, Value]
    at: At
    comments: tuple[str, ...] = ()
    name: str = ""
    off: str | None = None  # why it is written as a comment only


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a rule is for. Empty means all, but for the hosts: those the reader has to fill in."""

    hosts: tuple[str, ...]
    schemes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def stays_here(self) -> bool:
        """Whether all its hosts are this machine: what goes there unencrypted is exposed to nobody."""
        return all(_is_loopback(host) for host in self.hosts)


def _is_loopback(host: str) -> bool:
    try:
        return is_loopback(split_host_port(host)[0])
    except ValueError:
        return False


@dataclass(slots=True, kw_only=True, eq=False)
class Rule:
    """A rule of the new file."""

    hint: str
    match: Match
    at: At
    source: Source | None = None
    keys: dict[str, Value] = field(default_factory=dict)
    comments: tuple[str, ...] = ()
    wanted: bool = False  # though it does nothing
    among: str = ""  # the list that the gateway tries in order, where it has several
    name: str = ""
    off: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is there only to keep its requests from other rules."""
        return self.source is None and not self.keys and not self.wanted


class Draft:
    """The new file while it is being made."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.vault = Vault()
        self.sources: list[Source] = []
        self.rules: list[Rule] = []
        self.in_order = False  # whether the gateway tries its routes in the order of `rules`
        self.stores: dict[str, dict[str, Value]] = {}
        self.remarks: dict[str, None] = {}  # what is different here, for the new file's head
        self._grouped: dict[str, list[At]] = {}

    def source(self, source: Source) -> Source:
        """This source, or the one with the same keys that is there already."""
        for other in self.sources:
            if other.keys == source.keys:
                return other
        self.sources.append(source)
        return source

    def store(self, keys: dict[str, Value]) -> str:
        """The name of the store with these keys."""
        for name, other in self.stores.items():
            if other == keys:
                return name
        name = f"shared-{len(self.stores) + 1}" if self.stores else "shared"
        self.stores[name] = keys
        return name

    def remark(self, text: str) -> None:
        """Say once in the new file's head what is different here."""
        self.remarks[text] = None

    def group(self, at: At, message: str) -> None:
        """Note something that is the same in many places: once, with their number."""
        self._grouped.setdefault(message, []).append(at)

    def finish(self) -> None:
        """Note what was grouped, and name everything."""
        for message, places in self._grouped.items():
            more = f" (and {len(places) - 1} more like it)" if len(places) > 1 else ""
            places[0].note(f"{message}{more}")
        self._grouped.clear()
        self._name_all()

    def _name_all(self) -> None:
        """Give every source and every rule a name of its own."""
        for entries in (self.sources, self.rules):
            taken: set[str] = set()
            for entry in entries:
                entry.name = self._free_name(entry.hint, taken)
                taken.add(entry.name)

    def _free_name(self, hint: str, taken: set[str]) -> str:
        base = "" if self.vault.holds(hint) else slug(hint)[:60].strip("-")
        base = base or "imported"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        return name

"""What a tree would do, told without doing it: for the checks at load and for `check`'s warnings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clientcreds_proxy.martian.headers import CopyHeader, SetHeader
from clientcreds_proxy.martian.modifier import Modifier, WithoutEffect
from clientcreds_proxy.martian.port import SetPort
from clientcreds_proxy.martian.problem import Path
from clientcreds_proxy.martian.static import ServeFiles
from clientcreds_proxy.martian.url import SetUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSetting:
    """One way in which a request's Host can become something else than the client's."""

    value: str | None  # None: only the request itself tells (a copy of another header)
    at: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Leading:
    """A modifier that can lead a request to another scheme, host or port."""

    modifier: Modifier
    at: Path


def every(tree: Modifier) -> Iterator[Modifier]:
    """The tree's modifiers: each before its children."""
    yield tree
    for child in tree.children():
        yield from every(child)


def host_settings(tree: Modifier) -> Iterator[HostSetting]:
    """All that request modifiers may write into Host.

    An empty value and `header.Blacklist` are not among them: Host is the destination's then.
    """
    for modifier in every(tree):
        match modifier:
            case SetHeader(name=name, value=value, at=at) if _sets_host(modifier, name) and value:
                yield HostSetting(value=value, at=at)
            case CopyHeader(target=name, at=at) if _sets_host(modifier, name):
                yield HostSetting(value=None, at=at)


def leadings(tree: Modifier) -> Iterator[Leading]:
    """All modifiers that can change where a request goes."""
    for modifier in every(tree):
        match modifier:
            case SetUrl() | SetPort() if modifier.changes_destination:
                yield Leading(modifier=modifier, at=modifier.at)


def folders(tree: Modifier) -> Iterator[tuple[Path, str]]:
    """The place and the path of each folder that files are served from."""
    return ((modifier.at, modifier.folder) for modifier in every(tree) if isinstance(modifier, ServeFiles))


def without_effect(tree: Modifier) -> Iterator[tuple[Path, str]]:
    """The place and name of each modifier that is accepted and does nothing."""
    return ((modifier.at, modifier.name) for modifier in every(tree) if isinstance(modifier, WithoutEffect))


def effects(trees: Iterable[Modifier]) -> tuple[bool, bool]:
    """Whether any of the trees can change requests, and whether any can change responses."""
    found = tuple(trees)
    return any(tree.changes_requests for tree in found), any(tree.changes_responses for tree in found)


def _sets_host(modifier: Modifier, name: str) -> bool:
    return modifier.changes_requests and name.lower() == "host"

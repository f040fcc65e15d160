"""A caller's own client id and secret in its request: where they stand, and the request without them.

Pure. Not in it: what they are good for (`callers.py`), and when a body or a CONNECT is read
(`proxy/request/callers.py`).
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never
from urllib.parse import unquote_plus

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import Place

SHOWN = 100  # characters of a client id in the log
_NAMES = ("client_id", "client_secret")

_WORDS: dict[Place, str] = {
    "proxy_authorization": "proxy credentials",
    "header": "Authorization: Basic",
    "body": "client_id and client_secret in a form",
    "query": "client_id and client_secret in the query",
}

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a caller says it is, and its proof."""

    client_id: str
    secret: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """All places of one request that may hold credentials."""

    headers: Headers
    target: str  # path and query
    proxied: Credentials | None = None  # said to the proxy: with this request, or with its tunnel's CONNECT
    form: str | None = field(default=None, repr=False)  # the body; None: it is none, too long, or not read


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The credentials that count, and where they stood."""

    place: Place
    credentials: Credentials


def find(places: Sequence[Place], holder: Holder) -> Found | None:
    """The credentials in the first of these places that holds any."""
    for place in places:
        credentials = _in_place(place, holder)
        if credentials is not None:
            return Found(place=place, credentials=credentials)
    return None


def missing(places: Sequence[Place]) -> str:
    """What to say to a caller that brings none."""
    expected = " or ".join(_WORDS[place] for place in places)
    return f"no client id and secret of the caller's own; expected {expected}"


def in_basic(headers: Headers, name: str) -> Credentials | None:
    """Those in the header of this name (RFC 7617); None unless it is there once, and well made.

    Both stand there as they are, as curl, Kong and Traefik have it: RFC 6749 §2.3.1 would form-urlencode them
    first, and then nobody could say `curl -u` with a `+` or `%` in the secret.
    """
    values = [value for key, value in headers if key.lower() == name]
    if len(values) != 1:
        return None
    if not is_basic(values[0]):
        return None
    encoded = values[0].strip().partition(" ")[2]
    try:
        pair = base64.b64decode(encoded.strip().encode("ascii"), validate=True).decode()
    except ValueError:
        return None
    client_id, _, secret = pair.partition(":")
    return _credentials(client_id, secret)


def is_basic(value: str) -> bool:
    """Whether this Authorization is Basic, well made or not."""
    return value.strip().partition(" ")[0].lower() == "basic"


def in_form(text: str) -> Credentials | None:
    """Those in a query or a form; None unless both are there once."""
    given: dict[str, list[str]] = {name: [] for name in _NAMES}
    for pair in text.split("&"):
        name, value = _read(pair)
        if name in given:
            given[name].append(value)
    if any(len(values) != 1 for values in given.values()):
        return None
    return _credentials(*(values[0] for values in given.values()))


def without(text: str) -> str:
    """A query or a form without the credentials in it; nothing else is written anew."""
    return "&".join(pair for pair in text.split("&") if _read(pair)[0] not in _NAMES)


def target_without(target: str) -> str:
    """A request target without the credentials in its query."""
    path, _, query = target.partition("?")
    rest = without(query)
    return f"{path}?{rest}" if rest else path


def shown(client_id: str) -> str:
    """A client id as the log may show it: anybody can send one."""
    return "".join(each if each.isprintable() else "?" for each in client_id[:SHOWN])


def _in_place(place: Place, holder: Holder) -> Credentials | None:
    match place:
        case "proxy_authorization":
            return holder.proxied
        case "header":
            return in_basic(holder.headers, "authorization")
        case "query":
            return in_form(holder.target.partition("?")[2])
        case "body":
            return None if holder.form is None else in_form(holder.form)
        case _:
            assert_never(place)


def _read(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return unquote_plus(name), unquote_plus(value, errors="surrogateescape")


def _credentials(client_id: str, secret: str) -> Credentials | None:
    """None where one is missing, or holds what no client id or secret can (RFC 6749 appendix A)."""
    if not all(text and _is_text(text) for text in (client_id, secret)):
        return None
    return Credentials(client_id=client_id, secret=Secret(secret))


def _is_text(text: str) -> bool:
    """Whether it has no control characters, nor bytes that were no UTF-8."""
    return not any(each < " " or each == "\x7f" or "\ud800" <= each <= "\udfff" for each in text)

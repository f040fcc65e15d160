"""A URL as somebody types it, taken apart as a client would before it sends the request."""

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import quote, unquote

from clientcreds_proxy.rules.destination import host_header
from clientcreds_proxy.rules.host import ip_literal, normalise, split_host_port
from clientcreds_proxy.rules.matching import DEFAULT_PORTS
from clientcreds_proxy.rules.model import Destination

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#\\]*)(?P<rest>.*)", re.DOTALL)
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """Where a request goes, and its target. The fragment is gone: clients keep it to themselves."""

    destination: Destination
    target: str  # as it stands in a request line
    basic: str | None = None  # the credentials before an `@`, as clients put them into Authorization

    @property
    def authority(self) -> str:
        """Host and port as they stand in a CONNECT."""
        return self.destination.authority

    @property
    def host_header(self) -> str:
        """Host and port as clients name them: without the scheme's default port."""
        return host_header(self.destination)

    @property
    def server_name(self) -> str | None:
        """What a client's TLS names: no address (RFC 6066 §3)."""
        return self.destination.host if ip_literal(self.destination.host) is None else None

    def __str__(self) -> str:
        return f"{self.destination.scheme}://{self.host_header}{self.target}"


def parse_url(text: str) -> Url:
    """The URL; ValueError in words where no client could send it.

    The path stays as it is written, dots and all. What is not ASCII in it is escaped.
    """
    found = _URL.fullmatch(text)
    scheme = found["scheme"].lower() if found else ""
    if found is None or scheme not in DEFAULT_PORTS:
        raise ValueError("expected http://HOST/… or https://HOST/…")
    if _UNSENDABLE.search(text):
        raise ValueError("holds a space or a control character; expected %20 and the like")
    written = cast("Literal['http', 'https']", scheme)
    userinfo, at, place = found["authority"].rpartition("@")
    host, port = split_host_port(place)
    destination = Destination(scheme=written, host=normalise(host), port=port or DEFAULT_PORTS[written])
    rest = found["rest"].partition("#")[0]
    target = rest if rest.startswith(("/", "\\")) else f"/{rest}"
    return Url(
        destination=destination,
        target=quote(target, safe="".join(map(chr, range(0x21, 0x7F)))),
        basic=_basic(userinfo) if at else None,
    )


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    return f"Basic {b64encode(f'{unquote(user)}:{unquote(password)}'.encode()).decode()}"

"""The last step: where a request's bytes are written, its placeholder becomes the token, or a DPoP proof.

Until then, and in everything that mitmproxy stores or shows, the flow holds `PREFIX` and 128 random bits.
No hook of mitmproxy lies between "headers written" and "answer began", so two of its functions are wrapped:
the one that writes an HTTP/1 request head and the one that lists the headers of an HTTP/2 or HTTP/3 request.
Both are internal, hence the `<13` in pyproject.toml and the check that `Wire.install` makes of its own work.

A placeholder is swapped for the rule's destination alone, in the header it was made for. On the way anywhere
else, or when nobody knows it any more, its header is taken out: at this point one can only strip, refusing is
done earlier (`proxy/guard.py`).
"""

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from mitmproxy import http
from mitmproxy.net.http import http1
from mitmproxy.proxy.layers.http import _http1, _http2, _http3

from clientcreds_proxy.errors import ClientcredsError
from clientcreds_proxy.proxy.facts import as_mitmproxy_names_it
from clientcreds_proxy.rules.model import Destination
from clientcreds_proxy.secret import Secret

PREFIX = "clientcreds-placeholder-"
_PREFIX = PREFIX.encode()
_LENGTH = len(PREFIX) + 32  # and 32 hex digits

Field = tuple[bytes, bytes]
HeadWriter = Callable[[http.Request], bytes]
Sealable = Secret | Callable[[http.Request], Secret]  # or what makes it, for the request as it is written
HeaderLister = Callable[..., Generator[Any, Any, list[Field]]]


class WireError(ClientcredsError):
    """This mitmproxy does not write requests the way that this module expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What a placeholder stands for, and the only place it may be swapped in."""

    value: Sealable
    header: str
    destination: Destination  # as mitmproxy names it: `request.scheme`, `request.host`, `request.port`


class Wire:
    """The placeholders in flight, and the two wrapped functions that swap them."""

    def __init__(self) -> None:
        self._sealed: dict[bytes, Sealed] = {}
        self._written: set[bytes] = set()
        self._write_head: HeadWriter = http1.assemble_request_head
        self._list_headers: dict[Any, HeaderLister] = {  # of the module that calls it
            module: module.format_h2_request_headers for module in (_http2, _http3)
        }

    def seal(self, sealed: Sealed) -> str:
        """A new placeholder for this value."""
        placeholder = PREFIX + secrets.token_hex(16)
        self._sealed[placeholder.encode()] = sealed
        return placeholder

    def forget(self, placeholder: str) -> None:
        """Nothing is swapped for it from now on."""
        self._sealed.pop(placeholder.encode(), None)
        self._written.discard(placeholder.encode())

    def has_written(self, placeholder: str) -> bool:
        """Whether the request with this placeholder has left, with the token in its place."""
        return placeholder.encode() in self._written

    def install(self) -> None:
        """Wrap mitmproxy's two functions; raises `WireError` where a test request shows no token."""

        def write_head(request: http.Request) -> bytes:
            head = self._write_head(request)
            return self._swap_in_head(head, request) if _PREFIX in head else head

        def lister(usual: HeaderLister) -> HeaderLister:
            def list_headers(context: Any, event: Any) -> Generator[Any, Any, list[Field]]:
                fields = yield from usual(context, event)
                return self._swap_in_fields(fields, event.request)

            return list_headers

        http1.assemble_request_head = write_head
        for module, usual in self._list_headers.items():
            module.format_h2_request_headers = lister(usual)
        try:
            self._check()
        except Exception as error:
            self.uninstall()
            raise WireError(f"this version of mitmproxy writes requests in another way: {error}") from error

    def uninstall(self) -> None:
        """Leave mitmproxy as it was."""
        http1.assemble_request_head = self._write_head
        for module, usual in self._list_headers.items():
            module.format_h2_request_headers = usual

    def _swap_in_head(self, head: bytes, request: http.Request) -> bytes:
        lines = head.split(b"\r\n")
        swapped = (
            self._swap(line.partition(b":")[0], line, request) if _PREFIX in line else line
            for line in lines[1:]
        )
        return b"\r\n".join([lines[0], *(line for line in swapped if line is not None)])

    def _swap_in_fields(self, fields: list[Field], request: http.Request) -> list[Field]:
        swapped = (
            (name, self._swap(name, value, request) if _PREFIX in value and name[:1] != b":" else value)
            for name, value in fields
        )
        return [(name, value) for name, value in swapped if value is not None]

    def _swap(self, header: bytes, text: bytes, request: http.Request) -> bytes | None:
        """`text` (of this header) with the token in it, or None where it must not go out."""
        start = text.index(_PREFIX)
        placeholder = text[start : start + _LENGTH]
        sealed = self._sealed.get(placeholder)
        if sealed is None or sealed.destination != as_mitmproxy_names_it(request):
            return None
        if header.lower() != sealed.header.lower().encode():
            return None
        self._written.add(placeholder)
        value = sealed.value if isinstance(sealed.value, Secret) else sealed.value(request)
        return text.replace(placeholder, value.reveal().encode())

    def _check(self) -> None:
        """Write one request in each way, as mitmproxy's own code would, and look for the token."""
        here = Destination(scheme="https", host="self-check.invalid", port=443)
        placeholder = self.seal(Sealed(value=Secret("swapped"), header="Authorization", destination=here))
        request = http.Request.make(
            "GET", "https://self-check.invalid/", b"", ((b"authorization", f"Bearer {placeholder}".encode()),)
        )
        try:
            if b"Bearer swapped\r\n" not in _http1.http1.assemble_request_head(request):
                raise WireError("HTTP/1 request heads are written elsewhere")
            for module in (_http2, _http3):
                if b"Bearer swapped" not in dict(_listed_by(module, request)).values():
                    raise WireError(f"{module.__name__} lists request headers elsewhere")
        finally:
            self.forget(placeholder)


@dataclass(frozen=True, slots=True)
class _Event:
    """As much of a `RequestHeaders` event as listing headers takes."""

    request: http.Request


def _listed_by(module: Any, request: http.Request) -> list[Field]:
    listing = module.format_h2_request_headers(None, _Event(request))
    try:
        next(listing)
    except StopIteration as done:
        return list(done.value)
    raise WireError("it wants more than the request")

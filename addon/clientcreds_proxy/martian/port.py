"""`port.Modifier` and `port.Filter`."""

from dataclasses import dataclass
from typing import Literal

from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.filters import filtered
from clientcreds_proxy.martian.message import DEFAULT_PORTS, Request, Response
from clientcreds_proxy.martian.modifier import REQUEST, Leaf, Modifier
from clientcreds_proxy.martian.problem import Path

PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPort(Leaf):
    """`port.Modifier`: another port of the same host. Host stays as it is, as on KrakenD's wire."""

    port: int | Literal["default", "remove"]  # both lead to the scheme's own; one writes it into the URL
    at: Path

    @property
    def changes_destination(self) -> bool:
        """Whether it can lead a request elsewhere."""
        return self.changes_requests

    def change_request(self, request: Request) -> Request:
        """The request to this port."""
        if self.port == "remove":
            return request.with_host(request.host, None)
        port = DEFAULT_PORTS[request.scheme] if self.port == "default" else self.port
        return request.with_host(request.host, port)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortIs:
    """The request goes to this port, whether or not the URL names it."""

    port: int

    def holds_for_request(self, request: Request) -> bool:
        """Whether it does."""
        return request.port == self.port

    def holds_for_response(self, response: Response, request: Request) -> bool:  # noqa: ARG002 - Condition's form
        """The same of the request that the response answers."""
        return self.holds_for_request(request)


def _modifier(fields: Fields) -> Modifier:
    chosen: list[tuple[str, int | Literal["default", "remove"]]] = []
    if fields.value("port") not in (None, 0):
        chosen.append(("port", fields.number_in("port", PORTS)))
    if fields.flag("defaultForScheme"):
        chosen.append(("defaultForScheme", "default"))
    if fields.flag("remove"):
        chosen.append(("remove", "remove"))
    if len(chosen) != 1:
        fields.tree.report(fields.path, "expected exactly one of port, defaultForScheme and remove")
        chosen.append(("port", 0))
    name, port = chosen[0]
    return SetPort(phases=fields.phases, port=port, at=fields.path_of(name))


def _filter(fields: Fields) -> Modifier:
    return filtered(fields, PortIs(port=fields.number_in("port", PORTS)), has_else=False)


KINDS = (
    Kind(name="port.Modifier", build=_modifier, phases=REQUEST),
    Kind(name="port.Filter", build=_filter),
)

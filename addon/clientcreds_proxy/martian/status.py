"""`status.Modifier`: another status of the response."""

from dataclasses import dataclass, replace

from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.modifier import RESPONSE, Leaf, Modifier

STATUSES = range(200, 600)  # a 1xx ends no exchange, and RFC 9110 §15 knows none above 599


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStatus(Leaf):
    """`status.Modifier`: this status, whatever the API said."""

    status: int

    def change_response(self, response: Response, request: Request) -> Response:  # noqa: ARG002 - Modifier's form
        """The response with this status."""
        return replace(response, status=self.status)


def _modifier(fields: Fields) -> Modifier:
    return SetStatus(phases=fields.phases, status=fields.number_in("statusCode", STATUSES))


KINDS = (Kind(name="status.Modifier", build=_modifier, phases=RESPONSE),)

"""`stash.Modifier`: the URL as it is at this point, kept in a header."""

from dataclasses import dataclass

from clientcreds_proxy.martian.checks import single_problem
from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.message import Request, Response, first_value, with_value
from clientcreds_proxy.martian.modifier import Leaf, Modifier


@dataclass(frozen=True, slots=True, kw_only=True)
class StashUrl(Leaf):
    """`stash.Modifier`: the request's URL in a header of it, and that header in the response."""

    name: str

    def change_request(self, request: Request) -> Request:
        """The request with its URL in the header."""
        return request.with_headers(with_value(request.headers, self.name, request.url))

    def change_response(self, response: Response, request: Request) -> Response:
        """The response with the request's header."""
        kept = first_value(request.headers, self.name.lower())
        return response.with_headers(with_value(response.headers, self.name, kept))


def _modifier(fields: Fields) -> Modifier:
    scope = fields.value("scope")
    if isinstance(scope, list | tuple) and "response" in scope and "request" not in scope:
        fields.report("scope", "the response's header is the request's: expected both phases, or request")
    return StashUrl(phases=fields.phases, name=fields.checked("headerName", single_problem))


KINDS = (Kind(name="stash.Modifier", build=_modifier),)

"""The one interface that every modifier, group and filter has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from clientcreds_proxy.errors import ClientcredsError
from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.problem import Path

Phase = Literal["request", "response"]
Phases = frozenset[Phase]

REQUEST: Phases = frozenset({"request"})
RESPONSE: Phases = frozenset({"response"})
BOTH: Phases = REQUEST | RESPONSE


class ModifierFailed(ClientcredsError):
    """A modifier can't do its work on this message: a request is then not sent."""


class Modifier(Protocol):
    """A node of a Martian tree, its `scope` already applied: a phase that it skips changes nothing."""

    @property
    def changes_requests(self) -> bool:
        """Whether `modify_request` can ever change something."""
        ...

    @property
    def changes_responses(self) -> bool:
        """Whether `modify_response` can ever change something."""
        ...

    def modify_request(self, request: Request) -> Request:
        """The request as it goes on; `ModifierFailed` where it must not go on."""
        ...

    def modify_response(self, response: Response, request: Request) -> Response:
        """The response as it goes on; `request` is the one that was sent, without the token."""
        ...

    def children(self) -> Iterator["Modifier"]:
        """The modifiers inside this one, in the order they were declared."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutEffect:
    """A modifier that changes nothing, by its nature."""

    name: str
    at: Path

    @property
    def changes_requests(self) -> bool:
        """Never."""
        return False

    @property
    def changes_responses(self) -> bool:
        """Never."""
        return False

    def modify_request(self, request: Request) -> Request:
        """The request as it came."""
        return request

    def modify_response(self, response: Response, request: Request) -> Response:  # noqa: ARG002 - Modifier's form
        """The response as it came."""
        return response

    def children(self) -> Iterator[Modifier]:
        """None."""
        return iter(())

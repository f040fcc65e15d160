"""The one interface that every modifier, group and filter has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.problem import Path

Phase = Literal["request", "response"]
Phases = frozenset[Phase]

REQUEST: Phases = frozenset({"request"})
RESPONSE: Phases = frozenset({"response"})
BOTH: Phases = REQUEST | RESPONSE


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
        """The response as it goes on; `ModifierFailed` where it must not go on.

        `request` is the one that was sent, without the token.
        """
        ...

    def children(self) -> Iterator["Modifier"]:
        """The modifiers inside this one, in the order they were declared."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What all modifiers share that have no others inside: they work in the phases of their scope alone."""

    phases: Phases

    @property
    def changes_requests(self) -> bool:
        """Whether its scope has the request phase."""
        return "request" in self.phases

    @property
    def changes_responses(self) -> bool:
        """Whether its scope has the response phase."""
        return "response" in self.phases

    def modify_request(self, request: Request) -> Request:
        """What `change_request` makes of it, where the scope has requests."""
        return self.change_request(request) if self.changes_requests else request

    def modify_response(self, response: Response, request: Request) -> Response:
        """What `change_response` makes of it, where the scope has responses."""
        return self.change_response(response, request) if self.changes_responses else response

    def change_request(self, request: Request) -> Request:
        """The request as it goes on: as it came, unless a modifier says more."""
        return request

    def change_response(self, response: Response, request: Request) -> Response:  # noqa: ARG002 - Modifier's form
        """The response as it goes on: as it came, unless a modifier says more."""
        return response

    def children(self) -> "Iterator[Modifier]":
        """None."""
        return iter(())


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

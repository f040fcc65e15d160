"""The one interface that every modifier, group and filter has."""

from collections.abc import Iterator
from typing import Protocol

from clientcreds_proxy.martian.message import Request, Response


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
        """The request as it goes on."""
        ...

    def modify_response(self, response: Response, request: Request) -> Response:
        """The response as it goes on; `request` is the one that was sent, without the token."""
        ...

    def children(self) -> Iterator["Modifier"]:
        """The modifiers inside this one, in the order they were declared."""
        ...

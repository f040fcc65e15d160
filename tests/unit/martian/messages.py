"""Messages and trees for the tests of modifiers, right unless told otherwise."""

from collections.abc import Callable, Mapping
from itertools import count
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from clientcreds_proxy.martian.message import Headers, Request, Response
from clientcreds_proxy.martian.parse import parse
from clientcreds_proxy.martian.problem import ModifierError, Problem

Header = tuple[str, str]
Files = Mapping[tuple[str, ...], bytes]


def request_with(*headers: Header, host: str = "api.example.com", port: int = 443) -> Request:
    """A request to an API with these headers and, before them, its Host."""
    return Request(
        method="GET",
        scheme="https",
        host=host,
        port=port,
        target="/v2/orders",
        headers=(("Host", host), *headers),
    )


def request_to(url: str, *headers: Header, method: str = "GET", files: Files | None = None) -> Request:
    """A request to this URL; `files` are those that the proxy finds, by their folder and path."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return Request(
        method=method,
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=port,
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        headers=(("Host", parts.netloc), *headers),
        read_file=lambda folder, path: (files or {}).get((folder, *path)),
    )


def led(tree: object, url: str, *headers: Header) -> Request:
    """What the tree makes of a request to this URL."""
    return parse(tree, new_id=ids()).modify_request(request_to(url, *headers))


def answer_to(tree: object, request: Request, *headers: Header, status: int = 200) -> Response:
    """What the tree makes of the answer to this request."""
    return parse(tree).modify_response(Response(status=status, headers=headers), request)


def response_with(*headers: Header) -> Response:
    """A good response with these headers."""
    return Response(status=200, headers=headers)


def requested(tree: object, *headers: Header) -> Headers:
    """What the tree makes of a request's headers, its Host left out."""
    headers_after = parse(tree, new_id=ids()).modify_request(request_with(*headers)).headers
    assert headers_after[0] == ("Host", "api.example.com")
    return headers_after[1:]


def answered(tree: object, *headers: Header, sent: Request | None = None) -> Headers:
    """What the tree makes of a response's headers."""
    return parse(tree).modify_response(response_with(*headers), sent or request_with()).headers


def problems_of(tree: object) -> tuple[Problem, ...]:
    """Every problem of a tree that does not load."""
    with pytest.raises(ModifierError) as caught:
        parse(tree)
    return caught.value.problems


def ids() -> Callable[[], UUID]:
    """Random ids that are none: 1, 2, 3 …."""
    numbers = count(1)
    return lambda: UUID(int=next(numbers))

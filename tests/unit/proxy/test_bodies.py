"""What becomes of bodies that modifiers replace."""

import pytest
from mitmproxy import http

from clientcreds_proxy.martian.message import Response
from clientcreds_proxy.proxy.request import bodies

FRAMED = (("X", "1"), ("Content-Length", "3"), ("Transfer-Encoding", "chunked"))


@pytest.mark.parametrize("parts", [[b""], [b"own", b""], [b"o", b"w", b"n", b""]])
def test_body_goes_out_once_for_all_that_comes(parts: list[bytes]) -> None:
    stream = bodies.instead(b"new")

    assert [part for came in parts for part in stream(came)] == [b"new"]


def test_empty_body_makes_no_part() -> None:
    assert list(bodies.instead(b"")(b"own")) == []


def test_trailers_do_not_stay() -> None:
    response = http.Response.make(200, b"own")
    response.headers["content-length"] = "7"
    response.trailers = http.Headers([(b"x-sum", b"1")])

    bodies.put(response, b"new")

    assert response.raw_content == b"new"
    assert response.headers["content-length"] == "7"  # a HEAD's is not that of its body
    assert response.trailers is None


def seen(before: int, after: int, *, body: bytes | None = None, method: str = "GET") -> Response:
    return bodies.as_sent(
        Response(status=before, headers=FRAMED), Response(status=after, headers=FRAMED, body=body), method
    )


def test_what_no_modifier_changed_stays() -> None:
    assert seen(204, 204) == Response(status=204, headers=FRAMED)
    assert seen(200, 200, method="HEAD") == Response(status=200, headers=FRAMED)


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_a_body_has_none(status: int) -> None:
    without = Response(status=status, headers=(("X", "1"),), body=b"")

    assert seen(200, status) == without
    assert seen(200, status, body=b"new") == without
    assert seen(status, status, body=b"new") == without


def test_status_with_a_body_has_an_empty_one_where_none_came() -> None:
    assert seen(204, 200) == Response(status=200, headers=(("X", "1"), ("Content-Length", "0")), body=b"")
    assert seen(200, 404) == Response(status=404, headers=FRAMED)
    assert seen(204, 200, body=b"new") == Response(status=200, headers=FRAMED, body=b"new")


def test_head_has_the_head_alone() -> None:
    assert seen(200, 200, body=b"new", method="HEAD") == Response(status=200, headers=FRAMED, body=b"")


def test_upgrade_is_no_answer() -> None:
    assert seen(101, 200) == Response(status=101, headers=FRAMED)
    assert seen(101, 200, body=b"new") == Response(status=101, headers=(("X", "1"),))

import base64

import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.credentials import (
    Credentials,
    Found,
    Holder,
    find,
    in_basic,
    in_form,
    missing,
    shown,
    target_without,
    without,
)
from clientcreds_proxy.tokens.model import Place

APP = Credentials(client_id="app", secret=Secret("s3cr3t"))


def basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


@pytest.mark.parametrize(
    ("value", "client_id", "secret"),
    [
        (basic(b"app:s3cr3t"), "app", "s3cr3t"),
        (basic(b"app:a:b"), "app", "a:b"),
        (basic(b"app:100%25+x"), "app", "100%25+x"),
        (basic("größe:é".encode()), "größe", "é"),
        ("  bAsIc   " + base64.b64encode(b"app:s").decode() + " ", "app", "s"),
    ],
)
def test_basic_is_read_as_it_stands(value: str, client_id: str, secret: str) -> None:
    """RFC 7617; not form-decoded, as curl -u, Kong and Traefik have it."""
    found = in_basic([("X", "y"), ("Authorization", value)], "authorization")

    assert found == Credentials(client_id=client_id, secret=Secret(secret))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ?",
        "Basic YXBwOnM",  # without its padding
        "Basic YXBw\u00e4",
        "Bearer " + base64.b64encode(b"app:s3cr3t").decode(),
        base64.b64encode(b"app:s3cr3t").decode(),
        basic(b"app"),
        basic(b"app:"),
        basic(b":s3cr3t"),
        basic(b"app:\xff"),
        basic(b"app\x00:s3cr3t"),
        basic(b"app:s3cr3t\n"),
        basic(b"app:\x7f"),
    ],
)
def test_what_is_no_basic_holds_no_credentials(value: str) -> None:
    assert in_basic([("authorization", value)], "authorization") is None


def test_basic_that_comes_twice_holds_no_credentials() -> None:
    twice = [("authorization", basic(b"app:s3cr3t")), ("Authorization", basic(b"other:s3cr3t"))]

    assert in_basic(twice, "authorization") is None
    assert in_basic([], "authorization") is None


@pytest.mark.parametrize(
    ("form", "rest"),
    [
        ("client_id=app&client_secret=s3cr3t", ""),
        ("a=%41&client_id=app&&b=c+d&client_secret=s3cr3t&e", "a=%41&&b=c+d&e"),
        ("client%5Fid=%61pp&client_secret=s3cr3t&client_idea=1", "client_idea=1"),
        ("client_secret=s3cr3t&x=\udcff&client_id=app", "x=\udcff"),
    ],
)
def test_form_gives_its_credentials_away_and_keeps_the_rest_as_it_is(form: str, rest: str) -> None:
    assert in_form(form) == APP
    assert without(form) == rest


@pytest.mark.parametrize(
    "form",
    [
        "",
        "client_id=app",
        "client_secret=s3cr3t",
        "client_id=app&client_secret=",
        "client_id&client_secret=s3cr3t",
        "client_id=app&client_secret=s3cr3t&client_id=other",
        "client_id=app&client_secret=a&client_secret=a",
        "client_id=app&client_secret=%ff",
        "client_id=a%00pp&client_secret=s3cr3t",
        "Client_Id=app&client_secret=s3cr3t",
    ],
)
def test_form_needs_both_once(form: str) -> None:
    assert in_form(form) is None


@pytest.mark.parametrize(
    ("target", "rest"),
    [
        ("/a?client_id=app&client_secret=s3cr3t", "/a"),
        ("/a?x=1&client_id=app&client_secret=s3cr3t&y=?", "/a?x=1&y=?"),
        ("/client_id=app?z", "/client_id=app?z"),
        ("/a", "/a"),
    ],
)
def test_target_loses_the_credentials_of_its_query(target: str, rest: str) -> None:
    assert target_without(target) == rest


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (("header", "query"), "header"),
        (("query", "header"), "query"),
        (("proxy_authorization", "header"), "proxy_authorization"),
        (("body", "proxy_authorization"), "body"),
    ],
)
def test_first_place_that_holds_credentials_wins(places: tuple[Place, ...], expected: Place) -> None:
    """Contract section 5."""
    form = "client_id=app&client_secret=s3cr3t"
    holder = Holder(
        headers=[("Authorization", basic(b"app:s3cr3t"))], target=f"/?{form}", proxied=APP, form=form
    )

    assert find(places, holder) == Found(place=expected, credentials=APP)


def test_places_without_credentials_are_passed_over() -> None:
    holder = Holder(headers=[("Authorization", "Bearer x")], target="/?client_id=app&client_secret=s3cr3t")

    assert find(("proxy_authorization", "body", "header"), holder) is None
    assert find(("proxy_authorization", "body", "header", "query"), holder) == Found(
        place="query", credentials=APP
    )


def test_missing_credentials_are_asked_for_where_they_are_looked_for() -> None:
    assert missing(("header", "query")) == (
        "no client id and secret of the caller's own; expected Authorization: Basic or client_id and "
        "client_secret in the query"
    )


def test_client_id_is_shown_on_one_short_line() -> None:
    assert shown("a\nb\u202e" + "c" * 200) == "a?b?" + "c" * 96


def test_no_secret_is_printed() -> None:
    holder = Holder(headers=[], target="/", proxied=APP, form="client_secret=s3cr3t")

    assert "s3cr3t" not in repr(holder)

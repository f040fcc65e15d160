import json
from collections.abc import Mapping
from typing import Any

import pytest

from clientcreds_proxy.errors import (
    TokenBackoff,
    TokenFailure,
    TokenMalformed,
    TokenRejected,
    TokenUnavailable,
)
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.asking.answer import Answer, host_of, parse_answer
from clientcreds_proxy.tokens.model import SourceSpec, Token, TokenResponse, described
from tests.unit.tokens.making import START, a_spec


def answered(
    body: Mapping[str, Any] | str | bytes, *, status: int = 200, spec: SourceSpec | None = None
) -> Token:
    raw = json.dumps(body) if isinstance(body, Mapping) else body
    raw = raw.encode() if isinstance(raw, str) else raw
    return parse_answer(spec or a_spec(), Answer(status=status, body=raw), START)


def failure_of(
    body: Mapping[str, Any] | str | bytes, *, status: int = 200, spec: SourceSpec | None = None
) -> TokenFailure:
    try:
        answered(body, status=status, spec=spec)
    except TokenFailure as failure:
        return failure
    raise AssertionError("a token was read")


def test_answer_gives_token_type_scope_and_life() -> None:
    token = answered({"access_token": "t", "token_type": "bearer", "scope": "a b", "expires_in": 60})

    assert token == Token(
        value=Secret("t"), token_type="bearer", scope=("a", "b"), lifetime=60, requested=START
    )


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        (None, None),
        ("", None),
        ([], None),
        (7, None),
        ("a,b", ("a", "b")),
        (["a", 1, "b"], ("a", "b")),
    ],
)
def test_answer_reads_scopes_however_they_are_written(scope: object, granted: tuple[str, ...] | None) -> None:
    assert answered({"access_token": "t", "scope": scope}).scope == granted


@pytest.mark.parametrize(
    "body",
    [
        "",
        "  ",
        "<html>",
        "null",
        "7",
        '"t"',
        "[]",
        '[{"access_token": "t"}]',
        '{"access_token": "t"',
        "{" * 200_000,
        "[" * 200_000,
        '{"a":' * 100_000,
        '{"access_token": "t", "expires_in": ' + "9" * 5000 + "}",
        b"\xff\xfe{}",
        '{"access_token": "t", "access_token": "u"}',
        '{"access_token": "t", "Access_Token": "u"}',
        "access_token=t&access_token=u",
        "OK",
    ],
)
def test_answer_without_readable_token_is_malformed(body: str | bytes) -> None:
    assert type(failure_of(body)) is TokenMalformed


@pytest.mark.parametrize("value", ["t\r\nX: y", " t", "t ", "\u00e9", "\x00"])
def test_answer_with_a_token_that_no_header_may_carry_is_malformed(value: str) -> None:
    assert type(failure_of({"access_token": value})) is TokenMalformed


def test_answer_that_is_malformed_names_the_server_but_nothing_it_sent() -> None:
    failure = failure_of("<p>hidden</p>")

    assert failure.detail == "idp.example.com answered 200, but not with a token: it is a web page or XML"


@pytest.mark.parametrize("written", ["mac", "", 7, ["Bearer"], {}, "x" * 50, "a\r\nb"])
def test_answer_with_another_token_type_is_refused(written: object) -> None:
    body = {"access_token": "t", "token_type": written}
    if written == "":
        assert answered(body).token_type is None
    else:
        assert type(failure_of(body)) is TokenMalformed


def test_answer_names_a_token_type_only_where_it_looks_like_one() -> None:
    good = failure_of({"access_token": "t", "token_type": "mac"})
    bad = failure_of({"access_token": "t", "token_type": "a\r\nb"})

    assert good.detail == "idp.example.com answered with the token_type 'mac', expected Bearer"
    assert bad.detail == "idp.example.com answered with the token_type, expected Bearer"


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/data/accessToken", {"data": {"accessToken": "t"}}),
        ("/tokens/1/value", {"tokens": [{"value": "x"}, {"value": "t"}]}),
        ("/a~1b/c~0d", {"a/b": {"c~d": "t"}}),
        ("/", {"": "t"}),
        ("accessToken", {"accessToken": "t"}),
    ],
)
def test_answer_finds_the_token_where_the_source_says(pointer: str, body: Mapping[str, Any]) -> None:
    spec = a_spec(token_response=TokenResponse(token=pointer))

    assert answered(body, spec=spec).value.reveal() == "t"


@pytest.mark.parametrize("pointer", ["/data/1", "/data/-", "/data/²", "/data/99999999999", "/x/y", "/s/0"])
def test_answer_has_no_token_where_the_pointer_leads_nowhere(pointer: str) -> None:
    spec = a_spec(token_response=TokenResponse(token=pointer))

    assert type(failure_of({"data": ["t"], "s": "t"}, spec=spec)) is TokenMalformed


def test_answer_refuses_the_pointed_member_twice() -> None:
    spec = a_spec(token_response=TokenResponse(token="/data/token"))

    assert type(failure_of('{"data": {"token": "t", "token": "u"}}', spec=spec)) is TokenMalformed


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, TokenMalformed),
        (304, TokenMalformed),
        (400, TokenRejected),
        (404, TokenRejected),
        (408, TokenUnavailable),
        (425, TokenUnavailable),
        (429, TokenBackoff),
        (500, TokenUnavailable),
        (503, TokenUnavailable),
        (599, TokenUnavailable),
    ],
)
def test_answer_means_what_its_status_says_whatever_its_body(
    status: int, expected: type[TokenFailure]
) -> None:
    for body in ({"access_token": "t"}, "<html>", "", '{"a":' * 9):
        assert type(failure_of(body, status=status)) is expected


@pytest.mark.parametrize("status", [400, 429, 500])
def test_answer_keeps_the_error_code(status: int) -> None:
    failure = failure_of({"error": "temporarily_unavailable"}, status=status)

    assert failure.error == "temporarily_unavailable"
    assert failure.detail.endswith("temporarily_unavailable")


@pytest.mark.parametrize("error", ["", "x" * 65, "a\nb", 'a"b', "é", 7, None, {"code": 1}, "my s3cr3t"])
def test_answer_keeps_no_error_code_that_is_none(error: object) -> None:
    assert failure_of({"error": error}, status=400).error is None


def test_answer_keeps_a_registered_error_code_even_if_the_secret_is_a_part_of_it() -> None:
    spec = a_spec(client_secrets=(Secret("client"),))

    assert failure_of({"error": "invalid_client"}, status=401, spec=spec).error == "invalid_client"


@pytest.mark.parametrize("none", [None, "", False, 0])
def test_answer_with_an_empty_error_member_is_a_token(none: object) -> None:
    assert answered({"access_token": "t", "error": none}).value == Secret("t")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("no\r\nsuch\x1b[31m client\u202e", "no  such [31m client"),
        ("x" * 300, "x" * 200),
        ("   ", None),
        (7, None),
        ("bad secret s3cr3t/+, s3cr3t%2F%2B", "bad secret ***, ***"),
        ("wrong password p4ssw0rd for acme", "wrong password *** for acme"),
        ("Basic YXBwOnMzY3IzdCUyRiUyQg==: no", "Basic ***: no"),  # app:s3cr3t%2F%2B
        ("not 'YXBwOnMzY3IzdC8r'", "not '***'"),  # app:s3cr3t/+
    ],
)
def test_answer_keeps_the_description_apart_printable_and_without_secrets(
    written: object, kept: str | None
) -> None:
    spec = a_spec(
        client_secrets=(Secret("s3cr3t/+"), Secret("no")),
        endpoint_params=(("password", ("p4ssw0rd",)), ("tenant", ("acme",))),
    )

    failure = failure_of({"error": "invalid_client", "error_description": written}, status=400, spec=spec)

    assert described(failure) == kept
    assert failure.detail == "idp.example.com refused the token request (400): invalid_client"


def test_host_in_messages_has_neither_user_nor_query() -> None:
    assert host_of("https://user:pass@idp.example.com:8443/token?key=k") == "idp.example.com:8443"

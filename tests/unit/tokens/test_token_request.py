import json
from urllib.parse import parse_qsl

import pytest

from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.asking.grant import encode
from clientcreds_proxy.tokens.model import Assertion, SourceSpec, TokenRequest
from clientcreds_proxy.tokens.proof.client_auth import Attempt, attempts, presents_certificate
from tests.unit.tokens.making import a_spec


def body_of(spec: SourceSpec) -> bytes:
    return encode(spec, attempts(spec)[0]).body


def headers_of(spec: SourceSpec) -> dict[str, str]:
    headers = encode(spec, attempts(spec)[0]).headers
    assert len({name.lower() for name, _ in headers}) == len(headers)
    return {name.lower(): value for name, value in headers}


def test_request_sends_only_what_is_set() -> None:
    assert body_of(a_spec()) == b"grant_type=client_credentials"


def test_request_sends_parameters_in_order_each_value_of_its_own() -> None:
    spec = a_spec(
        scopes=("a", "b", "a"),
        audience=("https://x",),
        resource=("urn:r1", "urn:r2"),
        endpoint_params=(("tenant", ("acme", "ajax")), ("empty", ("",))),
    )

    assert parse_qsl(body_of(spec).decode(), keep_blank_values=True) == [
        ("grant_type", "client_credentials"),
        ("scope", "a b"),
        ("audience", "https://x"),
        ("resource", "urn:r1"),
        ("resource", "urn:r2"),
        ("tenant", "acme"),
        ("tenant", "ajax"),
        ("empty", ""),
    ]


def test_request_leaves_empty_parameters_out() -> None:
    spec = a_spec(scopes=("",), audience=("",), resource=())

    assert body_of(spec) == b"grant_type=client_credentials"


@pytest.mark.parametrize(
    "spec",
    [
        a_spec(token_request=TokenRequest(grant_type="account_credentials")),
        a_spec(endpoint_params=(("grant_type", ("account_credentials", "other")),)),
    ],
)
def test_request_has_one_grant_type(spec: SourceSpec) -> None:
    assert body_of(spec) == b"grant_type=account_credentials"


def test_request_joins_scopes_as_told() -> None:
    spec = a_spec(scopes=("a", "b"), token_request=TokenRequest(scope_separator=","))

    assert body_of(spec) == b"grant_type=client_credentials&scope=a%2Cb"


def test_json_request_sends_a_list_of_one_value_as_that_value() -> None:
    spec = a_spec(
        client_auth="client_secret_post",
        scopes=("a", "é"),
        audience=("x",),
        resource=("r1", "r2"),
        token_request=TokenRequest(format="json"),
    )

    assert json.loads(body_of(spec)) == {
        "grant_type": "client_credentials",
        "scope": "a é",
        "audience": "x",
        "resource": ["r1", "r2"],
        "client_id": "app",
        "client_secret": "s3cr3t",
    }
    assert headers_of(spec)["content-type"] == "application/json"


def test_request_headers_can_be_added_and_replaced() -> None:
    spec = a_spec(token_request=TokenRequest(headers=(("X-Tenant", "acme"), ("accept", "*/*"))))

    headers = headers_of(spec)

    assert (headers["x-tenant"], headers["accept"]) == ("acme", "*/*")
    assert headers["content-type"] == "application/x-www-form-urlencoded"


def test_request_keeps_its_own_credentials_against_a_header() -> None:
    headers = (("authorization", "ApiKey k"),)
    basic = a_spec(token_request=TokenRequest(headers=headers))
    none = a_spec(client_auth="none", client_secrets=(), token_request=TokenRequest(headers=headers))

    assert headers_of(basic)["authorization"].startswith("Basic ")
    assert headers_of(none)["authorization"] == "ApiKey k"


def test_repeated_credentials_are_sent_once_and_in_the_body_alone() -> None:
    """A10."""
    repeated = (("client_id", ("app",)), ("client_secret", ("s3cr3t",)), ("audience", ("x",)))
    spec = a_spec(endpoint_params=repeated)

    assert [attempt.way for attempt in attempts(spec)] == ["post"]
    assert body_of(spec) == (b"grant_type=client_credentials&client_id=app&client_secret=s3cr3t&audience=x")
    assert "authorization" not in headers_of(spec)


def test_client_id_alone_in_the_body_stays_beside_basic() -> None:
    spec = a_spec(endpoint_params=(("client_id", ("app",)),))

    assert body_of(spec) == b"grant_type=client_credentials&client_id=app"
    assert headers_of(spec)["authorization"].startswith("Basic ")


def test_client_without_authentication_names_itself_only() -> None:
    spec = a_spec(client_auth="none", client_secrets=(), endpoint_params=(("client_secret", ("s",)),))

    assert body_of(spec) == b"grant_type=client_credentials&client_id=app"


def ways(spec: SourceSpec, worked: Attempt | None = None) -> list[tuple[str, str]]:
    return [(attempt.way, attempt.secret.reveal()) for attempt in attempts(spec, worked)]


@pytest.mark.parametrize(
    ("secret", "client_id", "basic_encoding", "expected"),
    [
        ("plain", "app", None, ["basic_form", "post"]),
        ("a+b", "app", None, ["basic_form", "post", "basic_raw"]),
        ("plain", "my app", None, ["basic_form", "post", "basic_raw"]),
        ("plain", "a:b", None, ["basic_form", "post"]),
        ("a+b", "app", "form", ["basic_form", "post"]),
        ("a+b", "app", "raw", ["basic_raw", "post"]),
    ],
)
def test_auto_tries_basic_then_post_then_raw_where_it_differs(
    secret: str, client_id: str, basic_encoding: str | None, expected: list[str]
) -> None:
    request = TokenRequest(basic_encoding=basic_encoding)  # type: ignore[arg-type]
    spec = a_spec(client_id=client_id, client_secrets=(Secret(secret),), token_request=request)

    assert [way for way, _ in ways(spec)] == expected


@pytest.mark.parametrize(
    ("client_auth", "expected"),
    [
        ("client_secret_basic", ["basic_form"]),
        ("client_secret_post", ["post"]),
        ("client_secret_jwt", ["jwt"]),
        ("private_key_jwt", ["jwt"]),
        ("tls_client_auth", ["name_only"]),
        ("self_signed_tls_client_auth", ["name_only"]),
        ("none", ["name_only"]),
    ],
)
def test_chosen_authentication_is_the_only_one(client_auth: str, expected: list[str]) -> None:
    spec = a_spec(client_auth=client_auth, client_secrets=(Secret("a+b"),))

    assert [way for way, _ in ways(spec)] == expected


def test_each_secret_signs_an_assertion_of_its_own() -> None:
    spec = a_spec(client_auth="client_secret_jwt", client_secrets=(Secret("one"), Secret("two")))

    assert ways(spec, Attempt(way="jwt", secret=Secret("two"))) == [("jwt", "two"), ("jwt", "one")]


def test_guessed_key_id_is_left_out_where_it_is_refused() -> None:
    """node-oidc-provider refuses a kid that it does not know, glewlwyd an assertion without one."""
    guess = Assertion(algorithm="ES256", key=Secret("pem"), key_id="k1", guesses_key_id=True)
    spec = a_spec(client_auth="private_key_jwt", assertion=guess)

    assert [way for way, _ in ways(spec)] == ["jwt", "jwt_without_kid"]
    worked = Attempt(way="jwt_without_kid", secret=Secret(""))
    assert [way for way, _ in ways(spec, worked)] == ["jwt_without_kid", "jwt"]


@pytest.mark.parametrize("client_auth", ["client_secret_jwt", "private_key_jwt"])
def test_assertion_goes_alone_with_the_clients_id(client_auth: str) -> None:
    """E01, E02, E03; E01, E02, E03; A10."""
    spec = a_spec(
        client_auth=client_auth,
        endpoint_params=(("client_id", ("app",)), ("client_secret", ("s3cr3t",)), ("tenant", ("acme",))),
    )

    grant = encode(spec, attempts(spec)[0], Secret("a.b.c"))

    assert grant.body == (
        b"grant_type=client_credentials&client_id=app"
        b"&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        b"&client_assertion=a.b.c&tenant=acme"
    )
    assert "Authorization" not in dict(grant.headers)
    assert "a.b.c" not in repr(grant)


@pytest.mark.parametrize("client_auth", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_client_with_a_certificate_names_itself_only(client_auth: str) -> None:
    """F01, F02."""
    spec = a_spec(client_auth=client_auth, endpoint_params=(("client_secret", ("s",)),))

    assert body_of(spec) == b"grant_type=client_credentials&client_id=app"
    assert "authorization" not in headers_of(spec)
    assert presents_certificate(spec)
    assert not presents_certificate(a_spec())


def test_secrets_are_tried_in_order_each_in_every_way() -> None:
    spec = a_spec(client_secrets=(Secret("one"), Secret("two")))

    assert ways(spec) == [("basic_form", "one"), ("post", "one"), ("basic_form", "two"), ("post", "two")]


def test_what_worked_comes_first_then_its_way_with_the_other_secrets() -> None:
    spec = a_spec(client_secrets=(Secret("one"), Secret("two")))

    worked = Attempt(way="post", secret=Secret("two"))

    assert ways(spec, worked) == [
        ("post", "two"),
        ("post", "one"),
        ("basic_form", "one"),
        ("basic_form", "two"),
    ]


def test_way_that_worked_comes_first_when_its_secret_is_gone() -> None:
    worked = Attempt(way="post", secret=Secret("old"))

    assert ways(a_spec(), worked) == [("post", "s3cr3t"), ("basic_form", "s3cr3t")]


def test_source_without_secrets_sends_an_empty_one() -> None:
    assert ways(a_spec(client_secrets=())) == [("basic_form", ""), ("post", "")]


def test_reprs_show_no_secret() -> None:
    spec = a_spec(endpoint_params=(("client_secret", ("s3cr3t",)),), api_headers=(("K", "s3cr3t"),))

    shown = repr(spec) + repr(encode(spec, attempts(spec)[0])) + repr(attempts(spec))

    assert "s3cr3t" not in shown

"""What holds for every answer, every key, every life of a token."""

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.asking.answer import ACCESS_TOKEN, Answer, parse_answer
from clientcreds_proxy.tokens.asking.grant import encode
from clientcreds_proxy.tokens.keeping.entry import hold
from clientcreds_proxy.tokens.keeping.key import cache_key
from clientcreds_proxy.tokens.model import Expiry, SourceSpec, Token, TokenRequest, TokenResponse, described
from clientcreds_proxy.tokens.proof.client_auth import attempts
from tests.unit.tokens.making import START, a_spec, a_token

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
members = st.sampled_from(
    [
        "access_token",
        "ACCESS_TOKEN",
        "token_type",
        "expires_in",
        "expires",
        "scope",
        "error",
        "error_description",
    ]
)
bodies = st.binary() | st.dictionaries(members, values).map(lambda members: json.dumps(members).encode())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no finding
@given(
    body=bodies,
    status=st.integers(200, 599),
    default=st.sampled_from([300, "never"]),
    pointer=st.sampled_from(["access_token", "/access_token", "/access_token/0"]),
)
@example(body=b"-", status=200, default=300, pointer="access_token")
def test_answer_is_a_harmless_token_or_a_failure(
    body: bytes, status: int, default: Any, pointer: str
) -> None:
    spec = a_spec(
        expiry=Expiry(default_ttl_seconds=default),
        token_response=TokenResponse(token=pointer, expires_at="expires"),
    )

    outcome = outcome_of(spec, Answer(status=status, body=body))

    if isinstance(outcome, TokenFailure):
        assert len(described(outcome) or "") <= 200
        assert len(outcome.error or "") <= 64
        assert outcome.detail.isprintable()
    else:
        assert status < 300
        assert ACCESS_TOKEN.fullmatch(outcome.value.reveal())
        assert outcome.lifetime is None or abs(outcome.lifetime) < float("inf")


def outcome_of(spec: SourceSpec, answer: Answer) -> Token | TokenFailure:
    try:
        return parse_answer(spec, answer, START)
    except TokenFailure as failure:
        return failure


several = st.lists(texts, max_size=2).map(tuple)
identities = st.fixed_dictionaries(
    {
        "client_id": texts,
        "client_secrets": st.lists(texts.map(Secret), max_size=2).map(tuple),
        "scopes": st.sets(texts, max_size=2).map(lambda scopes: tuple(sorted(scopes))),
        "audience": several,
        "resource": several,
        "endpoint_params": st.dictionaries(texts, several, max_size=2).map(
            lambda params: tuple(sorted(params.items()))
        ),
    }
)


@settings(deadline=None)
@given(one=identities, other=identities)
def test_keys_are_equal_only_for_equal_sources(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (cache_key(a_spec(**one)) == cache_key(a_spec(**other))) == (one == other)


@settings(deadline=None)
@given(identity=identities, format_=st.sampled_from(["form", "json"]))
def test_every_request_authenticates_in_one_way(identity: dict[str, Any], format_: str) -> None:
    spec = a_spec(**identity, token_request=TokenRequest(format=format_))  # type: ignore[arg-type]

    for attempt in attempts(spec):
        grant = encode(spec, attempt)
        in_header = [value for name, value in grant.headers if name == "Authorization"]
        assert len(in_header) == (attempt.way in {"basic_form", "basic_raw"})
        assert all(value.isascii() and value.isprintable() for value in in_header)
        assert grant.body.decode()


@settings(deadline=None)
@given(
    life=st.floats(0.001, 1e9),
    skew=st.floats(0, 1e6),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_renewal_starts_while_the_token_is_used(life: float, skew: float, chance: float) -> None:
    held = hold(a_token(lifetime=life, requested=START), skew_seconds=skew, chance=chance)

    assert START.boot < held.soft.boot <= held.hard.boot <= START.boot + life
    assert START.wall <= held.soft.wall <= held.hard.wall <= START.wall + life

"""What `/api/status` says, from what was told and how things are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clientcreds_proxy.errors import TokenRejected
from clientcreds_proxy.observe.log import AccessLine
from clientcreds_proxy.observe.record import ATTENTION, RECENT_REQUESTS, Record
from clientcreds_proxy.observe.status import Reload, Situation, Source, document, in_words
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.keeping.entry import Standing
from clientcreds_proxy.tokens.model import (
    ErrorAnswer,
    RedisSpec,
    SourceEvent,
    SourceSpec,
    SourceWarning,
    StoreSpec,
)
from tests.unit.rules.making import a_match, a_rule
from tests.unit.tokens.making import a_spec

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ONE_O_CLOCK = "2026-01-02T13:00:00.000Z"


def a_record() -> Record:
    return Record(now=lambda: NOON + timedelta(hours=1))


def a_line(rule: str | None = "billing", status: int = 200, path: str = "/v2/orders") -> AccessLine:
    return AccessLine(
        rule=rule,
        token_source="billing",
        client="127.0.0.1",
        method="GET",
        host="api.example.com",
        path=path,
        status=status,
        reason=None,
        duration_ms=7,
        token="cached",
    )


def told(
    record: Record,
    *,
    spec: SourceSpec | None = None,
    standing: Standing | None = None,
    **changes: Any,
) -> Any:
    values: dict[str, Any] = {
        "version": "1.2.3",
        "pid": 42,
        "started": NOON,
        "ready": True,
        "listening": ("127.0.0.1:8080",),
        "status_listening": "127.0.0.1:8082",
        "config": "/etc/rules.yaml",
        "fingerprint": "0badcafe",
        "loaded": NOON,
        "reload": None,
        "unmatched": "pass",
        "intercept": "ruled",
        "rules": (a_rule(), a_rule("other", path="/other")),
        "sources": [Source(spec=spec or a_spec(), standing=standing)],
        "warnings": (),
        "secrets": (),
    }
    return document(Situation(**(values | changes)), record)


def failed() -> SourceEvent:
    failure = TokenRejected("idp answered 401", error="invalid_client", hint="check client_id")
    failure.__cause__ = ErrorAnswer(status=401, error="invalid_client", description="who are you")
    return SourceEvent(source="billing", change="failed", news=True, failure=failure, next_try_seconds=30)


def test_status_says_what_the_proxy_is() -> None:
    said = told(a_record())

    assert said["version"] == "1.2.3"
    assert said["pid"] == 42
    assert said["uptime_seconds"] == 3600
    assert said["listening"] == ["127.0.0.1:8080"]
    assert said["config"] == {
        "path": "/etc/rules.yaml",
        "sha256": "0badcafe",
        "loaded": "2026-01-02T12:00:00.000Z",
        "reload": None,
    }


@pytest.mark.parametrize("problems", [(), ("rules.yaml:1:1: wrong",)])
def test_status_says_what_became_of_the_last_reading(problems: tuple[str, ...]) -> None:
    said = told(a_record(), reload=Reload(time=NOON, problems=problems))

    assert said["config"]["reload"] == {
        "time": "2026-01-02T12:00:00.000Z",
        "ok": not problems,
        "problems": list(problems),
    }


def test_rules_stand_in_their_order_with_their_hits() -> None:
    record = a_record()
    for status in (200, 502):
        record.access(a_line(status=status))
    record.access(a_line(rule=None, status=403))
    record.access(a_line(rule="of an older configuration"))

    first, second = told(record)["rules"]

    assert first == {
        "name": "billing",
        "match": "host api.example.com",
        "token_source": "billing",
        "hits": 2,
        "last_status": 502,
        "last_used": ONE_O_CLOCK,
    }
    assert (second["name"], second["hits"], second["last_used"]) == ("other", 0, None)


def test_match_in_words_names_everything_but_the_values_of_the_query() -> None:
    match = a_match(
        host=["api.example.com", "**.example.org"],
        path=["/v2/**", "/a"],
        methods=["POST", "GET"],
        schemes=["https"],
        ports=[8443, 443],
        query={"key": {"s3cr3t"}, "tenant": {"acme"}},
    )

    assert in_words(match) == (
        "host api.example.com or **.example.org, path /v2/** or /a, method GET or POST, scheme https, "
        "port 443 or 8443, query key and tenant"
    )
    assert in_words(a_match(ports="any")) == "host api.example.com, port any"


def test_latest_requests_come_first_and_the_oldest_are_forgotten() -> None:
    record = a_record()
    for number in range(RECENT_REQUESTS + 5):
        record.access(a_line(path=f"/{number}"))

    requests = told(record)["requests"]

    assert len(requests) == RECENT_REQUESTS
    assert requests[0]["path"] == f"/{RECENT_REQUESTS + 4}"
    assert requests[0]["time"] == ONE_O_CLOCK
    assert set(requests[0]) == {
        *("time", "rule", "token_source", "client", "client_username", "method"),
        *("host", "path", "status", "reason", "duration_ms", "token"),
    }


def test_source_that_was_never_asked_says_so() -> None:
    (source,) = told(a_record())["token_sources"]

    assert source == {
        "name": "billing",
        "authorization_server": "idp.example.com",
        "client_auth": "auto",
        "state": "never_fetched",
        "has_token": False,
        "expires_in": None,
        "fetched": 0,
        "taken": 0,
        "failed": 0,
        "last_error": None,
        "next_try_seconds": None,
        "callers": None,
        "store": None,
    }


@pytest.mark.parametrize("why", [None, "redis.example:6379 refused the connection"])
def test_source_with_a_store_says_whether_it_is_used_and_what_came_from_it(why: str | None) -> None:
    record = a_record()
    record.fetched(SourceEvent(source="billing", change="fetched", news=True, taken=True))
    redis = RedisSpec(endpoints=(("redis.example", 6379),))
    spec = a_spec(store=StoreSpec(name="shared", redis=redis, secrets=(Secret("x" * 16),)))

    (source,) = told(record, sources=[Source(spec=spec, standing=None, store_fault=why)])["token_sources"]

    assert (source["fetched"], source["taken"]) == (0, 1)
    assert source["store"] == {"name": "shared", "ok": why is None, "why": why}


def test_source_with_callers_counts_them() -> None:
    (source,) = told(a_record(), sources=[Source(spec=a_spec(), standing=None, callers=3)])["token_sources"]

    assert source["callers"] == 3


def test_source_says_its_last_error_with_the_servers_words_and_a_hint() -> None:
    record = a_record()
    record.fetched(SourceEvent(source="billing", change="fetched", news=True))
    record.fetched(failed())
    standing = Standing(state="backing_off", expires_in=99.6, next_try_seconds=29.7)

    (source,) = told(record, standing=standing)["token_sources"]

    assert (source["fetched"], source["failed"]) == (1, 1)
    assert (source["has_token"], source["expires_in"], source["next_try_seconds"]) == (True, 100, 30)
    assert source["last_error"] == {
        "time": ONE_O_CLOCK,
        "reason": "token_rejected",
        "error": "invalid_client",
        "detail": "idp answered 401",
        "error_description": "who are you",
        "hint": "check client_id",
    }


def test_token_that_never_expires_is_there_without_a_number() -> None:
    (source,) = told(a_record(), standing=Standing(state="ok", expires_in=float("inf")))["token_sources"]

    assert (source["has_token"], source["expires_in"]) == (True, None)


@pytest.mark.parametrize(
    ("spec", "server"),
    [
        (a_spec(token_url="https://u:s3cr3t@idp.example.com:8443/token?key=s3cr3t"), "idp.example.com:8443"),
        (a_spec(token_url="", issuer="https://login.example.com/realm"), "login.example.com"),
    ],
)
def test_authorization_server_is_named_without_credentials(spec: SourceSpec, server: str) -> None:
    (source,) = told(a_record(), spec=spec)["token_sources"]

    assert source["authorization_server"] == server


def test_warnings_are_those_of_the_configuration_and_what_was_noted_since() -> None:
    record = a_record()
    for _ in range(2):
        record.warned(SourceWarning(source="billing", message="the server did not grant x"))
    record.note("a client does not trust the CA")

    said = told(record, warnings=("rules.yaml:1:1: never matches",))["warnings"]

    assert [(each["message"], each["token_source"], each["times"]) for each in said] == [
        ("rules.yaml:1:1: never matches", None, 1),
        ("the server did not grant x", "billing", 2),
        ("a client does not trust the CA", None, 1),
    ]
    assert [each["time"] for each in said] == [None, ONE_O_CLOCK, ONE_O_CLOCK]


def test_warnings_of_sources_that_changed_are_forgotten() -> None:
    record = a_record()
    record.warned(SourceWarning(source="billing", message="billing"))
    record.warned(SourceWarning(source="crm", message="crm"))
    record.note("general")

    record.forget_warnings(but_of={"crm"})

    assert [each["message"] for each in told(record)["warnings"]] == ["crm", "general"]


def test_warnings_do_not_grow_without_end() -> None:
    record = a_record()
    for number in range(ATTENTION + 5):
        record.note(f"{number}")

    said = told(record)["warnings"]

    assert [each["message"] for each in said] == [f"{number}" for number in range(5, ATTENTION + 5)]


def test_status_holds_no_secret() -> None:
    secret = "s3cr3t-4711"
    spec = a_spec(
        token_url=f"https://idp.example.com/token?key={secret}",
        client_secrets=(Secret(secret),),
        endpoint_params=(("key", (secret,)),),
        api_headers=(("X-Api-Key", secret),),
    )
    rules = (a_rule(query={"key": {secret}}), a_rule(path=f"/bot{secret}/**"))

    said = told(a_record(), spec=spec, rules=rules, secrets=(Secret(secret),))

    assert secret not in str(said)
    assert said["rules"][1]["match"] == "host api.example.com, path /bot***/**"

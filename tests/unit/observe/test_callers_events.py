"""What the log says of a source whose callers have credentials of their own."""

from typing import Any

import pytest

from clientcreds_proxy.errors import TokenFailure, TokenRejected, TokenUnavailable
from clientcreds_proxy.observe.events import TOLD, CallersEvents
from clientcreds_proxy.tokens.model import ErrorAnswer, SourceEvent


def event(caller: str | None = "alice", **values: Any) -> SourceEvent:
    return SourceEvent(**({"source": "sso", "caller": caller, "change": "fetched", "news": True} | values))


def failed(failure: TokenFailure, caller: str = "alice") -> SourceEvent:
    return event(caller, change="failed", failure=failure)


def rejected(error: str, status: int = 400) -> TokenRejected:
    failure = TokenRejected(f"idp refused: {error}", error=error)
    failure.__cause__ = ErrorAnswer(status=status, error=error, description=None)
    return failure


def news(*events: SourceEvent) -> list[bool]:
    callers = CallersEvents()
    return [callers.as_news(each).news for each in events]


def test_source_without_callers_is_told_as_ever() -> None:
    own = event(None)

    assert CallersEvents().as_news(own) is own


def test_caller_that_comes_or_is_refused_is_no_news() -> None:
    assert news(event(), event("bob"), failed(rejected("invalid_client", 401))) == [False] * 3


def test_server_that_fails_is_told_once_and_once_again_when_it_works() -> None:
    down = TokenUnavailable("no answer")
    callers = CallersEvents()

    told = [
        callers.as_news(each)
        for each in (failed(down), failed(down, "bob"), event(), event("bob"), failed(down))
    ]

    assert [each.news for each in told] == [True, False, True, False, True]
    assert [each.change for each in told] == ["failed", "failed", "recovered", "fetched", "failed"]


def test_rejection_is_told_once_whoever_gets_tokens_between() -> None:
    scope = failed(rejected("invalid_scope"))

    assert news(scope, event("bob"), scope, failed(rejected("invalid_request"))) == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("count", [TOLD + 10])
def test_rejections_are_told_up_to_a_number(count: int) -> None:
    assert sum(news(*(failed(rejected(f"error_{number}")) for number in range(count)))) == TOLD

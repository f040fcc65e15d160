"""Section 10: how a line of the log looks, and which ones are written."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from clientcreds_proxy.errors import TokenRejected
from clientcreds_proxy.observe.events import tell
from clientcreds_proxy.observe.log import AccessLine, Format, Level, Log
from clientcreds_proxy.tokens.model import Change, ErrorAnswer, SourceEvent

NOON = datetime(2026, 1, 2, 12, 0, 0, 5000, tzinfo=UTC)
LINE = AccessLine(
    rule="a rule",
    token_source=None,
    client="127.0.0.1",
    method="GET",
    host="api.test",
    path='/a"b=\n',
    status=200,
    reason=None,
    duration_ms=7,
    token="cached",
)


def written(act: object, *, form: Format = "text", level: Level = "info") -> list[tuple[str, str]]:
    """Lines and levels that come of this."""
    lines: list[tuple[str, str]] = []
    log = Log(lambda line, at: lines.append((line, at)), form=form, level=level, now=lambda: NOON)
    assert callable(act)
    act(log)
    return lines


def test_access_line_is_one_line_of_names_and_values() -> None:
    ((line, level),) = written(lambda log: log.access(LINE))

    assert line == (
        'time=2026-01-02T12:00:00.005Z level=info rule="a rule" token_source=- client=127.0.0.1 '
        'client_username=- method=GET host=api.test path="/a\\"b=\\n" status=200 reason=- duration_ms=7 '
        "token=cached"
    )
    assert level == "info"


def test_access_line_as_json_has_the_same_names() -> None:
    ((text, _),) = written(lambda log: log.access(LINE))
    ((line, _),) = written(lambda log: log.access(LINE), form="json")

    assert list(json.loads(line)) == [
        *("time", "level", "rule", "token_source", "client", "client_username", "method"),
        *("host", "path", "status", "reason", "duration_ms", "token"),
    ]
    assert all(f"{name}=" in text for name in json.loads(line))


@pytest.mark.parametrize(
    "value", ["", " ", "a b", "a=b", 'a"b', "a\nb", "\x1b[31m", "\u202e", "é", "\udcff", "a\\ b"]
)
def test_text_keeps_any_value_within_its_quotes(value: str) -> None:
    ((line, _),) = written(lambda log: log.event("info", "m", {"value": value}))

    quoted = line.partition(" value=")[2]
    assert json.loads(quoted) == value
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize(("least", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_level_holds_back_what_is_below(least: Level, count: int) -> None:
    def act(log: Log) -> None:
        for level in ("debug", "info", "warning", "error"):
            log.event(level, "x")

    assert len(written(act, level=least)) == count


def test_event_leaves_out_what_has_no_value() -> None:
    ((line, _),) = written(lambda log: log.event("info", "m", {"a": None, "b": 0}), form="json")

    assert list(json.loads(line)) == ["time", "level", "message", "b"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("fetched", "token fetched"),
        ("recovered", "token fetched, the source works again"),
        ("circuit_closed", "token fetched, the source works again"),
    ],
)
def test_source_says_how_a_token_came(change: Change, words: str) -> None:
    event = SourceEvent(source="idp", change=change, news=True, fingerprint="01234567", lifetime=59.6)

    ((line, level),) = written(lambda log: tell(log, event), form="json")

    told = json.loads(line)
    assert (told["message"], level) == (words, "info")
    assert (told["token_source"], told["token_sha256"], told["expires_in"]) == ("idp", "01234567", 60)


@pytest.mark.parametrize("change", ["failed", "circuit_opened"])
def test_source_says_why_no_token_came(change: Change) -> None:
    failure = TokenRejected("the server said no", error="invalid_scope")
    failure.__cause__ = ErrorAnswer(status=400, error="invalid_scope", description="ask again")
    event = SourceEvent(source="idp", change=change, news=True, failure=failure, next_try_seconds=30.2)

    ((line, level),) = written(lambda log: tell(log, event), form="json")

    told = json.loads(line)
    assert level == "warning"
    assert "the server said no" in told["message"]
    assert (told["reason"], told["error"]) == ("token_rejected", "invalid_scope")
    assert (told["error_description"], told["next_try_seconds"]) == ("ask again", 30)


def test_source_says_the_same_again_at_debug_alone() -> None:
    event = SourceEvent(source="idp", change="fetched", news=False)

    assert written(lambda log: tell(log, event)) == []
    assert [level for _, level in written(lambda log: tell(log, event), level="debug")] == ["debug"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (LINE, []),
        (replace(LINE, status=503), []),
        (
            replace(LINE, status=400, reason="ambiguous_path"),
            ['clientcreds: GET api.test/a"b=\\n: 400 ambiguous_path (rule a rule)'],
        ),
        (
            replace(LINE, rule=None, status=None, reason="gone", path="-"),
            ["clientcreds: GET api.test: no answer gone"],
        ),
    ],
)
def test_words_tell_of_refused_and_broken_requests_alone(line: AccessLine, words: list[str]) -> None:
    assert [text for text, _ in written(lambda log: log.access(line), form="words", level="warning")] == words


def test_words_tell_what_happened_from_the_level_on() -> None:
    def act(log: Log) -> None:
        log.event("info", "token fetched")
        log.event("warning", "no token", {"token_source": "billing", "hint": "look\nthere", "error": None})

    assert written(act, form="words", level="warning") == [
        ("clientcreds: warning: no token (token_source billing; hint look\\nthere)", "warning")
    ]

"""`/api/status`: everything about a running proxy that helps whoever runs it, and no secret.

The query of a token URL and the values that a rule's `query` wants stay out of it, for both may be keys, and
so does what references of the configuration gave, where a rule matches by it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from urllib.parse import urlsplit

from clientcreds_proxy.observe.log import AccessLine
from clientcreds_proxy.observe.record import Record, RuleTally, SourceTally
from clientcreds_proxy.rules.model import Match, Rule
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.keeping.entry import NEVER_FETCHED, Standing
from clientcreds_proxy.tokens.model import SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """How the last reading of the configuration ended, after the one that the proxy started with."""

    time: datetime
    problems: tuple[str, ...]  # none: it is in force


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How things are with one token source."""

    spec: SourceSpec
    standing: Standing | None  # with callers: of the one that came last; None: nothing was asked for
    callers: int | None = None  # how many have a token; None: it has none
    store_fault: str | None = None  # why its store is not used now


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How things are with a proxy now."""

    version: str
    pid: int
    started: datetime
    ready: bool
    listening: tuple[str, ...]
    status_listening: str | None
    config: str  # absolute
    fingerprint: str  # of its text and its includes'
    loaded: datetime
    reload: Reload | None
    unmatched: str
    intercept: str
    rules: Sequence[Rule]
    sources: Sequence[Source]
    warnings: tuple[str, ...]  # of the configuration
    secrets: Iterable[Secret]  # what its references gave


def document(now: Situation, record: Record) -> dict[str, object]:
    """The answer, ready for JSON."""
    return {
        "version": now.version,
        "pid": now.pid,
        "started": _time(now.started),
        "uptime_seconds": round((record.now() - now.started).total_seconds()),
        "ready": now.ready,
        "listening": list(now.listening),
        "status_listening": now.status_listening,
        "config": {
            "path": now.config,
            "sha256": now.fingerprint,
            "loaded": _time(now.loaded),
            "reload": _reload(now.reload),
        },
        "unmatched": now.unmatched,
        "intercept": now.intercept,
        "token_sources": [_source(source, record.sources.get(source.spec.name)) for source in now.sources],
        "rules": [
            _rule(rule, _without(in_words(rule.match), now.secrets), record.rules.get(rule.name))
            for rule in now.rules
        ],
        "requests": [_request(time, line) for time, line in reversed(record.requests)],
        "warnings": _warnings(now.warnings, record),
    }


def in_words(match: Match) -> str:
    """Which requests these are: `host api.example.com, path /v2/**, method GET or POST`."""
    ports = match.ports if isinstance(match.ports, frozenset) else [match.ports] if match.ports else []
    parts = (
        ("host", match.hosts),
        ("path", [path.text for path in match.paths]),
        ("method", sorted(match.methods)),
        ("scheme", sorted(match.schemes)),
        ("port", sorted(ports, key=str)),
    )
    words = [f"{noun} {' or '.join(map(str, values))}" for noun, values in parts if values]
    if match.query:
        words.append(f"query {' and '.join(name for name, _ in match.query)}")
    return ", ".join(words)


def _without(text: str, secrets: Iterable[Secret]) -> str:
    for secret in secrets:
        text = text.replace(secret.reveal(), "***")
    return text


def _reload(reload: Reload | None) -> dict[str, object] | None:
    if reload is None:
        return None
    return {"time": _time(reload.time), "ok": not reload.problems, "problems": list(reload.problems)}


def _source(source: Source, counted: SourceTally | None) -> dict[str, object]:
    spec, standing = source.spec, source.standing or NEVER_FETCHED
    tally = counted or SourceTally()
    error = tally.last_error
    return {
        "name": spec.name,
        "authorization_server": urlsplit(spec.token_url or spec.issuer or "").netloc.rpartition("@")[2],
        "client_auth": spec.client_auth,
        "state": standing.state,
        "has_token": standing.expires_in is not None,
        "expires_in": _seconds(standing.expires_in),
        "fetched": tally.fetched,
        "taken": tally.taken,
        "failed": tally.failed,
        "last_error": asdict(error) | {"time": _time(error.time)} if error else None,
        "next_try_seconds": _seconds(standing.next_try_seconds),
        "callers": source.callers,
        "store": _store(source),
    }


def _store(source: Source) -> dict[str, object] | None:
    if source.spec.store is None:
        return None
    return {
        "name": source.spec.store.name,
        "ok": source.store_fault is None,
        "why": source.store_fault,
    }


def _rule(rule: Rule, match: str, counted: RuleTally | None) -> dict[str, object]:
    tally = counted or RuleTally()
    return {
        "name": rule.name,
        "match": match,
        "token_source": rule.token_source,
        "hits": tally.hits,
        "last_status": tally.last_status,
        "last_used": _time(tally.last_used),
    }


def _request(time: datetime, line: AccessLine) -> dict[str, object]:
    return {"time": _time(time), **asdict(line)}


def _warnings(of_config: tuple[str, ...], record: Record) -> list[dict[str, object]]:
    return [
        *({"message": message, "token_source": None, "time": None, "times": 1} for message in of_config),
        *(asdict(note) | {"time": _time(note.time)} for note in record.attention.values()),
    ]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(seconds: float | None) -> int | None:
    return None if seconds is None or seconds == float("inf") else round(seconds)

"""The log: one line per ruled request, one per state change of a token source, and the rest in words.

A line goes out whole and without a prefix, so that `json` is one object a line. `text` is the same in
logfmt: `name=value`, quoted as JSON where a value holds a space, a quote or an equals sign. Nobody gives
this module a secret; a token is named by its fingerprint at most.

`words` is for somebody who waits for a command and sees the log between its lines: no time, and of requests
only those that were refused, or that broke.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["text", "json", "words"]
TokenUse = Literal["cached", "fetched", "retried", "kept", "none"]
Value = str | int | float | None

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLine:
    """One request that a rule won, or that we refused."""

    rule: str | None
    token_source: str | None
    client: str
    client_username: str | None = None
    method: str
    host: str
    path: str  # without the query
    status: int | None  # None: the client got no answer
    reason: str | None  # of the refusal, or what broke the exchange
    duration_ms: int
    token: TokenUse


class Log:
    """Writes lines of one format, from one level up, to one place."""

    def __init__(
        self,
        write: Callable[[str, Level], None],
        *,
        form: Format = "text",
        level: Level = "info",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._write = write
        self._form: Format = form
        self._least = LEVELS.index(level)
        self._now = now

    def access(self, line: AccessLine) -> None:
        """One request is over."""
        if self._form == "words":
            if line.reason is not None:
                self._write(_refused(line), "warning")
            return
        level: Level = "warning" if line.status is None or line.status >= 500 else "info"
        fields: dict[str, Value] = {
            "rule": line.rule,
            "token_source": line.token_source,
            "client": line.client,
            "client_username": line.client_username,
            "method": line.method,
            "host": line.host,
            "path": line.path,
            "status": line.status,
            "reason": line.reason,
            "duration_ms": line.duration_ms,
            "token": line.token,
        }
        self._line(level, {name: "-" if value is None else value for name, value in fields.items()})

    def event(self, level: Level, message: str, fields: Mapping[str, Value] | None = None) -> None:
        """Something else that a reader should know, in words; fields without a value are left out."""
        present = {name: value for name, value in (fields or {}).items() if value is not None}
        if self._form != "words":
            self._line(level, {"message": message, **present})
        elif LEVELS.index(level) >= self._least:
            detail = "; ".join(f"{name} {value}" for name, value in present.items())
            self._write(
                _one_line(f"clientcreds: {level}: {message}{f' ({detail})' if detail else ''}"), level
            )

    def _line(self, level: Level, fields: Mapping[str, Value]) -> None:
        if LEVELS.index(level) < self._least:
            return
        moment = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Value] = {"time": moment, "level": level, **fields}
        if self._form == "json":
            self._write(json.dumps(line), level)
        else:
            self._write(" ".join(f"{name}={_logfmt(value)}" for name, value in line.items()), level)


def _refused(line: AccessLine) -> str:
    status = "no answer" if line.status is None else line.status
    rule = f" (rule {line.rule})" if line.rule else ""
    path = "" if line.path == "-" else line.path  # of a CONNECT
    return _one_line(f"clientcreds: {line.method} {line.host}{path}: {status} {line.reason}{rule}")


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')


def _logfmt(value: Value) -> str:
    text = str(value)
    plain = text.isascii() and text.isprintable() and not any(c in text for c in ' "=')
    return text if plain and text else json.dumps(text)

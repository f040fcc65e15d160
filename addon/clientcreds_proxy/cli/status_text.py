"""What `clientcreds status` prints: `/api/status` for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clientcreds_proxy.cli.words import counted

RECENT = 10  # requests

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def lines_of(said: Mapping[str, Any]) -> Iterator[str]:
    """The document, line by line. What came from outside is shown without control characters."""
    for line in _lines(said):
        yield "".join(each if each.isprintable() else "?" for each in line)


def _lines(said: Mapping[str, Any]) -> Iterator[str]:
    yield from _head(said)
    yield from _block("token sources", _sources(said["token_sources"]))
    yield from _block("rules", _rules(said["rules"]))
    yield from _block("latest requests", _requests(said["requests"][:RECENT]))
    yield from _block("needs attention", _warnings(said))


def duration(seconds: float) -> str:
    """`2 h 3 min`: the two largest units."""
    rest, parts = round(seconds), list[str]()
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _head(said: Mapping[str, Any]) -> Iterator[str]:
    config = said["config"]
    ready = "" if said["ready"] else ", not ready"
    yield f"clientcreds {said['version']}, pid {said['pid']}, up {duration(said['uptime_seconds'])}{ready}"
    yield f"  listening  {', '.join(said['listening']) or 'nowhere'}"
    yield f"  status     http://{said['status_listening']}"
    yield f"  config     {config['path']} (sha256 {config['sha256']}), read {config['loaded']}"
    if config["reload"] and not config["reload"]["ok"]:
        yield f"             could not be used when read at {config['reload']['time']}: see below"
    yield f"  unmatched  {said['unmatched']}, intercept {said['intercept']}"


def _block(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _sources(sources: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = [
        (
            each["name"],
            _state(each),
            _token(each) if each["callers"] is None else counted(each["callers"], "caller"),
            f"{each['fetched']} fetched",
            f"{each['failed']} failed",
            f"{each['authorization_server']} ({each['client_auth']})",
        )
        for each in sources
    ]
    for each, line in zip(sources, _table(rows), strict=True):
        yield line
        if each["store"]:
            why = "" if each["store"]["ok"] else f", which is not used now: {each['store']['why']}"
            yield f"  {each['taken']} taken from the store {each['store']['name']}{why}"
        if each["state"] in ("failing", "backing_off") and each["last_error"]:
            yield from _error(each)


def _state(source: Mapping[str, Any]) -> str:
    if source["state"] == "never_fetched" and source["fetched"]:
        return "dropped"  # by a purge, or because its configuration or secret is another one now
    return str(source["state"]).replace("_", " ")


def _token(source: Mapping[str, Any]) -> str:
    if not source["has_token"]:
        return "no token"
    left = source["expires_in"]
    return "token never expires" if left is None else f"token for {duration(left)}"


def _error(source: Mapping[str, Any]) -> Iterator[str]:
    error = source["last_error"]
    yield f"  {error['reason']}: {error['detail']}"
    if error["error_description"]:
        yield f"  the server says: {error['error_description']}"
    if error["hint"]:
        yield f"  hint: {error['hint']}"
    if source["next_try_seconds"] is not None:
        yield f"  no token request for {duration(source['next_try_seconds'])}"


def _rules(rules: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from _table(
        [
            (
                each["name"],
                counted(each["hits"], "request"),
                f"last {each['last_status'] or '-'} at {each['last_used']}" if each["hits"] else "never used",
                f"token source {each['token_source']}" if each["token_source"] else "no token source",
                each["match"],
            )
            for each in rules
        ]
    )


def _requests(requests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from _table(
        [
            (
                each["time"],
                f"{each['method']} {each['host']}{each['path']}",
                str(each["status"] or "-"),
                f"{each['duration_ms']} ms",
                f"rule {each['rule'] or '-'}",
                each["reason"] or f"token {each['token']}",
            )
            for each in requests
        ]
    )


def _warnings(said: Mapping[str, Any]) -> Iterator[str]:
    reload = said["config"]["reload"]
    if reload:
        yield from reload["problems"]
    for each in said["warnings"]:
        source = f"{each['token_source']}: " if each["token_source"] else ""
        times = f" ({each['times']} times, last at {each['time']})" if each["times"] > 1 else ""
        yield f"{source}{each['message']}{times}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with their columns under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]

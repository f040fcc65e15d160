"""`clientcreds token SOURCE`: fetch a token and show what is in it."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from clientcreds_proxy.cli.names import complete_source
from clientcreds_proxy.cli.options import config_option, json_option, named_config, one_message
from clientcreds_proxy.config.load import load
from clientcreds_proxy.errors import TokenFailure
from clientcreds_proxy.tokens.model import SourceSpec, described
from clientcreds_proxy.tokens.proof.client_auth import Granted, Way
from clientcreds_proxy.tokens.remarks import remarks

_EPILOG = """
\b
Examples:
  clientcreds token billing
  clientcreds token billing --json | jq .claims
  curl -H "Authorization: Bearer $(clientcreds token billing --show)" https://api.example.com/v2/orders

\b
Exit codes:
  0  here is a token
  1  there is none: the reason is on stderr; or the configuration can't be used
  2  wrong usage: there is no such token source
"""
WAYS: dict[Way, str] = {
    "basic_form": "client_secret_basic",
    "basic_raw": "client_secret_basic, with basic_encoding: raw",
    "post": "client_secret_post",
    "jwt": "a signed assertion",
    "jwt_without_kid": "a signed assertion without kid",
    "name_only": "the client id alone",
}


@click.command(epilog=_EPILOG, short_help="Fetch a token, and show what it is good for.")
@click.argument("source", shell_complete=complete_source)
@click.option(
    "--show", is_flag=True, help="Print the token itself, and nothing else (with --json: as token)."
)
@json_option
@config_option
@click.pass_context
def token(context: click.Context, *, source: str, show: bool, as_json: bool, config: str | None) -> None:
    """Fetch a token of a token source, as the proxy does, and show what it is good for.

    Its lifetime, scope and audience, and its claims where it is a JWT. The token itself is shown with --show
    alone. Nothing is remembered: a running proxy keeps its own token.
    """
    with one_message():
        path = named_config(context, config)
        spec = _spec(load(path).sources, source)
    from clientcreds_proxy.proxy.explaining.ask import fetch  # noqa: PLC0415 - mitmproxy takes a while to import

    try:
        with one_message():
            granted = fetch(path, source)
    except TokenFailure as failure:
        if as_json:
            click.echo(_as_json({"token_source": source, **failed(failure)}))
        else:
            click.echo("\n".join(failure_lines(failure)), err=True)
        sys.exit(1)
    if as_json:
        value = {"token": granted.token.value.reveal()} if show else {}
        click.echo(_as_json({"token_source": source, **found(spec, granted), **value}))
    elif show:
        click.echo(granted.token.value.reveal())
    else:
        click.echo("\n".join(_lines(spec, granted)))


def test_source(path: Path, source: str) -> int:
    """Fetch a token and say on stderr what became of it; the exit code."""
    from clientcreds_proxy.proxy.explaining.ask import fetch  # noqa: PLC0415 - as above

    try:
        with one_message():
            spec = _spec(load(path).sources, source)
            click.echo("\n".join(_lines(spec, fetch(path, source))), err=True)
    except TokenFailure as failure:
        click.echo("\n".join(failure_lines(failure)), err=True)
        return 1
    return 0


def found(spec: SourceSpec, granted: Granted) -> dict[str, Any]:
    """What is known of a token, but not the token."""
    got = granted.token
    claims = dict(got.claims) if got.claims is not None else None
    return {
        "client_auth": WAYS[granted.attempt.way],
        "token_type": got.token_type,
        "expires_in": None if got.lifetime is None else round(got.lifetime),
        "scope": None if got.scope is None else list(got.scope),
        "audience": (claims or {}).get("aud"),
        "claims": claims,
        "sha256": got.value.fingerprint,
        "remarks": list(remarks(spec, got)),
    }


def failed(failure: TokenFailure) -> dict[str, Any]:
    """Why there is no token, with the names that the proxy's answers and its log use."""
    return {
        "status": failure.status,
        "reason": failure.reason,
        "detail": failure.detail,
        "error": failure.error,
        "error_description": described(failure),
        "hint": failure.hint,
        "retry_after": failure.retry_after,
    }


def failure_lines(failure: TokenFailure) -> Iterator[str]:
    """The same for people."""
    yield f"{failure.reason}: {failure.detail}"
    if said := described(failure):
        yield f"the server says: {said}"
    if failure.hint:
        yield f"try: {failure.hint}"


def _spec(sources: Any, name: str) -> SourceSpec:
    spec: SourceSpec | None = sources.get(name)
    if spec is None:
        close = get_close_matches(name, sources, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sources) or 'none'}"
        raise click.UsageError(f"no token source {name!r}; {meant}")
    if spec.caller is not None:
        raise click.UsageError(
            f"each caller of {name!r} brings credentials of its own: "
            "send a request through the proxy with them, such as curl -u ID:SECRET"
        )
    return spec


def _lines(spec: SourceSpec, granted: Granted) -> Iterator[str]:
    known = found(spec, granted)
    kind = known["token_type"] or "Bearer"
    rows = {
        "token": f"{kind}, sha256 {known['sha256']}, fetched by {known['client_auth']}",
        "lifetime": _lifetime(known["expires_in"]),
        "scope": _scope(spec, known["scope"]),
        "audience": _audience(spec, known["audience"]),
    }
    for label, text in rows.items():
        yield f"{label:<10}{text}"
    if known["claims"] is None:
        yield "claims    none to be seen: the token is no JWT"
    else:
        yield f"claims    {_as_json(known['claims']).replace('\n', '\n          ')}"
    for remark in known["remarks"]:
        yield f"remark    {remark}"


def _lifetime(seconds: int | None) -> str:
    if seconds is None:
        return "it never expires"
    if seconds <= 0:
        return "for one request: it is not kept"
    end = datetime.fromtimestamp(time.time() + seconds, UTC)
    return f"{seconds} s, until {end:%Y-%m-%d %H:%M:%S} UTC"


def _scope(spec: SourceSpec, granted: list[str] | None) -> str:
    asked = " ".join(spec.scopes) or "none"
    if granted is None:
        return f"not said (asked for: {asked})"
    return f"{' '.join(granted) or 'none'} (asked for: {asked})"


def _audience(spec: SourceSpec, said: object) -> str:
    asked = ", ".join((*spec.audience, *spec.resource)) or "none"
    if said is None:
        return f"not said (asked for: {asked})"
    return f"{', '.join(map(str, said)) if isinstance(said, list) else said} (asked for: {asked})"


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)

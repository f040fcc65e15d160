"""What is answered to `clientcreds init`, by a flag or at the terminal, as the configuration has it.

What is wrong raises click's BadParameter: at a terminal it is asked for again.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import click

from clientcreds_proxy.config.preset import NAMES
from clientcreds_proxy.rules.host import is_loopback
from clientcreds_proxy.rules.pattern import PatternError, parse_host
from clientcreds_proxy.rules.url import parse_url

OTHER = "other"
_SECRET = re.compile(r"(?:env|file|cmd|keyring|systemd):[^\s{}][^{}]*")
_KEY = re.compile(r"[a-z_]+(?:\.[A-Za-z0-9_-]+)*")
_SECRET_EXPECTED = (
    "where the secret lives, never the secret itself: env:NAME, file:PATH, cmd:PROGRAM ARG, "
    "keyring:SERVICE/USER, systemd:NAME or urn:k8s:secret:NAME:KEY"
)


def text(said: str) -> str:
    """Not empty."""
    if not said.strip():
        raise click.BadParameter("is empty")
    return said.strip()


def provider(said: str) -> str:
    """A preset, or `other`."""
    if said not in (*NAMES, OTHER):
        raise click.BadParameter(f"not among {', '.join(NAMES)} or {OTHER}")
    return said


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What a host or a URL says of the API."""

    host: str  # with a port that is not https's own
    path: str = ""  # a pattern; empty: every path
    scheme: str = "https"
    upgrade: bool = False  # the app calls http://, but no token may leave so


def api(said: str) -> Api:
    """A host pattern, or a URL."""
    try:
        if "://" not in said:
            parse_host(text(said))
            return Api(host=said.strip())
        url = parse_url(said.strip())
    except (ValueError, PatternError) as error:
        raise click.BadParameter(str(error)) from error
    path = url.target.partition("?")[0].rstrip("/")
    place = url.destination
    upgrade = (place.scheme, place.port) == ("http", 80) and not is_loopback(place.host)
    host = url.host_header if place.scheme == "https" or upgrade else place.authority
    return Api(host=host, path=f"{path}/**" if path else "", scheme=place.scheme, upgrade=upgrade)


def checked(check: Callable[[str], str]) -> Callable[[str], str]:
    """A check of the configuration's, for an answer."""

    def read(said: str) -> str:
        try:
            return check(said.strip())
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return read


def or_empty(check: Callable[[str], str]) -> Callable[[str], str]:
    """The same, where nothing may be said."""
    return lambda said: checked(check)(said) if said.strip() else ""


def secret(said: str) -> str:
    """The reference as the file has it. What is none may be the secret itself: it is not repeated."""
    written = said.strip()
    if written.startswith("urn:k8s:secret:"):
        return written
    written = written.removeprefix("${").removesuffix("}")
    if not _SECRET.fullmatch(written):
        raise click.BadParameter(f"expected {_SECRET_EXPECTED}")
    return f"${{{written}}}"


def pair(said: str) -> tuple[str, str]:
    """What `--set` says."""
    key, _, value = said.partition("=")
    if not value or not _KEY.fullmatch(key):
        raise click.UsageError("--set: expected KEY=TEXT, like endpoint_params.account_id=acme")
    return key, value

"""The file and its secrets: what keeps the proxy from starting, and certificates that are past."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from clientcreds_proxy.cli.doctor.finding import Finding, bad, good
from clientcreds_proxy.cli.words import counted
from clientcreds_proxy.config.load import Attempt, Config
from clientcreds_proxy.errors import ConfigError, Problem
from clientcreds_proxy.tokens.model import Assertion, SourceSpec

_NOT_SET = re.compile(r"the environment variable (\w+) is not set")


def look_at_no_file(error: ConfigError) -> Iterator[Finding]:
    """Where there is none to be found."""
    for problem in error.problems:
        yield bad("config", problem.message, "clientcreds init -o clientcreds.yaml")


def look_at_file(path: Path, done: Attempt) -> Iterator[Finding]:
    """The file, its includes and its secrets."""
    secrets = [problem for problem in done.problems if _is_about_a_secret(problem, done)]
    others = [problem for problem in done.problems if problem not in secrets]
    for problem in others:
        yield bad("config", str(problem), _edit(problem))
    config = done.config
    if config is not None:
        yield good("config", f"{path}: {_counted(config)}")
    elif not others:
        yield good("config", f"{path}: can be used once its secrets are there")
    for problem in secrets:
        yield bad("secrets", str(problem), _bring(problem))
    if config is not None:
        count = len(config.secrets)
        values = "reference gives its value" if count == 1 else "references give their values"
        yield good("secrets", f"{count} {values}")


def look_at_certificates(config: Config) -> Iterator[Finding]:
    """Client certificates that servers do not take any more, or not yet."""
    now = datetime.now(UTC)
    for spec in config.sources.values():
        for key, pem in _certificates(spec):
            found = x509.load_pem_x509_certificates(pem.encode())[0]
            begin, end = found.not_valid_before_utc, found.not_valid_after_utc
            if begin <= now <= end:
                yield good("secrets", f"{key} of {spec.name} is valid until {end:%Y-%m-%d}")
                continue
            said = f"expired on {end:%Y-%m-%d}" if end < now else f"is valid from {begin:%Y-%m-%d} only"
            yield bad(
                "secrets",
                f"the client certificate of {spec.name} {said}",
                f"have it renewed, and put it into {key} of token source {spec.name}",
            )


def _certificates(spec: SourceSpec) -> Iterator[tuple[str, str]]:
    if spec.client.tls.cert:
        yield "client.tls.cert", spec.client.tls.cert
    if isinstance(spec.assertion, Assertion) and spec.assertion.certificate:
        yield "assertion.certificate", spec.assertion.certificate


def _is_about_a_secret(problem: Problem, done: Attempt) -> bool:
    return problem.message in done.unreadable.values() or bool(_NOT_SET.match(problem.message))


def _edit(problem: Problem) -> str:
    if "No such file" in problem.message and not problem.path:
        return f"clientcreds init -o {problem.file}"
    where = f"{problem.file}, line {problem.line}, column {problem.column}"
    return f"edit {where}; then clientcreds check {problem.file}"


def _bring(problem: Problem) -> str:
    if found := _NOT_SET.match(problem.message):
        return f"export {found[1]}=…"
    where = f"{problem.file}, line {problem.line}"
    return f"put the secret where the reference in {where} looks for it, or let that line name another place"


def _counted(config: Config) -> str:
    counts = {"rule": config.rules, "token source": config.sources, "warning": config.warnings}
    words = [counted(len(found), noun) for noun, found in counts.items()]
    return ", ".join(words) + (" (clientcreds check shows them)" if config.warnings else "")

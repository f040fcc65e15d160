"""All files of a configuration as one frozen `Config`, or every problem of all of them at once.

Watching the files and loading again is the proxy's business; `attempt` tells it which ones to watch, also
when they are wrong.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import ValidationError

from clientcreds_proxy.config.building.assemble import Assembly
from clientcreds_proxy.config.building.rule import client_list
from clientcreds_proxy.config.keys import model as keys
from clientcreds_proxy.config.keys.messages import problems
from clientcreds_proxy.config.reading.includes import included
from clientcreds_proxy.config.reading.part import Part, read_part
from clientcreds_proxy.config.reading.references import References
from clientcreds_proxy.errors import ConfigError, Problem
from clientcreds_proxy.rules.host import split_host_port
from clientcreds_proxy.rules.model import ClientList, Rule
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """How the log is written."""

    format: Literal["text", "json"]
    level: Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration, validated, its references resolved."""

    rules: tuple[Rule, ...]  # in the order they are tried
    sources: Mapping[str, SourceSpec]  # by name; those written inside a rule too
    unmatched: Literal["pass", "block"]
    intercept: Literal["ruled", "all"]
    allowed_clients: ClientList
    names_clients: bool  # whether the file says `allowed_clients` itself
    status_listen: tuple[str, int] | None  # None: no status server
    log: Log
    files: tuple[Path, ...]  # absolute: when one of them changes, this is out of date
    fingerprint: str  # of its text and its includes': `cat FILE … | sha256sum | cut -c1-8`
    warnings: tuple[Problem, ...]  # in file order
    variables: tuple[str, ...]  # of the environment, that references name
    secrets: tuple[Secret, ...]  # what references gave: whoever shows parts of this leaves them out


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of loading: a configuration or problems, and the files that decided about it."""

    config: Config | None
    problems: tuple[Problem, ...]
    files: tuple[Path, ...]
    rules: tuple[Rule, ...]  # those that could be read, whatever is wrong besides
    variables: tuple[str, ...]  # of the environment, that references name
    unreadable: Mapping[str, str]  # by token source: why a reference in it gives no value


def load(path: Path, *, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration at `path`; ConfigError with all problems of all files, in file order."""
    done = attempt(path, environ=environ)
    if done.config is None:
        raise ConfigError(done.problems)
    return done.config


def attempt(path: Path, *, environ: Mapping[str, str] = os.environ) -> Attempt:
    """What `load` gives or raises, with the files to watch in either case."""
    references = References(environ)
    main = read_part(path, references)
    settings = _settings(main, keys.MainFile)
    others, folders = included(main, references)
    for part in others:
        _settings(part, keys.IncludedFile)
    parts = [main, *others]
    assembly = Assembly()
    assembly.add_stores(main)
    for part in parts:
        assembly.add_sources(part)
    for part in parts:
        assembly.add_rules(part)
    assembly.warn_of_shadowed()
    if settings:
        _warn_of_everybody(settings, main)
    if settings and not assembly.rules:
        fate = "passed on as it is" if settings.unmatched == "pass" else "refused"
        main.report.warn((), f"no rules yet: every request is {fate}")
    found = _sorted([part.report.problems for part in parts])
    watched = [*(part.path for part in parts), *folders, *references.files]
    files = tuple(dict.fromkeys(file.absolute() for file in watched))
    config = None
    if settings is not None and not found:
        config = _config(settings, assembly, files, parts, references=references)
    return Attempt(
        config=config,
        problems=found,
        files=files,
        rules=tuple(assembly.rules),
        variables=references.variables,
        unreadable=assembly.unreadable if config is None else {},
    )


def _settings[Model: keys.IncludedFile](part: Part, model: type[Model]) -> Model | None:
    """All of a file but stores, sources and rules, each looked at by itself: no mistake hides another."""
    if part.report.problems and not part.values:
        return None
    values = dict(part.values)
    for key, kind in (("stores", dict), ("token_sources", dict), ("rules", list)):
        if isinstance(values.get(key), kind):
            values[key] = kind()
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for path, message, quotes in problems(error, model):
            note = part.report.foreign if quotes else part.report.problem
            note(path, message)
    return None


def _sorted(found: list[list[Problem]]) -> tuple[Problem, ...]:
    """Problems file by file, each file's from top to bottom, no line twice."""
    ordered = [sorted(each, key=lambda problem: (problem.line, problem.column)) for each in found]
    return tuple(dict.fromkeys(problem for each in ordered for problem in each))


def _config(
    settings: keys.MainFile,
    assembly: Assembly,
    files: tuple[Path, ...],
    parts: Sequence[Part],
    *,
    references: References,
) -> Config:
    return Config(
        rules=tuple(assembly.rules),
        sources=MappingProxyType(assembly.specs),
        unmatched=settings.unmatched,
        intercept=settings.intercept,
        allowed_clients=client_list(settings.allowed_clients),
        names_clients="allowed_clients" in settings.model_fields_set,
        status_listen=_address(settings.status),
        log=Log(format=settings.log.format, level=settings.log.level),
        files=files,
        fingerprint=sha256(b"".join(part.content for part in parts)).hexdigest()[:8],
        warnings=_sorted([part.report.warnings for part in parts]),
        secrets=references.values,
        variables=references.variables,
    )


def _warn_of_everybody(settings: keys.MainFile, main: Part) -> None:
    for index, entry in enumerate(settings.allowed_clients):
        if any(network.prefixlen == 0 for network in client_list([entry]).networks):
            main.report.warn(("allowed_clients", index), "whoever reaches the proxy may use its tokens")


def _address(status: keys.Status | None) -> tuple[str, int] | None:
    if status is None or status.listen is None:
        return None
    host, port = split_host_port(status.listen)
    return (host, port) if port else None

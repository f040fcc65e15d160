"""`clientcreds check`: every error and warning of a configuration, one line each."""

import json
import os
import sys
from dataclasses import asdict, replace
from typing import Literal

import click

from clientcreds_proxy.cli.options import config_option, json_option
from clientcreds_proxy.cli.words import counted
from clientcreds_proxy.config.find import find
from clientcreds_proxy.config.load import Config, load
from clientcreds_proxy.errors import ConfigError, Problem

Severity = Literal["error", "warning"]

_EPILOG = """
\b
Examples:
  clientcreds check
  clientcreds check config/rules.yaml --strict
  clientcreds check --json | jq -r '.[].message'

\b
Exit codes:
  0  the configuration can be used (with warnings, too, unless --strict)
  1  it can't be used
  2  wrong usage
"""


@click.command(epilog=_EPILOG, short_help="Check a configuration: all errors and warnings.")
@click.argument("file", required=False)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@json_option
@config_option
@click.pass_obj
def check(before: str | None, file: str | None, config: str | None, *, strict: bool, as_json: bool) -> None:
    """Check a configuration: all errors and warnings, FILE:LINE:COLUMN each.

    Secrets are resolved, as when the proxy starts, but nothing is sent anywhere. --json prints a list of
    objects with file, line, column, path, message and severity (error or warning).
    """
    named = {each for each in (before, file, config) if each}
    if len(named) > 1:
        raise click.UsageError("name the file once: as FILE or with --config")
    loaded, found = _load(next(iter(named), None))
    if as_json:
        rows = [asdict(problem) | {"severity": severity} for severity, problem in found]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for severity, problem in found:
            click.echo(_line(severity, problem))
        click.echo(_summary(loaded, found), err=True)
    sys.exit(1 if loaded is None or (strict and found) else 0)


def _load(named: str | None) -> tuple[Config | None, list[tuple[Severity, Problem]]]:
    try:
        config = load(find(named, environ=os.environ))
    except ConfigError as error:
        return None, [("error", problem) for problem in error.problems]
    return config, [("warning", warning) for warning in config.warnings]


def _line(severity: Severity, problem: Problem) -> str:
    if severity == "error":
        return str(problem)
    return str(replace(problem, path=f"warning: {problem.path}" if problem.path else "warning"))


def _summary(config: Config | None, found: list[tuple[Severity, Problem]]) -> str:
    if config is None:
        return f"{counted(len(found), 'error')}: this configuration can't be used"
    return (
        f"ok: {counted(len(config.rules), 'rule')}, {counted(len(config.sources), 'token source')}, "
        f"{counted(len(found), 'warning')}"
    )

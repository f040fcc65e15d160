"""`clientcreds import`: another gateway's configuration becomes one of ours."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import click

from clientcreds_proxy.cli.options import json_option
from clientcreds_proxy.errors import ConfigError, Problem
from clientcreds_proxy.migrate.importer import Gateway, Imported, convert
from clientcreds_proxy.migrate.read import decoded, read

_EPILOG = """
\b
Examples:
  clientcreds import krakend krakend.json
  clientcreds import krakend krakend.json -o clientcreds.yaml
  kubectl get middleware,ingressroute,secret -o yaml | clientcreds import traefik -
  clientcreds import krakend krakend.json --strict --json | jq .lost

\b
Exit codes:
  0  the rules are written; what could not be carried over is listed, on stderr and at their head
  1  the file can't be read, or something could not be carried over and --strict is given
  2  wrong usage
"""


@click.command("import", epilog=_EPILOG, short_help="Turn a gateway's configuration into rules.")
@click.argument("gateway", type=click.Choice(get_args(Gateway)))
@click.argument("file")
@click.option("--strict", is_flag=True, help="Exit with 1 where something could not be carried over.")
@click.option("-o", "--output", metavar="FILE", help="Write the rules there instead of printing them.")
@click.option("--force", is_flag=True, help="Let -o replace a file.")
@json_option
def import_(  # noqa: PLR0913 - one parameter for each option
    gateway: Gateway, file: str, output: str | None, *, strict: bool, force: bool, as_json: bool
) -> None:
    """Turn a gateway's configuration into rules.

    FILE is the gateway's own file, - for stdin. Secrets are never written: environment variables stand for
    them, and the new file's head names these. --json prints an object with config, lost, notes, variables and
    mounted.
    """
    if force and output is None:
        raise click.UsageError("--force is about the file that -o names")
    _refuse_output(file, output, force=force)
    try:
        found = convert(gateway, _text(file), _shown(file))
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    _say(found)
    if output is not None:
        Path(output).write_text(found.config, encoding="utf-8")
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    elif output is None:
        click.echo(found.config, nl=False)
    sys.exit(1 if strict and found.lost else 0)


def _refuse_output(file: str, output: str | None, *, force: bool) -> None:
    if output is None or not Path(output).exists():
        return
    if file != "-" and Path(file).exists() and Path(output).samefile(file):
        raise click.UsageError("-o names the file that is to be read")
    if not force:
        raise click.UsageError(f"{output} is there already; --force replaces it")


def _shown(file: str) -> str:
    return "<stdin>" if file == "-" else file


def _text(file: str) -> str:
    return decoded(sys.stdin.buffer.read(), _shown(file)) if file == "-" else read(Path(file))


def _say(found: Imported) -> None:
    for kind, problems in (("not carried over", found.lost), ("note", found.notes)):
        for problem in problems:
            click.echo(_line(kind, problem), err=True)
    for variable in found.variables:
        click.echo(f"to set: {variable}", err=True)
    for mounted in found.mounted:
        click.echo(f"to mount: {mounted}", err=True)


def _line(kind: str, problem: Problem) -> str:
    where = f"{problem.file}:{problem.line}:{problem.column}: "
    return f"{where}{kind}: {problem.path}: {problem.message}"

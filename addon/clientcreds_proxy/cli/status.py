"""`clientcreds status`, `reload` and `purge`: what a running proxy is asked."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import NoReturn

import click

from clientcreds_proxy.cli.options import Decorator, json_option
from clientcreds_proxy.cli.running import Answer, ask, choose
from clientcreds_proxy.cli.status_text import lines_of
from clientcreds_proxy.errors import ClientcredsError

_STATUS_EPILOG = """
\b
Examples:
  clientcreds status
  clientcreds status --port 9000
  clientcreds status --json | jq '.token_sources[] | {name, state, expires_in}'

\b
Exit codes:
  0  a proxy is running
  1  none is running, or it does not answer
  2  wrong usage, or several are running: --port chooses
"""
_RELOAD_EPILOG = """
\b
Examples:
  clientcreds reload
  clientcreds reload --port 9000
  clientcreds reload --json | jq -r '.problems[]?'

\b
Exit codes:
  0  the configuration was read again and is in force
  1  it can't be used (its problems are printed; the old rules stay in force), or no proxy is running
  2  wrong usage, or several are running: --port chooses
"""
_PURGE_EPILOG = """
\b
Examples:
  clientcreds purge            every token source
  clientcreds purge billing    one of them

\b
Exit codes:
  0  done: the next request fetches a new token
  1  there is no such token source (the names are printed), or no proxy is running
  2  wrong usage, or several are running: --port chooses
"""

_port_option: Decorator = click.option(
    "--port", type=click.IntRange(1, 65535), help="The proxy's port, where several proxies are running."
)
_running_option: Decorator = click.option(
    "--config", "config", metavar="FILE", help="The proxy's configuration, where several proxies are running."
)


def _or_exit(command: Callable[..., None]) -> Callable[..., None]:
    """Exit with 1 and a message where there is no proxy, or it does not answer."""

    @wraps(command)
    def wrapped(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except ClientcredsError as error:
            click.echo(f"clientcreds: {error}", err=True)
            sys.exit(1)

    return wrapped


@click.command(epilog=_STATUS_EPILOG, short_help="Show how a running proxy is.")
@_port_option
@json_option
@_running_option
@click.pass_obj
@_or_exit
def status(before: str | None, port: int | None, config: str | None, *, as_json: bool) -> None:
    """Show how a running proxy is: its token sources, rules, latest requests, and what needs attention.

    No secret and no token is shown.
    """
    answer = ask(choose(port, config or before), "GET", "/api/status")
    if as_json:
        _print_json(answer)
    for line in lines_of(answer.said):
        click.echo(line)


def _print_json(answer: Answer) -> NoReturn:
    """The status server's own words, and the exit code that fits."""
    click.echo(json.dumps(answer.said, indent=2, ensure_ascii=False))
    sys.exit(0 if answer.status == 200 else 1)


@click.command(epilog=_RELOAD_EPILOG, short_help="Have a running proxy read its configuration again.")
@_port_option
@json_option
@_running_option
@click.pass_obj
@_or_exit
def reload(before: str | None, port: int | None, config: str | None, *, as_json: bool) -> None:
    """Have a running proxy read its configuration again, with its secrets.

    It follows its files by itself; this tells at once what became of a change.
    """
    proxy = choose(port, config or before)
    answer = ask(proxy, "POST", "/api/reload")
    if as_json:
        _print_json(answer)
    if answer.status == 200:
        click.echo(f"ok: {proxy.config} is in force")
        return
    for problem in answer.texts("problems"):
        click.echo(problem)
    click.echo(f"clientcreds: {answer.said.get('detail')}", err=True)
    sys.exit(1)


@click.command(epilog=_PURGE_EPILOG, short_help="Have a running proxy drop its tokens.")
@click.argument("source", required=False)
@_port_option
@json_option
@_running_option
@click.pass_obj
@_or_exit
def purge(
    before: str | None, source: str | None, port: int | None, config: str | None, *, as_json: bool
) -> None:
    """Have a running proxy drop its tokens and the failures that it remembers: all, or those of SOURCE."""
    proxy = choose(port, config or before)
    answer = ask(proxy, "POST", "/api/purge", None if source is None else {"source": source})
    if as_json:
        _print_json(answer)
    if answer.status == 200:
        click.echo(f"ok: dropped what was known of {', '.join(answer.texts('purged')) or 'nothing'}")
        return
    click.echo(f"clientcreds: {answer.said.get('detail')}", err=True)
    if names := answer.texts("token_sources"):
        click.echo(f"the token sources are {', '.join(names)}", err=True)
    sys.exit(1)

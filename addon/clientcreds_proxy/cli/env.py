"""`clientcreds env`: the variables that lead clients to a proxy that runs already."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import click

from clientcreds_proxy.cli.ca import bundle, confdir_option, or_exit
from clientcreds_proxy.cli.clients import no_proxy, shells, table, trust
from clientcreds_proxy.cli.options import config_option, json_option
from clientcreds_proxy.cli.running import NotRunning, choose
from clientcreds_proxy.config.find import find
from clientcreds_proxy.config.load import attempt
from clientcreds_proxy.errors import ClientcredsError, ConfigError
from clientcreds_proxy.observe.runtime import Running
from clientcreds_proxy.rules.model import Rule

_EPILOG = """
\b
Examples:
  eval "$(clientcreds env)"                                   sh, bash, zsh
  clientcreds env --shell fish | source
  clientcreds env --shell powershell | Out-String | Invoke-Expression
  clientcreds env --shell docker --files /etc/clientcreds > proxy.env
  clientcreds env --shell systemd --files /etc/clientcreds > app.service.d/proxy.conf
  clientcreds env --shell java > java.options; java @java.options -jar app.jar

\b
Exit codes:
  0  ok
  1  a file could not be read or written
  2  wrong usage
"""

# For programs that get another environment than this command's: what is in this one is not theirs.
_ELSEWHERE = ("docker", "systemd", "java")
_SHELLS = ["sh", "fish", "powershell", *_ELSEWHERE]


@click.command(epilog=_EPILOG, short_help="Print the variables that lead clients to the proxy.")
@click.option("--shell", type=click.Choice(_SHELLS), default="sh", help="Who reads them. Default: sh.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Where it listens on 127.0.0.1. Default: the running one, else 8080.",
)
@click.option("--proxy", metavar="URL", help="Where it listens: http://[ID:SECRET@]HOST[:PORT].")
@click.option("--files", metavar="DIR", help="Write the CA files there, for other users to read.")
@confdir_option
@json_option
@config_option
@click.pass_obj
def env(  # noqa: PLR0913 - click gives an argument for each option
    before: str | None,
    shell: str,
    port: int | None,
    proxy: str | None,
    *,
    files: str | None,
    confdir: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Print the variables that make clients go through a running proxy and trust it.

    curl, wget, git, Python (urllib, requests, httpx), Node.js, Go and Java read them; .NET and cargo should,
    too, which is untested. What NO_PROXY, NODE_OPTIONS and JAVA_TOOL_OPTIONS hold is kept, and so is what was
    trusted before. The CA files go into the user's cache folder, or with --files into another.
    """
    config = config or before
    address = address_of(port, proxy)
    if proxy is None and (running := _running(port, config)):
        address, config = table.Address(port=port or running.ports[0]), running.config
    environ = {} if shell in _ELSEWHERE else dict(os.environ)
    found = bundle(confdir)
    folder = Path(files).absolute() if files else trust.cache_folder(os.environ)
    written = or_exit(lambda: trust.write_files(folder, found, environ, shared=files is not None))
    hidden = _hidden(environ, config)
    if shell == "java":
        options = table.java_options(address, written, hidden)
        click.echo("\n".join([json.dumps(options)] if as_json else shells.argument_lines(options)))
        return
    variables = table.variables(address, written, hidden=hidden, own=environ)
    lines = [json.dumps(variables, indent=2)] if as_json else shells.written(shell, variables)
    click.echo("\n".join(lines))
    if note := _NOTES.get(shell):
        click.echo(note.format(folder=folder, port=address.port), err=True)
    if shell in _ELSEWHERE and files is None:
        click.echo(
            f"only you can read {folder}: for another user's program, name a folder with --files", err=True
        )


_NOTES = {
    "docker": (
        "docker run --network host --env-file … -v {folder}:{folder}:ro …\n"
        "in a network of its own, a container reaches no proxy on 127.0.0.1: see docs/clients.md"
    ),
    "systemd": "put it into /etc/systemd/system/APP.service.d/, then systemctl daemon-reload",
}


def address_of(port: int | None, proxy: str | None) -> table.Address:
    """What --port and --proxy name; a UsageError for what is no http:// URL."""
    if proxy is None:
        return table.Address(port=port or 8080)
    if port is not None:
        raise click.UsageError("name the proxy once: with --port or with --proxy")
    try:
        url = urlsplit(proxy)
        named = url.port
    except ValueError as error:
        raise click.UsageError(f"--proxy: {error}") from error
    if url.scheme != "http" or not url.hostname or url.path not in ("", "/") or url.query:
        raise click.UsageError("--proxy: expected http://HOST:PORT")
    login = url.netloc.rpartition("@")[0]
    return table.Address(host=url.hostname, port=named or 80, login=login)


def _running(port: int | None, config: str | None) -> Running | None:
    """The running proxy that is meant; a UsageError where it could be several."""
    try:
        return choose(port, config)
    except ClientcredsError as error:
        if port is None:
            why = "no running proxy was found" if isinstance(error, NotRunning) else str(error)
            click.echo(f"clientcreds: {why}: this is for one on 127.0.0.1:8080", err=True)
        return None


def _hidden(environ: Mapping[str, str], config: str | None) -> tuple[str, ...]:
    """What NO_PROXY shall say. Whoever calls this may lack the secrets: the rules are enough."""
    rules: tuple[Rule, ...] = ()
    with suppress(ConfigError):
        rules = attempt(find(config, environ=os.environ)).rules
    own = no_proxy.entries(environ)
    hidden = no_proxy.completed(own, loopback_is_ruled=no_proxy.rules_loopback(rules))
    for entry, rule in no_proxy.hidden_rules(hidden, rules):
        click.echo(f"clientcreds: warning: {entry} in NO_PROXY hides the host of rule {rule}", err=True)
    return hidden

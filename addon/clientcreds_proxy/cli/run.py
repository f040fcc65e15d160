"""`clientcreds run`: a command, and a proxy for as long as it lasts, in this very process."""

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import click

from clientcreds_proxy.cli.ca import confdir_option
from clientcreds_proxy.cli.clients import table
from clientcreds_proxy.cli.clients.child import Known, environment
from clientcreds_proxy.cli.command import Attendant, CannotRun
from clientcreds_proxy.cli.env import address_of
from clientcreds_proxy.cli.options import config_option
from clientcreds_proxy.config.find import find
from clientcreds_proxy.config.load import attempt
from clientcreds_proxy.errors import ClientcredsError, ConfigError
from clientcreds_proxy.observe.runtime import RuntimeFolderError
from clientcreds_proxy.rules.host import is_loopback

NOT_STARTED = 125

_EPILOG = """
\b
Examples:
  clientcreds run -- curl https://api.example.com/v2/orders
  clientcreds run --config team.yaml -- make test
  clientcreds run -v -- ./app                            with the proxy's whole log
  clientcreds run --port 8080 -- ./app                   through a proxy that runs already
  clientcreds run --set mode=upstream:http://proxy.corp:3128 -- ./app

\b
Exit codes:
  the command's own; 128 and the signal's number if a signal ended it
  125  the proxy could not start: the reason is on stderr
  126  the command can't be executed
  127  there is no such command
  2    wrong usage
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says."""

    words: tuple[str, ...]
    config: str | None
    running: table.Address | None  # a proxy that is there already
    confdir: str | None
    settings: tuple[str, ...]
    log_to: TextIO
    in_words: bool

    def warn(self, text: str) -> None:
        """Say it where the log goes."""
        click.echo(f"clientcreds: warning: {text}", file=self.log_to)


@click.command(
    epilog=_EPILOG,
    short_help="Run a command with a proxy of its own.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-v", "--verbose", is_flag=True, help="Show the proxy's whole log.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing of it, not even refusals.")
@click.option("--port", type=click.IntRange(1, 65535), help="Use the running proxy on 127.0.0.1:PORT.")
@click.option("--proxy", metavar="URL", help="Use the running proxy at http://[ID:SECRET@]HOST[:PORT].")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="An option of mitmproxy.")
@confdir_option
@config_option
@click.pass_obj
def run(  # noqa: PLR0913 - click gives an argument for each option
    before: str | None,
    command: tuple[str, ...],
    *,
    verbose: bool,
    quiet: bool,
    port: int | None,
    proxy: str | None,
    settings: tuple[str, ...],
    confdir: str | None,
    config: str | None,
) -> None:
    """Run COMMAND with a proxy of its own, which ends with it.

    The command gets the variables that `clientcreds env` prints, and none that holds a secret of the
    configuration. The proxy takes a free port of 127.0.0.1. Refusals and warnings go to stderr.
    """
    if verbose and quiet:
        raise click.UsageError("-v and -q exclude each other")
    running = address_of(port, proxy) if port is not None or proxy is not None else None
    if running and settings:
        raise click.UsageError("--set is for a proxy of its own: it can't be used with --port or --proxy")
    with Path(os.devnull).open("w") if quiet else nullcontext(sys.stderr) as log_to:
        wanted = Wanted(
            words=command,
            config=config or before,
            running=running,
            confdir=confdir,
            settings=settings,
            log_to=log_to,
            in_words=not verbose,
        )
        code = _exit_code(wanted)
    sys.exit(code)


def _exit_code(wanted: Wanted) -> int:
    attendant = Attendant()
    try:
        if wanted.running is not None:
            return attendant.attend(_through(wanted.running, wanted, attendant))
        return attendant.attend(_with_a_proxy(wanted, attendant))
    except CannotRun as error:
        click.echo(f"clientcreds: {error}", err=True)
        return error.exit_code
    except OSError as error:
        click.echo(f"clientcreds: {error.filename or 'a file'}: {error.strerror or error}", err=True)
    except RuntimeFolderError as error:
        click.echo(f"clientcreds: {error}", err=True)
    except (ClientcredsError, ValueError) as error:
        click.echo(str(error), err=True)
    return NOT_STARTED


async def _with_a_proxy(wanted: Wanted, attendant: Attendant) -> int:
    from clientcreds_proxy.proxy.serving.authority import ca_certificate  # noqa: PLC0415 - mitmproxy is slow to import
    from clientcreds_proxy.proxy.serving.serve import serving  # noqa: PLC0415
    from clientcreds_proxy.proxy.serving.start import Manner  # noqa: PLC0415

    async with serving(
        config=find(wanted.config, environ=os.environ),
        options={"confdir": wanted.confdir} if wanted.confdir else {},
        settings=wanted.settings,
        manner=Manner(log_to=wanted.log_to, in_words=wanted.in_words, lasts=False),
        log_level="error" if wanted.in_words else "info",
    ) as proxy:
        _warn_of_parent(wanted, os.environ)
        config = proxy.config
        known = Known(rules=config.rules, variables=config.variables, config=config)
        address = table.Address(port=proxy.port)
        with environment(address, known, ca=ca_certificate(proxy.confdir), warn=wanted.warn) as environ:
            return await attendant.run(wanted.words, environ)


async def _through(proxy: table.Address, wanted: Wanted, attendant: Attendant) -> int:
    from clientcreds_proxy.proxy.serving.authority import ca_certificate  # noqa: PLC0415 - mitmproxy is slow to import

    try:
        socket.create_connection((proxy.host, proxy.port), timeout=2).close()
    except OSError as error:
        raise NoProxy(
            f"clientcreds: no proxy at {proxy.host}:{proxy.port}: {error.strerror or error}"
        ) from error
    try:
        read = attempt(find(wanted.config, environ=os.environ))
    except ConfigError:  # that proxy knows it, and the command may run elsewhere
        known = Known()
    else:
        known = Known(rules=read.rules, variables=read.variables, config=read.config)
    with environment(proxy, known, ca=ca_certificate(wanted.confdir), warn=wanted.warn) as environ:
        return await attendant.run(wanted.words, environ)


class NoProxy(ClientcredsError):
    """Nothing listens where a running proxy should."""


def _warn_of_parent(wanted: Wanted, environ: Mapping[str, str]) -> None:
    """Say that a proxy that was set before is not used any more."""
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        parent = urlsplit(environ.get(name, ""))
        if parent.hostname and not is_loopback(parent.hostname):
            url = f"{parent.scheme}://{parent.netloc.rpartition('@')[2]}"
            if not any(setting.startswith("mode=") for setting in wanted.settings):
                wanted.warn(f"{name} named {url}; to go on through that proxy: --set mode=upstream:{url}")
            return

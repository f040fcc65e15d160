"""The `clientcreds` command."""

import os
import sys

import click

from clientcreds_proxy import __version__
from clientcreds_proxy.cli.ca import ca
from clientcreds_proxy.cli.check import check
from clientcreds_proxy.cli.completion import completion
from clientcreds_proxy.cli.doctor.command import doctor
from clientcreds_proxy.cli.env import env
from clientcreds_proxy.cli.explain import explain
from clientcreds_proxy.cli.import_ import import_
from clientcreds_proxy.cli.init.command import init
from clientcreds_proxy.cli.options import config_option
from clientcreds_proxy.cli.run import run
from clientcreds_proxy.cli.schema import schema
from clientcreds_proxy.cli.serve import serve, web
from clientcreds_proxy.cli.status import purge, reload, status
from clientcreds_proxy.cli.token_ import token

_EPILOG = """
\b
Examples:
  clientcreds init -o clientcreds.yaml a first configuration, out of a few answers
  clientcreds run -- curl https://api.example.com/v2/orders
  clientcreds serve                    the proxy, on 127.0.0.1:8080
  clientcreds doctor                   what is wrong, and what mends it
  clientcreds status                   how that proxy is
  clientcreds check                    the configuration that would be used
  clientcreds check team.yaml --strict warnings fail, too: for CI
  clientcreds explain GET https://…    which rule, and what it would do
  clientcreds token billing            fetch one, and what it is good for
  clientcreds schema > schema.json     for completion in editors
  clientcreds import krakend krakend.json -o clientcreds.yaml

\b
Exit codes:
  0  ok (with warnings, too, unless --strict)
  1  a failure
  2  wrong usage

Without --config the configuration is $CLIENTCREDS_CONFIG, else clientcreds.yaml in the working directory,
else config/rules.yaml of the checkout.
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.version_option(__version__, message="clientcreds %(version)s")
@click.pass_context
def commands(context: click.Context, config: str | None) -> None:
    """Point HTTP_PROXY at it, and your app speaks OAuth 2.0: checks and tools around the proxy."""
    context.obj = config  # `clientcreds --config FILE check` is `clientcreds check --config FILE`


commands.add_command(ca)
commands.add_command(check)
commands.add_command(completion)
commands.add_command(doctor)
commands.add_command(env)
commands.add_command(explain)
commands.add_command(import_)
commands.add_command(init)
commands.add_command(run)
commands.add_command(schema)
commands.add_command(serve)
commands.add_command(web)
commands.add_command(status)
commands.add_command(reload)
commands.add_command(purge)
commands.add_command(token)


def main() -> None:
    """Run the command. Output that can't be written is no traceback (click itself answers `| head`)."""
    _reopen()
    try:
        commands.main(prog_name="clientcreds")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"clientcreds: {where}{error.strerror or error}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is not tried again
        sys.exit(1)


def _reopen() -> None:
    """Let streams that the caller closed (`>&-`) be empty: mitmproxy counts on having them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))

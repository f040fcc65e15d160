"""`clientcreds serve` and `clientcreds web`: the proxy, without a script to name."""

import sys
from collections.abc import Callable, Sequence

import click

from clientcreds_proxy.cli.options import config_option
from clientcreds_proxy.errors import ClientcredsError

_EXIT_CODES = """
\b
Exit codes:
  0  it was told to end (SIGTERM, Ctrl-C); requests in flight had up to 10 s
  1  it could not start: the reason is on stderr
  2  wrong usage
"""
_SERVE_EPILOG = f"""
\b
Examples:
  clientcreds serve
  clientcreds serve --config team.yaml -p 9000
  clientcreds serve -q -w flows.mitm
  clientcreds serve --mode reverse:https://api.example.com@9000
  clientcreds serve --options          every option of mitmproxy, ours included
{_EXIT_CODES}"""
_WEB_EPILOG = f"""
\b
Examples:
  clientcreds web
  clientcreds web --config team.yaml -p 9000 --web-port 9001 --no-web-open-browser
  clientcreds web --options            every option of mitmproxy, ours included
{_EXIT_CODES}"""

# What is not ours is mitmproxy's to understand; `-h` may be part of its own, as in `-whistory.mitm`.
_PASS_ON = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


@click.command(
    epilog=_SERVE_EPILOG,
    short_help="Run the proxy, on 127.0.0.1:8080.",
    context_settings=_PASS_ON,
    options_metavar="[OPTIONS]",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[MITMDUMP OPTIONS]")
@config_option
@click.pass_context
def serve(context: click.Context, options: tuple[str, ...], config: str | None) -> None:
    """Run the proxy, on 127.0.0.1:8080 unless told otherwise.

    It is mitmdump with the addon: all options of mitmdump can follow (-p PORT, --mode, -q, -w FILE, --set …),
    with their usual meaning; `mitmdump --help` explains them. It listens on 127.0.0.1 unless --listen-host or
    --mode …@HOST:PORT names another address, and calls mitmproxy's addons by table
    (clientcreds_fast_dispatch).
    """
    from clientcreds_proxy.proxy.serving import serve as proxy  # noqa: PLC0415 - mitmproxy takes a while to import

    _run(context, proxy.serve, options, config)


@click.command(
    epilog=_WEB_EPILOG,
    short_help="Run the proxy with mitmweb, in a browser.",
    context_settings=_PASS_ON,
    options_metavar="[OPTIONS]",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[MITMWEB OPTIONS]")
@config_option
@click.pass_context
def web(context: click.Context, options: tuple[str, ...], config: str | None) -> None:
    """Run the proxy with mitmweb, to look at requests in a browser.

    Its page (http://127.0.0.1:8081 unless --web-port says otherwise) shows the rule and the token source of
    each flow, and no token. All options of mitmweb can follow (-p PORT, --web-port PORT, --set …), with their
    usual meaning; `mitmweb --help` explains them.
    """
    from clientcreds_proxy.proxy.serving import web as proxy  # noqa: PLC0415 - mitmproxy takes a while to import

    _run(context, proxy.serve_web, options, config)


def _run(
    context: click.Context, run: Callable[[Sequence[str]], None], options: tuple[str, ...], config: str | None
) -> None:
    if "-h" in options:
        click.echo(context.get_help())
        return
    named = config or context.obj
    arguments = [*(["--set", f"clientcreds_config={named}"] if named else []), *options]
    name = f"clientcreds {context.info_name}"
    sys.argv = [name, *arguments]  # mitmproxy's messages begin with it
    from clientcreds_proxy.proxy.serving.serve import WrongUsage  # noqa: PLC0415 - as above

    try:
        run(arguments)
    except WrongUsage as error:
        raise click.UsageError(str(error), context) from error
    except ClientcredsError as error:
        click.echo(error, err=True)
        sys.exit(1)

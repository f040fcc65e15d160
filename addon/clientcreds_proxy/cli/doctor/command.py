"""The command: asks for the findings and prints them."""

import asyncio
import json
import os
import sys
from dataclasses import asdict

import click

from clientcreds_proxy.cli.ca import confdir_option
from clientcreds_proxy.cli.doctor.examine import Asked, examine
from clientcreds_proxy.cli.doctor.finding import Finding, State
from clientcreds_proxy.cli.options import config_option, json_option

_EPILOG = """
\b
Examples:
  clientcreds doctor
  clientcreds doctor --config team.yaml --port 9000
  clientcreds doctor --set ssl_verify_upstream_trusted_ca=corp.pem     as for serve
  clientcreds doctor --json | jq '.[] | select(.state == "fail")'

\b
Exit codes:
  0  every line is ok
  1  a line is not: below it stands what mends it
  2  wrong usage
"""
_MARKS: dict[State, str] = {"ok": "ok", "fail": "FAIL", "left out": "--"}


@click.command(epilog=_EPILOG, short_help="Say what is wrong, and what mends it.")
@click.option("--port", type=click.IntRange(1, 65535), help="The proxy's port. Default: mitmproxy's, 8080.")
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="An option of mitmproxy.")
@confdir_option
@json_option
@config_option
@click.pass_obj
def doctor(  # noqa: PLR0913 - click gives an argument for each option
    before: str | None,
    *,
    port: int | None,
    settings: tuple[str, ...],
    confdir: str | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Look at every link from the configuration to the API, and say what mends the broken ones.

    Token servers are asked for a token each, APIs for a GET through the proxy: the one that runs with this
    configuration, else one for this purpose. What depends on a broken link is left out (--): the first FAIL
    is the cause.
    """
    asked = Asked(
        config=config or before, port=port, confdir=confdir, settings=settings, environ=dict(os.environ)
    )
    found = asyncio.run(_examined(asked, quiet=as_json))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False))
    sys.exit(1 if any(each.state == "fail" for each in found) else 0)


async def _examined(asked: Asked, *, quiet: bool) -> list[Finding]:
    found = []
    async for finding in examine(asked):
        found.append(finding)
        if not quiet:
            click.echo(line_of(finding))
    return found


def line_of(finding: Finding) -> str:
    """For people: a mark, the check, what was found; below it what mends it."""
    line = f"{_MARKS[finding.state]:<5} {finding.check:<10} {finding.what}"
    return line if finding.mend is None else f"{line}\n      {'mend:':<10} {finding.mend}"

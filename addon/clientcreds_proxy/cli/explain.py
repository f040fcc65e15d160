"""`clientcreds explain METHOD URL`: what the proxy would do with a request, and why."""

import json
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click

from clientcreds_proxy.cli.explained import as_json_object, lines
from clientcreds_proxy.cli.options import config_option, json_option, named_config, one_message
from clientcreds_proxy.rules.url import parse_url

if TYPE_CHECKING:
    from clientcreds_proxy.rules.url import Url

_EPILOG = """
\b
Examples:
  clientcreds explain GET https://api.example.com/v2/orders
  clientcreds explain POST http://localhost:8000/orders --header 'Origin: https://other.example'
  clientcreds explain GET https://api.example.com/ --client 10.1.2.3 --client user:alice
  clientcreds explain GET https://api.example.com/ --json | jq .reason

\b
Exit codes:
  0  the request would pass
  1  it would be refused, or the configuration can't be used
  2  wrong usage: a URL or a header that no client could send
"""


@click.command(epilog=_EPILOG, short_help="Say which rule wins a request, and what it does.")
@click.argument("method")
@click.argument("url")
@click.option("--header", "headers", multiple=True, metavar="'N: V'", help="A header that the client sends.")
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="ADDRESS",
    help="Where the client is (127.0.0.1), or user:NAME for a user of mitmproxy's proxyauth.",
)
@json_option
@config_option
@click.pass_context
def explain(  # noqa: PLR0913 - click hands over each option
    context: click.Context,
    *,
    method: str,
    url: str,
    headers: tuple[str, ...],
    clients: tuple[str, ...],
    as_json: bool,
    config: str | None,
) -> None:
    """Explain which rule wins a request, and what it would attach, change or refuse.

    The code that decides in the proxy decides here, about a request through it (for https inside a tunnel)
    whose client adds no headers of its own but Host. Nothing is sent, and no token is fetched. Secrets are
    shown as ***.
    """
    if method == "CONNECT":
        raise click.UsageError("CONNECT opens the tunnel for an https URL: explain the request inside it")
    where = _url(url)
    address, user = _client(clients)
    # mitmproxy takes a while to import
    from clientcreds_proxy.proxy.explaining.ask import ask  # noqa: PLC0415
    from clientcreds_proxy.proxy.explaining.imagined import Imagined, NotARequest  # noqa: PLC0415

    imagined = Imagined(
        method=method,
        url=where,
        headers=tuple(_headers(headers)),
        client_address=address,
        client_user=user,
    )
    try:
        with one_message():
            found = ask(named_config(context, config), imagined)
    except NotARequest as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(as_json_object(imagined, found), indent=2, ensure_ascii=False))
    else:
        for line in lines(imagined, found):
            click.echo(line)
    sys.exit(1 if found.outcome == "refused" else 0)


def _url(text: str) -> "Url":
    try:
        return parse_url(text)
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no URL that a client could call: {error}") from error


def _headers(texts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, colon, value = text.partition(":")
        if not colon or not name or not text.isprintable() or name != name.strip():
            raise click.UsageError(f"{text!r} is no header; expected 'Name: value'")
        yield name, value.strip()


def _client(texts: tuple[str, ...]) -> tuple[str, str | None]:
    address, user = "127.0.0.1", None
    for text in texts:
        if text.startswith("user:") and text != "user:":
            user = text.removeprefix("user:")
            continue
        try:
            address = str(ip_address(text))
        except ValueError:
            raise click.UsageError(f"{text!r} is no client; expected 127.0.0.1, ::1 or user:alice") from None
    return address, user

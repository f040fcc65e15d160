"""`clientcreds ca`: what clients must trust, as each of them takes it."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from clientcreds_proxy.cli.clients import trust
from clientcreds_proxy.cli.options import Decorator, unused_config_option
from clientcreds_proxy.errors import ClientcredsError

_EPILOG = """
\b
Examples:
  clientcreds ca path
  curl --cacert "$(clientcreds ca path)" --proxy http://127.0.0.1:8080 https://api.example.com/
  clientcreds ca bundle -o bundle.pem      for SSL_CERT_FILE, REQUESTS_CA_BUNDLE and the like
  clientcreds ca java -o truststore.p12    for -Djavax.net.ssl.trustStore

\b
Exit codes:
  0  ok
  1  a file could not be read or written
  2  wrong usage
"""

confdir_option: Decorator = click.option(
    "--confdir", metavar="DIR", help="mitmproxy's folder, which holds its CA. Default: ~/.mitmproxy."
)
output_option: Decorator = click.option("-o", "--output", metavar="FILE", help="Write to this file.")


def or_exit[T](step: Callable[[], T]) -> T:
    """What `step` gives, or exit code 1 and the reason why files could not be read or written."""
    try:
        return step()
    except OSError as error:
        click.echo(f"clientcreds: {error.filename or 'a file'}: {error.strerror or error}", err=True)
    except ClientcredsError as error:
        click.echo(f"clientcreds: {error}; --confdir DIR names another folder", err=True)
    sys.exit(1)


def certificate(confdir: str | None) -> Path:
    """The CA's certificate; made where there is none."""
    from clientcreds_proxy.proxy.serving.authority import ca_certificate  # noqa: PLC0415 - mitmproxy is slow to import

    return or_exit(lambda: ca_certificate(confdir))


def bundle(confdir: str | None) -> trust.Bundle:
    """What was trusted before, and the CA; what could not be read is said."""
    path = certificate(confdir)
    found = or_exit(lambda: trust.bundle(path, os.environ))
    for warning in found.unreadable:
        click.echo(f"clientcreds: warning: {warning}", err=True)
    return found


@click.group(epilog=_EPILOG, short_help="Show the CA that clients must trust.")
@unused_config_option
def ca() -> None:
    """Show what clients must trust: the CA that signs for ruled hosts.

    It is mitmproxy's, made on this machine when it is first needed, and its key never leaves it.
    """


@ca.command("path", epilog=_EPILOG)
@confdir_option
@unused_config_option
def path(confdir: str | None) -> None:
    """Print where the CA's certificate is (PEM)."""
    click.echo(certificate(confdir))


@ca.command("bundle", epilog=_EPILOG, short_help="Print it with all that is trusted already (PEM).")
@output_option
@confdir_option
@unused_config_option
def bundle_(output: str | None, confdir: str | None) -> None:
    """Print a bundle (PEM): the system's CAs, those of the user's own variables, and the proxy's.

    Variables such as SSL_CERT_FILE replace what a client trusts, so they need all of them.
    """
    found = bundle(confdir)
    if output:
        or_exit(lambda: trust.write_whole(Path(output), found.pem.encode()))
        click.echo(f"{output}: {len(found.certificates)} certificates", err=True)
    else:
        click.echo(found.pem, nl=False)


@ca.command("java", epilog=_EPILOG, short_help="Write a trust store for Java (PKCS#12).")
@output_option
@confdir_option
@unused_config_option
def java(output: str | None, confdir: str | None) -> None:
    """Write the same as a trust store for Java (PKCS#12), and say how to use it."""
    if output is None and sys.stdout.isatty():
        raise click.UsageError("a trust store is no text: name a file with -o FILE, or redirect")
    content = trust.truststore(bundle(confdir).certificates)
    if output:
        or_exit(lambda: trust.write_whole(Path(output), content))
    else:
        click.echo(content, nl=False)
    where = Path(output).absolute() if output else "FILE"
    password = trust.TRUSTSTORE_PASSWORD
    click.echo(
        f"java -Djavax.net.ssl.trustStore={where} -Djavax.net.ssl.trustStoreType=PKCS12"
        f" -Djavax.net.ssl.trustStorePassword={password} …   (the password is {password})",
        err=True,
    )

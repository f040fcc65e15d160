"""`clientcreds schema`."""

import click

from clientcreds_proxy.cli.options import unused_config_option
from clientcreds_proxy.config.keys.schema import schema_text

_EPILOG = """
\b
Examples:
  clientcreds schema > schema.json
With this as a configuration's first line, editors complete and check it:
  # yaml-language-server: $schema=./schema.json

\b
Exit codes:
  0  ok
  1  it could not be written
  2  wrong usage
"""


@click.command(epilog=_EPILOG, short_help="Print the JSON Schema of the configuration.")
@unused_config_option
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    click.echo(schema_text(), nl=False)

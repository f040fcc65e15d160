"""`clientcreds schema`."""

import click

from clientcreds_proxy.config.schema import schema_text

_EPILOG = """
\b
Examples:
  clientcreds schema > schema.json
With this as a configuration's first line, editors complete and check it:
  # yaml-language-server: $schema=./schema.json
"""


@click.command(epilog=_EPILOG, short_help="Print the JSON Schema of the configuration.")
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    click.echo(schema_text(), nl=False)

"""Options that several commands share."""

from collections.abc import Callable

import click

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

config_option: Decorator = click.option(
    "--config",
    "config",
    metavar="FILE",
    help="The configuration file. Default: $CLIENTCREDS_CONFIG, clientcreds.yaml, config/rules.yaml.",
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")

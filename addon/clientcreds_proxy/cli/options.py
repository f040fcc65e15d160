"""Options that several commands share."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from clientcreds_proxy.config.find import find
from clientcreds_proxy.errors import ConfigError

Decorator = Callable[[Callable[..., None]], Callable[..., None]]

config_option: Decorator = click.option(
    "--config",
    "config",
    metavar="FILE",
    help="The configuration file. Default: $CLIENTCREDS_CONFIG, clientcreds.yaml, config/rules.yaml.",
)
unused_config_option: Decorator = click.option(
    "--config", metavar="FILE", expose_value=False, help="Taken as by the other commands, and not read."
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def named_config(context: click.Context, config: str | None) -> Path:
    """The configuration file that this call means; raises a `ConfigError` where there is none."""
    return find(config or context.obj, environ=os.environ)


@contextmanager
def one_message() -> Iterator[None]:
    """Print every problem of a configuration that can't be used, and exit with 1."""
    try:
        yield
    except ConfigError as error:
        click.echo(error, err=True)
        sys.exit(1)

"""Names out of the configuration, for shells that complete them."""

import click
from click.shell_completion import CompletionItem

from clientcreds_proxy.cli.options import named_config
from clientcreds_proxy.config.names import source_names
from clientcreds_proxy.errors import ConfigError


def complete_source(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """The token sources whose name begins like this; none where the file can't be used."""
    before = context.parent.params.get("config") if context.parent else None
    try:
        path = named_config(context, context.params.get("config") or before)
    except ConfigError:
        return []
    return [CompletionItem(name) for name in source_names(path) if name.startswith(begun)]

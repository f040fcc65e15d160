"""`clientcreds completion SHELL`."""

import click
from click.shell_completion import get_completion_class

from clientcreds_proxy.cli.options import unused_config_option

_EPILOG = """
\b
Examples:
  eval "$(clientcreds completion bash)"     in ~/.bashrc
  eval "$(clientcreds completion zsh)"      in ~/.zshrc, after compinit
  clientcreds completion fish > ~/.config/fish/completions/clientcreds.fish

\b
Exit codes:
  0  ok
  2  wrong usage
"""
VARIABLE = "_CLIENTCREDS_COMPLETE"  # click's own name for it


@click.command(epilog=_EPILOG, short_help="Print the completion for bash, zsh or fish.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@unused_config_option
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a shell's completion of commands, options and token sources.

    Names of token sources come from the configuration that the command would use.
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(made(context.find_root().command, {}, "clientcreds", VARIABLE).source())

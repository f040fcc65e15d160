"""The command in this process."""

from collections.abc import Mapping

from click.testing import CliRunner, Result

from clientcreds_proxy.cli.main import commands


def run(*arguments: str, environ: Mapping[str, str | None] | None = None, typed: str | None = None) -> Result:
    """What `clientcreds ARGUMENTS` does; `typed` is what it reads from stdin, which is no terminal."""
    return CliRunner().invoke(commands, arguments, env=environ, input=typed)

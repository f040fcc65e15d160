"""The environment without the configuration's secrets. Pure: the environment is given.

Not a wall: a process of the same user can read the file, the proxy's memory and its environment.
"""

import re
from collections.abc import Iterable, Mapping

from clientcreds_proxy.config.load import Config

# What a reference may name, and no program can do without.
_NEEDED = re.compile(
    r"HOME|PATH|USER|LOGNAME|SHELL|PWD|OLDPWD|TERM|LANG|LC_\w+|TZ|TMPDIR|HOSTNAME|DISPLAY|XDG_\w+"
)
_SHORTEST = 4  # a shorter "secret" equals too much that is none: `1`, `yes`
_SHORTEST_PART = 8
_SHORTEST_VALUE = 16


def without_secrets(
    environ: Mapping[str, str], variables: Iterable[str], config: Config | None
) -> dict[str, str]:
    """`environ` without the variables that references name, and without those that hold a secret besides.

    That is a client secret, also as a part of something longer (a URL, a list), or another value that a
    reference gave, if it is long enough to be a secret.
    """
    named = {name for name in variables if not _NEEDED.fullmatch(name)}
    secrets, values = _secrets(config) if config else (set(), set())

    def is_open(name: str, value: str) -> bool:
        if name in named:
            return False
        if _NEEDED.fullmatch(name):
            return True
        parts = (secret for secret in secrets if len(secret) >= _SHORTEST_PART)
        return value not in secrets and value not in values and not any(part in value for part in parts)

    return {name: value for name, value in environ.items() if is_open(name, value)}


def _secrets(config: Config) -> tuple[set[str], set[str]]:
    clients = {secret.reveal() for source in config.sources.values() for secret in source.client_secrets}
    values = {value.reveal() for value in config.secrets}
    return (
        {secret for secret in clients if len(secret) >= _SHORTEST},
        {value for value in values if len(value) >= _SHORTEST_VALUE},
    )

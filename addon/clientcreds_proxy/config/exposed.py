"""Files of secrets and keys that others than their owner can read."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from clientcreds_proxy.config.building.pem import PEM_MARK
from clientcreds_proxy.config.reading.lookup import exposed, mode_of
from clientcreds_proxy.config.reading.yaml import Keys

# Below these keys of the file a reference names a secret; elsewhere (`ca`, `client_id`) it does not.
SECRETS = frozenset(
    {"client_secret", "key", "passphrase", "password", "secret", "proxy"}
    | {"api_headers", "endpoint_params", "headers", "modifiers"}
)
_WITH_KEYS = ("tls", "assertion")  # their `key` is PEM text or a path


def exposed_files(
    value: object, referenced: Mapping[Keys, str], directory: Path
) -> Iterator[tuple[Keys, str]]:
    """Where such a file is named, and what is to be said about it.

    `value` holds what a file says, its references resolved; `referenced`: what was found about theirs.
    """
    for path, said in referenced.items():
        if SECRETS.intersection(key for key in path if isinstance(key, str)):
            yield path, said
    for path, name in _key_files(value, ()):
        found = exposed(mode_of(directory / name))
        if found and path not in referenced:
            yield path, found


def _key_files(value: object, path: Keys) -> Iterator[tuple[Keys, str]]:
    members: Iterator[tuple[str | int, object]]
    if isinstance(value, dict):
        members = iter(value.items())
    elif isinstance(value, list):
        members = iter(enumerate(value))
    else:
        return
    for key, member in members:
        inside = (*path, key)
        if key == "key" and path and path[-1] in _WITH_KEYS and _is_path(member):
            yield inside, str(member)
        yield from _key_files(member, inside)


def _is_path(value: object) -> bool:
    return isinstance(value, str) and PEM_MARK not in value and not value.lstrip().startswith("{")

"""Secrets that stand in the file itself, where a reference would keep them out of it."""

from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from clientcreds_proxy.config.building.pem import PEM_MARK
from clientcreds_proxy.config.reading.yaml import Keys

_SECRETS = frozenset({"client_secret", "passphrase", "password", "secret"})
_WITH_KEYS = ("tls", "assertion")
_OTHER_NAMES = ("match", "modifiers", "forward_headers")  # below these, names are the API's

_SECRET = "the secret stands in this file; use ${env:NAME}, ${file:PATH} or ${cmd:PROGRAM}"
_KEY = "the key stands in this file; use its path, ${env:NAME} or ${file:PATH}"
_PASSWORD = "the password stands in this file; use ${env:NAME} or ${file:PATH} in its place"


def literal_secrets(value: object, referenced: Collection[Keys]) -> Iterator[tuple[Keys, str]]:
    """Where there are such, and what is to be said about it.

    `value` holds what a file says; `referenced` is where references stand in it.
    """
    return (found for found in _walk(value, ()) if found[0] not in referenced)


def _walk(value: object, path: Keys) -> Iterator[tuple[Keys, str]]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key not in _OTHER_NAMES:
                yield from _walk(member, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))
    elif isinstance(value, str) and value and (said := _said(value, path)):
        yield path, said


def _said(value: str, path: Keys) -> str | None:
    *before, name = ("", *(key for key in path if isinstance(key, str)))
    if name in _SECRETS and before[-1:] != ["token_sources"]:
        return _SECRET
    if name == "key" and before[-1] in _WITH_KEYS:
        return _KEY if PEM_MARK in value or value.lstrip().startswith("{") else None
    return _PASSWORD if name == "proxy" and _has_password(value) else None


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False

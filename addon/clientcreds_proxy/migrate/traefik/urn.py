"""How Traefik names a key of a Kubernetes secret. Its own example misspells it, so files do, too."""

import base64
import binascii
import re

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Value
from clientcreds_proxy.migrate.url import url

Secrets = dict[tuple[str, str, str], str]  # namespace, name and key -> value

_START = "urn:k8s:"
_RIGHT = re.compile(r"urn:k8s:secret:(?P<name>[A-Za-z0-9.-]+):(?P<key>[\w.-]+)", re.ASCII)
_MISSPELT = re.compile(r"urn:k8s:(?P<name>[A-Za-z0-9.-]+):(?P=name):(?P<key>[\w.-]+)", re.ASCII)


def value(at: At, draft: Draft, known: Secrets, namespace: str, *hint: str) -> Value:
    """A text that may be a reference; with a `hint` it is secret, and a variable stands for it."""
    text = at.text()
    if not text.lower().startswith(_START):
        return draft.vault.keep(text, at, *hint) if hint and text else url(text, at, draft)
    found = _RIGHT.fullmatch(text)
    if found is None:
        found = _MISSPELT.fullmatch(text)
        if found is None:
            at.lost("no reference that Traefik knows; expected urn:k8s:secret:NAME:KEY")
            return draft.vault.ask(at.where, *(hint or ("value",)))
        at.note("misspelt, as in Traefik's own example: carried over as urn:k8s:secret:NAME:KEY")
    name, key = found["name"], found["key"]
    content = known.get((namespace, name, key))
    if content is None and any(other[:2] == (namespace, name) for other in known):
        at.note("the secret is in this file, and has no such key")
    return draft.vault.mount(name, key, content, secret=bool(hint))


def contents(secret: At) -> dict[str, str]:
    """The keys of a Secret with their values, as far as they are text."""
    found = {key: at.value for key, at in secret.at("stringData").members() if isinstance(at.value, str)}
    for key, at in secret.at("data").members():
        if isinstance(at.value, str) and key not in found:
            try:
                found[key] = base64.b64decode(at.value, validate=True).decode()
            except (binascii.Error, ValueError):
                at.note("no base64 of a text")
    return found

"""Texts of a Kong file: secrets stand there in full, in deck's environment, or in one of Kong's vaults."""

import re

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Value
from clientcreds_proxy.migrate.url import url
from clientcreds_proxy.migrate.vault import Reference

_DECK = re.compile(r"""\$?\{\{\s*env\s+(?:"(?P<quoted>\w+)"|'(?P<single>\w+)'|`(?P<raw>\w+)`)[^{}]*\}\}""")
_VAULT = re.compile(r"\{vault://(?P<vault>[^/{}?]+)/(?P<name>[^/{}?]+)(?P<rest>[^{}]*)\}")


def value(at: At, draft: Draft, *hint: str) -> Value:
    """A text; with a `hint` it is secret, and a reference stands for it. Empty where there is none."""
    text = at.text()
    vault = _VAULT.fullmatch(text.strip())
    if vault:
        return _from_vault(vault, at, draft, hint)
    if _DECK.search(text):
        return _from_deck(text, at, draft)
    return draft.vault.keep(text, at, *hint) if hint and text else url(text, at, draft)


def values(at: At, draft: Draft, otherwise: list[Value]) -> list[Value]:
    """The texts of a list; `otherwise` where there is none."""
    return [value(item, draft) for item in at.items()] if at.given else otherwise


def _from_deck(text: str, at: At, draft: Draft) -> Reference:
    """What deck takes from the environment is a reference to the same variable."""

    def variable(found: re.Match[str]) -> str:
        return draft.vault.variable(found["quoted"] or found["single"] or found["raw"], at).text

    parts: list[str] = []
    end = 0
    for found in _DECK.finditer(text):
        parts += [text[end : found.start()].replace("${", "$${"), variable(found)]
        end = found.end()
    return Reference(text="".join([*parts, text[end:].replace("${", "$${")]))


def _from_vault(found: re.Match[str], at: At, draft: Draft, hint: tuple[str, ...]) -> Reference:
    name = re.sub(r"\W", "_", found["name"], flags=re.ASCII).upper()
    if found["vault"] == "env" and not found["rest"]:
        return draft.vault.variable(name, at)
    at.note(
        "a secret of one of Kong's vaults: set the variable to it, or use ${cmd:…} with the vault's own tool"
    )
    return draft.vault.ask(at.where, *(hint or ("vault", name)))

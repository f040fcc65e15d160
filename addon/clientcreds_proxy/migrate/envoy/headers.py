"""Headers that a route, its virtual host and its configuration add and remove, as modifiers."""

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Value
from clientcreds_proxy.migrate.envoy.field import field
from clientcreds_proxy.migrate.vault import looks_secret

_MODIFIERS = {
    "": "header.Append",
    "APPEND_IF_EXISTS_OR_ADD": "header.Append",
    "OVERWRITE_IF_EXISTS_OR_ADD": "header.Modifier",
}


def modifiers(levels: list[At], draft: Draft) -> list[Value]:
    """Those of a route, its virtual host and its configuration, in Envoy's order: first it removes."""
    found: list[Value] = []
    for phase in ("request", "response"):
        for level in levels:
            names: list[Value] = list(field(level, f"{phase}_headers_to_remove").texts())
            if names:
                found.append({"header.Blacklist": {"scope": [phase], "names": names}})
            entries = field(level, f"{phase}_headers_to_add").items()
            made = (_added(entry, phase, draft) for entry in entries)
            found += [each for each in made if each is not None]
    return found


def _added(entry: At, phase: str, draft: Draft) -> Value:
    name, value = entry.at("header").at("key").text(), entry.at("header").at("value")
    action = field(entry, "append_action").text()
    if entry.at("append").given and not entry.at("append").flag():
        action = "OVERWRITE_IF_EXISTS_OR_ADD"
    if action not in _MODIFIERS or "%" in value.text() or not value.given:
        entry.lost("no modifier says the same: a condition, or a value that is made of the request")
        return None
    text = value.text()
    if text and looks_secret(name, text):
        draft.vault.keep(text, value, name)
    return {_MODIFIERS[action]: {"scope": [phase], "name": name, "value": text}}

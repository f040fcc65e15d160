"""`request_headers_to_add` and `request_headers_to_remove` of a route, as modifiers."""

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
    """Those of a route, its virtual host and its configuration, in Envoy's order."""
    found: list[Value] = []
    for level in levels:
        for entry in field(level, "request_headers_to_add").items():
            made = _added(entry, draft)
            if made is not None:
                found.append(made)
        names: list[Value] = list(field(level, "request_headers_to_remove").texts())
        if names:
            found.append({"header.Blacklist": {"scope": ["request"], "names": names}})
    return found


def _added(entry: At, draft: Draft) -> Value:
    name, value = entry.at("header").at("key").text(), entry.at("header").at("value")
    action = field(entry, "append_action").text()
    if entry.at("append").given and not entry.at("append").flag():
        action = "OVERWRITE_IF_EXISTS_OR_ADD"
    if action not in _MODIFIERS or "%" in value.text():
        entry.lost("no modifier says the same: a condition, or a value that is made of the request")
        return None
    text = value.text()
    if looks_secret(name) and text:
        draft.vault.keep(text, value, name)
    return {_MODIFIERS[action]: {"scope": ["request"], "name": name, "value": text}}

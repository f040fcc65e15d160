"""The JSON Schema of the configuration file, for completion and checks in editors."""

import json

from clientcreds_proxy.config.keys.model import MainFile


def schema_text() -> str:
    """The schema as JSON text, ready to be written to `config/schema.json`."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **MainFile.model_json_schema(),
        "title": "clientcreds configuration",
    }
    return json.dumps(_tidy(schema), indent=2, ensure_ascii=False) + "\n"


def _tidy(node: object, *, is_names: bool = False) -> object:
    """`node` on one line per description, without pydantic's titles and the defaults that mean "absent"."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return " ".join(node.split()) if isinstance(node, str) and "\n" in node else node
    return {
        key: _tidy(value, is_names=key in ("properties", "$defs"))
        for key, value in node.items()
        if is_names or not _is_noise(key, value)
    }


def _is_noise(key: str, value: object) -> bool:
    return (key == "title" and value != "clientcreds configuration") or (
        key == "default" and (value in ("", []) or isinstance(value, dict))
    )

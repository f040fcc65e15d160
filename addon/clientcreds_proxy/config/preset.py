"""Presets: what a token source needs at a provider that many use, as data in `presets/`.

Each file holds `provider` (its name), `source` (keys of a token source; `{client_id}` in a text is the
source's own), `wants` (keys only the user knows, dotted, and what they are), and, where `source` has no
`token_url`, what one looks like as `token_url`. There is no code for any provider.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.reading.yaml import parse

_FOLDER = Path(__file__).with_name("presets")
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One provider."""

    provider: str
    url: str  # of its token endpoint, with capitals for what differs
    wants: Mapping[str, str]
    source: Mapping[str, Any]


@cache
def preset(name: str) -> Preset:
    """The preset of one of `NAMES`."""
    found: Any = parse((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")).value()
    url = found.get("token_url") or found["source"]["token_url"]
    return Preset(provider=found["provider"], url=url, wants=found["wants"], source=found["source"])


def filled(value: object, place: Place) -> object:
    """A token source's keys, with what its preset says where they say nothing themselves.

    Notes where the source then has no client or token endpoint, and lacks what only the user can know. What
    is no token source, or names no preset that there is, stays as it is: its check says so.
    """
    if not isinstance(value, dict):
        return value
    _check_client(value, place)
    name = value.get("preset")
    if name is None:
        _check_endpoint(value, place, "is required, unless issuer is given")
        return value
    if name not in NAMES:
        return value
    chosen = preset(name)
    source = _for_client(chosen.source, value.get("client_id"))
    _check_caller(value, chosen, place)
    if "issuer" in value:
        source.pop("token_url", None)  # the user's own word for where tokens come from
    keys = _merged(source, value)
    _check_endpoint(
        keys, place, f"is required with preset {name}, unless issuer is given; it looks like {chosen.url}"
    )
    for key, what in chosen.wants.items():
        if not _has(keys, key):
            place.warn(f"preset {name} wants {key}: {what}")
    return keys


def _check_client(keys: Mapping[str, object], place: Place) -> None:
    if "client_id" not in keys and "caller" not in keys:
        place.at("client_id").problem("is required")


def _check_caller(keys: Mapping[str, object], chosen: Preset, place: Place) -> None:
    if "caller" in keys and _for_client(chosen.source, "") != chosen.source:
        place.at("caller").problem(f"{chosen.provider} wants the source's client id with each request")


def _check_endpoint(keys: Mapping[str, object], place: Place, message: str) -> None:
    if "token_url" not in keys and "issuer" not in keys:
        place.at("token_url").problem(message)


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Both, key by key at every depth; `own` wins, and its lists stand for themselves."""
    both = dict(base)
    for key, value in own.items():
        below = base.get(key)
        both[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both


def _for_client(value: Any, client_id: object) -> Any:
    if isinstance(value, dict):
        return {key: _for_client(member, client_id) for key, member in value.items()}
    if isinstance(value, str) and isinstance(client_id, str):
        return value.replace("{client_id}", client_id)
    return value


def _has(keys: Mapping[str, Any], dotted: str) -> bool:
    at: Any = keys
    for key in dotted.split("."):
        at = at.get(key) if isinstance(at, dict) else None
    return at not in (None, "", [])

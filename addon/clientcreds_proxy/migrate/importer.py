"""A gateway's file in, one of ours out, with what is to be said about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from clientcreds_proxy.errors import Problem
from clientcreds_proxy.migrate.arrange import arrange
from clientcreds_proxy.migrate.draft import Draft
from clientcreds_proxy.migrate.envoy.reader import read_envoy
from clientcreds_proxy.migrate.kong.reader import read_kong
from clientcreds_proxy.migrate.krakend.reader import read_krakend
from clientcreds_proxy.migrate.notes import Notes
from clientcreds_proxy.migrate.prove import prove
from clientcreds_proxy.migrate.traefik.reader import read_traefik
from clientcreds_proxy.migrate.write import write

Gateway = Literal["krakend", "traefik", "kong", "envoy"]
READERS: Mapping[Gateway, Callable[[str, Draft], None]] = {
    "krakend": read_krakend,
    "traefik": read_traefik,
    "kong": read_kong,
    "envoy": read_envoy,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A configuration that `check` accepts."""

    config: str
    lost: tuple[Problem, ...]  # what was not carried over
    notes: tuple[Problem, ...]  # what was, and is to be looked at
    variables: tuple[str, ...]  # of the environment, to be set
    mounted: tuple[str, ...]  # NAME/KEY of Kubernetes' secrets, to be mounted


def convert(gateway: Gateway, text: str, file: str) -> Imported:
    """What the gateway's file `file`, whose text this is, becomes; ConfigError where it can't be read."""
    notes = Notes(file)
    draft = Draft(notes)
    READERS[gateway](text, draft)

    def render() -> str:
        arrange(draft)
        draft.finish()
        return write(draft, gateway=gateway, file=file)

    made = prove(draft, render)
    return Imported(
        config=made,
        lost=notes.of("lost"),
        notes=notes.of("note"),
        variables=tuple(draft.vault.variables),
        mounted=tuple(f"{name}/{key}" for name, key in draft.vault.mounted),
    )

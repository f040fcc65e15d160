"""The environment that `clientcreds run` gives to its command, and the files that belong to it."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clientcreds_proxy.cli.clients import no_proxy, table, trust
from clientcreds_proxy.cli.clients.keep_secret import without_secrets
from clientcreds_proxy.config.load import Config
from clientcreds_proxy.observe import runtime
from clientcreds_proxy.rules.model import Rule

_FOLDER = "run-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What there is to know of the configuration: all of it, or what could be read without its secrets."""

    rules: tuple[Rule, ...] = ()
    variables: tuple[str, ...] = ()
    config: Config | None = None


@contextmanager
def environment(
    proxy: table.Address, known: Known, *, ca: Path, warn: Callable[[str], None]
) -> Iterator[dict[str, str]]:
    """This process's environment, led to the proxy and without secrets; its files are removed at the end."""
    own = without_secrets(os.environ, known.variables, known.config)
    bundle = trust.bundle(ca, own)
    hidden = no_proxy.completed(no_proxy.entries(own), loopback_is_ruled=no_proxy.rules_loopback(known.rules))
    for text in bundle.unreadable:
        warn(text)
    for entry, rule in no_proxy.hidden_rules(hidden, known.rules):
        warn(f"{entry} in NO_PROXY hides the host of rule {rule}: requests to it get no token")
    with _folder() as folder:
        files = trust.write_files(folder, bundle, own)
        yield {**own, **table.variables(proxy, files, hidden=hidden, own=own)}


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for this process, in the user's runtime directory."""
    place = runtime.place()
    runtime.prepare(place)
    _sweep(place)
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(place: Path) -> None:
    """Remove what is left of those that were killed."""
    for folder in place.glob(f"{_FOLDER}*-*"):
        pid = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if pid.isdigit() and not runtime.is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)

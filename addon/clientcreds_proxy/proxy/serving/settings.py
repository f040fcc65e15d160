"""mitmproxy's options as a proxy of ours would have them: its config.yaml, then `--set`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import certifi
from mitmproxy import exceptions, optmanager
from mitmproxy.options import Options

from clientcreds_proxy.proxy.serving.start import StartError

DEFAULT_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides about the ways from and to the proxy."""

    confdir: str
    port: int
    trusted_ca: Path  # whose certificates it takes from APIs
    verifies: bool  # whether it looks at them at all
    goes_direct: bool  # not through another proxy


def read(confdir: str | None, settings: Sequence[str]) -> Settings:
    """Raises a `StartError` where mitmproxy would not take them."""
    options = Options()
    folder = Path(confdir or options.confdir).expanduser()
    try:
        optmanager.load_paths(options, *(folder / name for name in ("config.yaml", "config.yml")))
        options.set(*settings, defer=True)
    except (exceptions.OptionsError, KeyError) as error:
        raise StartError(f"clientcreds: {error}") from error
    trusted = options.ssl_verify_upstream_trusted_ca
    return Settings(
        confdir=str(folder),
        port=options.listen_port or DEFAULT_PORT,
        trusted_ca=Path(trusted).expanduser() if trusted else Path(certifi.where()),
        verifies=not options.ssl_insecure,
        goes_direct=not any(str(mode).startswith("upstream:") for mode in options.mode),
    )

"""What all checks look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clientcreds_proxy.cli.clients.table import Address
from clientcreds_proxy.config.load import Config
from clientcreds_proxy.observe.runtime import Running


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What mitmproxy's options say, from its config.yaml and from --set."""

    confdir: str | None
    settings: tuple[str, ...]  # NAME=VALUE
    port: int  # that the proxy listens on, or would
    trusted_ca: Path  # whose certificates the proxy takes from APIs
    verifies: bool  # whether it looks at them at all
    goes_direct: bool  # not through another proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A configuration that can be used, and this machine."""

    path: Path
    config: Config
    around: Surroundings
    environ: Mapping[str, str]
    running: tuple[Running, ...]  # proxies of this user

    @property
    def mine(self) -> Running | None:
        """The running proxy that has this configuration."""
        own = str(self.path.absolute())
        return next((each for each in self.running if each.config == own and each.ports), None)

    @property
    def proxy(self) -> Address:
        """Where clients are to be led."""
        return Address(port=self.mine.ports[0] if self.mine else self.around.port)

    @property
    def named(self) -> str:
        """` --config FILE`, for commands."""
        return f" --config {self.path}"

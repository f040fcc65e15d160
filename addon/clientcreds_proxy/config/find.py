"""Which file is the configuration: the same answer for the command line and for the mitmproxy option."""

from collections.abc import Mapping
from pathlib import Path

from clientcreds_proxy.errors import ConfigError, Problem

VARIABLE = "CLIENTCREDS_CONFIG"
LOCAL = Path("clientcreds.yaml")


def find(given: str | None, *, environ: Mapping[str, str], checkout: Path | None = None) -> Path:
    """The file to load: `given`, `$CLIENTCREDS_CONFIG`, `clientcreds.yaml` here, or the checkout's.

    The last two must be there: ConfigError where neither is. `checkout` is for tests.
    """
    named = given or environ.get(VARIABLE)
    if named:
        return Path(named)
    if LOCAL.exists():
        return LOCAL
    rules = (checkout or _checkout()) / "config" / "rules.yaml"
    if rules.exists():
        return rules
    message = (
        f"no configuration found; expected it here, in config/rules.yaml, or named by ${VARIABLE}: "
        f"`clientcreds init -o {LOCAL}` writes one"
    )
    raise ConfigError([Problem(file=str(LOCAL), line=1, column=1, path="", message=message)])


def _checkout() -> Path:
    """The folder that holds `addon/clientcreds_proxy`. In an installation it has no `config/rules.yaml`."""
    return Path(__file__).resolve().parents[3]

"""What each client must be told to go through the proxy and to trust it: a table of environment variables.

Which client reads which of them was measured, and is in docs/clients.md. Nothing here reads a file or the
environment: both are given.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clientcreds_proxy.cli.clients import no_proxy

# These replace a client's own trust store (the last one adds to it). OpenSSL's own comes first: Go, urllib,
# httpx and .NET read it.
CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)
_JAVA_OPTION = re.compile(r"(?:[^\s'\"]|'[^']*'|\"[^\"]*\")+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the variables lead to."""

    bundle: Path  # PEM: what the machine trusts, what the user's variables added, and our CA
    truststore: Path  # the same for Java (PKCS#12)
    truststore_password: str
    wgetrc: Path
    node_shim: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the proxy listens."""

    host: str = "127.0.0.1"
    port: int = 8080
    login: str = field(default="", repr=False)  # `ID:SECRET`, as a URL has it

    def __str__(self) -> str:
        """The URL that HTTP_PROXY has."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{self.login}{'@' if self.login else ''}{host}:{self.port}"


def variables(
    proxy: Address, files: Files, *, hidden: Sequence[str], own: Mapping[str, str]
) -> dict[str, str]:
    """Every variable with its value; `hidden` is what NO_PROXY shall say, `own` the environment before.

    No `ALL_PROXY`: it would lead ftp and the like here, which the proxy doesn't speak.
    """
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"), str(proxy))
    return {
        **proxies,
        **dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(hidden)),
        **dict.fromkeys(CA_VARIABLES, str(files.bundle)),
        "WGETRC": str(files.wgetrc),
        "NODE_USE_ENV_PROXY": "1",  # Node.js 22.21, 24.5 and newer; older ones have the shim
        "NODE_OPTIONS": node_options(files.node_shim, own.get("NODE_OPTIONS", "")),
        "JAVA_TOOL_OPTIONS": java_tool_options(
            java_options(proxy, files, hidden), own.get("JAVA_TOOL_OPTIONS", "")
        ),
    }


def node_options(shim: Path, own: str) -> str:
    """The user's `NODE_OPTIONS` and the shim, once."""
    path = str(shim)
    if re.search(r"[\s\"\\]", path):
        path = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    ours = f"--require {path}"
    return own if ours in own else f"{own} {ours}".strip()


def java_options(proxy: Address, files: Files, hidden: Sequence[str]) -> tuple[str, ...]:
    """Options for the `java` command, one each: Java reads no proxy from the environment."""
    return (
        *(f"-D{scheme}.proxy{what}" for scheme in ("http", "https") for what in _where(proxy)),
        f"-Dhttp.nonProxyHosts={no_proxy.for_java(hidden)}",  # Java's default is loopback; empty is none
        f"-Djavax.net.ssl.trustStore={files.truststore}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={files.truststore_password}",
    )


def java_tool_options(options: Sequence[str], own: str) -> str:
    """The user's `JAVA_TOOL_OPTIONS` and ours, which take the place of those that set the same."""
    names = tuple(f"{option.partition('=')[0]}=" for option in options)
    kept = [word for word in _JAVA_OPTION.findall(own) if not word.strip("'\"").startswith(names)]
    return " ".join([*kept, *(f'"{option}"' if re.search(r"\s", option) else option for option in options)])


def _where(proxy: Address) -> tuple[str, str]:
    return f"Host={proxy.host}", f"Port={proxy.port}"

"""Real programs: installed where that is allowed, started on free ports, ended with the tests."""

import asyncio
import fcntl
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

HERE = Path(__file__).parent
OIDC_PROVIDER = HERE / "oidc_provider"
PATIENCE = 30  # seconds until a program that says nothing counts as broken


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder talks to something real."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.services)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client that is registered with the authorization server."""

    client_id: str
    client_secret: str
    client_auth: str = "client_secret_basic"

    @property
    def metadata(self) -> dict[str, Any]:
        """As dynamic registration has it (RFC 7591 §2)."""
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "token_endpoint_auth_method": self.client_auth,
        }


# Secrets of printable ASCII is all that node-oidc-provider takes (RFC 6749, appendix A.2).
BASIC = Client(client_id="basic", client_secret="made-up-on-the-spot-0001")
POST = Client(client_id="post", client_secret="made-up-on-the-spot-0002", client_auth="client_secret_post")
SPECIAL = Client(client_id="app: 100%/+&", client_secret="p%41ss: w+rd/=&?~\"\\'")


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider:
    """A running node-oidc-provider."""

    issuer: str
    trust: ssl.SSLContext | None = None  # who signed its certificate

    @property
    def token_url(self) -> str:
        """Its token endpoint."""
        return f"{self.issuer}/token"

    async def jwks(self) -> Any:
        """The keys that its tokens are signed with."""
        return await self._get("/jwks")

    async def granted(self, client: Client) -> int:
        """How many tokens this client got."""
        return (await self.tokens_granted()).get(client.client_id, 0)

    async def tokens_granted(self) -> dict[str, int]:
        """How many tokens each client got."""
        counts: dict[str, int] = await self._get("/tokens-granted")
        return counts

    async def _get(self, path: str) -> Any:
        async with httpx.AsyncClient(trust_env=False, verify=self.trust or True) as client:
            return (await client.get(self.issuer + path)).json()


@pytest.fixture(scope="session")
def node() -> str:
    """The Node.js that runs the authorization server, which is installed beside it."""
    install_from_npm(OIDC_PROVIDER)
    own = OIDC_PROVIDER / "node_modules" / ".bin" / "node"
    return str(own) if own.exists() else program("node", "nodejs")


@pytest.fixture
async def oidc_provider(node: str) -> AsyncIterator[OidcProvider]:
    """A fresh one for each test: it starts within half a second."""
    clients = [client.metadata for client in (BASIC, POST, SPECIAL)]
    async with running_oidc_provider(node, clients) as server:
        yield server


@asynccontextmanager
async def running_oidc_provider(
    node: str, clients: Sequence[Mapping[str, Any]], *, authority: trustme.CA | None = None
) -> AsyncIterator[OidcProvider]:
    """One that knows these clients; with an authority it speaks TLS and may ask for certificates."""
    configuration: dict[str, Any] = {"clients": clients, "lifetime": 600}
    trust = None
    if authority is not None:
        own = authority.issue_cert("localhost")
        configuration["tls"] = {
            "key": own.private_key_pem.bytes().decode(),
            "cert": "".join(blob.bytes().decode() for blob in own.cert_chain_pems),
            "ca": authority.cert_pem.bytes().decode(),
        }
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
    process = await asyncio.create_subprocess_exec(
        *(node, "server.mjs"), cwd=OIDC_PROVIDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(configuration).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            ready = (await process.stdout.readline()).decode().split()
        assert ready[:1] == ["ready"], "node-oidc-provider did not start: its own words are above"
        yield OidcProvider(issuer=ready[1], trust=trust)
    finally:
        process.stdin.close()  # ends it
        await process.wait()


def install_from_npm(folder: Path) -> None:
    """Fetch what the lock file names, once, however many test processes ask for it."""
    with (folder / "package-lock.json").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lock = file.read()
        installed = folder / "node_modules" / "installed-package-lock.json"
        if installed.exists() and installed.read_text() == lock:
            return
        command = [program("npm", "npm"), "ci", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stdout + done.stderr
            pytest.fail(f"npm could not install what {folder.name} needs:\n{said}", pytrace=False)
        installed.write_text(lock)


def program(name: str, package: str) -> str:
    """The program's path, or a failure that says how to get it."""
    found = shutil.which(name)
    if found is None:
        install = f"apt-get install -y --no-install-recommends {package}"
        pytest.fail(
            f"{name} is missing: {install if os.geteuid() == 0 else f'sudo {install}'}", pytrace=False
        )
    return found


@pytest.fixture(scope="session")
def curl() -> str:
    """Curl's path."""
    return program("curl", "curl")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the tables that tests record as the property `table`: a process of xdist prints nothing."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == "table":
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(text)

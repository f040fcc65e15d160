import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme

from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.http2_api import Http2Api


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"  # for the whole session, so that a proxy may serve all tests of a module


@pytest.fixture(scope="session", autouse=True)
def runtime_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps proxies in this process out of the user's runtime directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Signs the certificates of the APIs under test."""
    return trustme.CA()


@pytest.fixture(scope="session")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of that authority, for mitmproxy's `ssl_verify_upstream_trusted_ca`."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For the files of one proxy."""
    own = tmp_path / "proxy"
    own.mkdir()
    return own


@pytest.fixture
async def idp() -> AsyncIterator[AuthorizationServer]:
    """An authorization server."""
    async with AuthorizationServer().running() as server:
        yield server


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """An API over plain http."""
    async with Api().running() as server:
        yield server


@pytest.fixture
async def tls_api(authority: trustme.CA) -> AsyncIterator[Api]:
    """An API over TLS, for the name localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    async with Api().running(context) as server:
        yield server


@pytest.fixture
async def http2_api(authority: trustme.CA) -> AsyncIterator[Http2Api]:
    """An API that speaks HTTP/2 alone, for the name localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with Http2Api().running(context) as server:
        yield server

"""What the move to loopback waits for."""

import asyncio
import socket

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons

from clientcreds_proxy.proxy.serving.listen import (
    LOOPBACK,
    PortTaken,
    Transport,
    bind_to_loopback,
    until_free,
)
from tests.proxy.harness import free_port

pytestmark = pytest.mark.anyio


async def held(kind: socket.SocketKind) -> socket.socket:
    """A port of 127.0.0.1 that is in use, and by nobody but us."""
    holder = socket.socket(socket.AF_INET, kind)
    if kind is socket.SOCK_STREAM:  # connections of an earlier test may linger there
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", await free_port()))
    if kind is socket.SOCK_STREAM:
        holder.listen()
    return holder


@pytest.mark.parametrize(
    ("kind", "transport"),
    [
        (socket.SOCK_STREAM, "tcp"),
        (socket.SOCK_STREAM, "both"),
        (socket.SOCK_DGRAM, "udp"),
        (socket.SOCK_DGRAM, "both"),
    ],
)
async def test_until_free_waits_for_the_port(kind: socket.SocketKind, transport: Transport) -> None:
    holder = await held(kind)
    waiting = asyncio.ensure_future(until_free(holder.getsockname()[1], transport))
    await asyncio.wait((waiting,), timeout=0.05)
    waited = not waiting.done()

    holder.close()
    await waiting

    assert waited


@pytest.mark.parametrize(("kind", "transport"), [(socket.SOCK_STREAM, "udp"), (socket.SOCK_DGRAM, "tcp")])
async def test_until_free_ignores_the_other_transport(kind: socket.SocketKind, transport: Transport) -> None:
    with await held(kind) as holder:
        await until_free(holder.getsockname()[1], transport, patience=0)


async def test_until_free_gives_up_on_a_port_that_stays_taken() -> None:
    with await held(socket.SOCK_STREAM) as holder:
        port = holder.getsockname()[1]

        with pytest.raises(PortTaken) as caught:
            await until_free(port, "tcp", patience=0.02)

    assert str(caught.value) == f"clientcreds: can't listen on 127.0.0.1:{port}: Address already in use"


async def test_bind_to_loopback_opens_no_port_when_there_is_to_be_none() -> None:
    """With `-n`."""
    with taddons.context(Proxyserver()) as mitmproxy:
        mitmproxy.configure(None, server=False)

        await bind_to_loopback()

        assert not mitmproxy.options.server
        assert mitmproxy.options.listen_host == LOOPBACK  # where it listens if that is switched on later

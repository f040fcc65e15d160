"""Where the proxy listens: loopback, unless the user names another address and says who may come in."""

import asyncio
import os
import socket
import time
from ipaddress import ip_address
from typing import Any, Literal

from mitmproxy import connection, ctx
from mitmproxy.proxy import mode_specs

from clientcreds_proxy.errors import ClientcredsError
from clientcreds_proxy.rules.host import is_loopback

# Modes that listen on no address of ours, or on one that the system chooses.
_ADDRESSLESS = (mode_specs.LocalMode, mode_specs.TunMode)
LOOPBACK = "127.0.0.1"
REOPENS_WITHIN = 5.0  # seconds

type Transport = Literal["tcp", "udp", "both"]
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class PortTaken(ClientcredsError):
    """The proxy can't open its port again: another program has it now."""


def modes() -> list[mode_specs.ProxyMode]:
    """The proxy modes that the options ask for."""
    return [mode_specs.ProxyMode.parse(mode) for mode in ctx.options.mode]


def addresses_named() -> list[str]:
    """Every address that the user told mitmproxy to listen on (`--listen-host`, `--mode …@HOST:PORT`)."""
    return [host for mode in modes() if (host := mode.listen_host(ctx.options.listen_host))]


def beyond_loopback() -> list[str]:
    """Named addresses that other machines can reach."""
    return [host for host in addresses_named() if not is_loopback(host)]


async def bind_to_loopback() -> None:
    """Move listeners that nobody gave an address to 127.0.0.1; to be started from `running`.

    mitmproxy listens on every address by default, and a script is loaded too late to change that before
    the port opens. Until then `drop_if_foreign` closes what comes in from elsewhere. The move begins two
    turns of the event loop later: who connected while the script was loaded is accepted by then instead of
    reset, and the port is closed for 2 ms instead of the 40 that the other addons take to start.

    Raises a `PortTaken` where the port can't be opened again.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    unnamed = [mode for mode in modes() if not mode.listen_host(ctx.options.listen_host)]
    if ctx.options.listen_host or not unnamed or any(isinstance(mode, _ADDRESSLESS) for mode in unnamed):
        return
    port = ctx.options.listen_port
    if not port and len(modes()) == 1 and modes()[0].custom_listen_port is None:
        port = _port_in_use() or port  # `-p 0`: stay on the port that the system gave
    serves = ctx.options.server
    ctx.options.update(listen_host=LOOPBACK, listen_port=port, server=False)
    if not serves:  # `-n`
        return
    for mode in unnamed:
        await until_free(mode.listen_port(port) or 0, mode.transport_protocol)
    ctx.options.update(server=True)


async def until_free(port: int, transport: Transport, *, patience: float = REOPENS_WITHIN) -> None:
    """Wait until a port of 127.0.0.1 can be bound; raises a `PortTaken` after `patience` seconds.

    mitmproxy gives a UDP port back a moment after it says so: a `reverse:https:` has one beside its TCP port.
    """
    kinds = [kind for name, kind in _KINDS.items() if transport in (name, "both")]
    give_up = time.monotonic() + patience
    while (error := _bound_elsewhere(port, kinds)) is not None:
        if time.monotonic() >= give_up:
            raise PortTaken(f"clientcreds: can't listen on {LOOPBACK}:{port}: {error.strerror}") from error
        await asyncio.sleep(0.005)


def _bound_elsewhere(port: int, kinds: list[socket.SocketKind]) -> OSError | None:
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM and os.name == "posix":  # as asyncio's servers do
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                return error
    return None


def drop_if_foreign(client: connection.Client) -> None:
    """Close a connection that came to another address than loopback while the listener is being moved.

    Or just before: one that was accepted then may come here when the move is over.
    """
    if isinstance(client.proxy_mode, _ADDRESSLESS):
        return
    named = client.proxy_mode.listen_host(ctx.options.listen_host)
    if named and not is_loopback(named):
        return
    if not _is_local(client.sockname[0]):
        client.error = "clientcreds listens on loopback only"


def _is_local(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def _port_in_use() -> int | None:
    proxyserver: Any = ctx.master.addons.get("proxyserver")
    return next((address[1] for address in proxyserver.listen_addrs()), None)

"""The proxy's port: is the proxy there, or could it be."""

import errno
import socket
from collections.abc import Iterator

from clientcreds_proxy.cli.doctor.finding import Finding, bad, good
from clientcreds_proxy.cli.doctor.patient import Patient
from clientcreds_proxy.rules.host import is_loopback, split_host_port


def look_at_port(patient: Patient) -> Iterator[Finding]:
    """Ours, free, or taken by something else."""
    mine, port = patient.mine, patient.around.port
    if mine is not None:
        yield from _bound(patient)
        return
    other = next((each for each in patient.running if port in each.ports), None)
    if other is not None:
        yield bad(
            "port",
            f"127.0.0.1:{port} is a proxy with another configuration: {other.config}",
            f"clientcreds serve{patient.named} -p {_free_port()}",
        )
    elif why := _taken(port):
        yield bad(
            "port",
            f"127.0.0.1:{port} can't be opened: {why}, and it is no proxy that can be found",
            f"clientcreds serve{patient.named} -p {_free_port()}",
        )
    else:
        yield good("port", f"127.0.0.1:{port} is free; no proxy is running (clientcreds serve starts one)")


def _bound(patient: Patient) -> Iterator[Finding]:
    mine = patient.mine
    for address in mine.listening if mine else ():
        host = split_host_port(address)[0]
        if is_loopback(host):
            yield good("port", f"a proxy with this configuration listens on {address}")
        else:
            clients = (
                "allowed_clients says who may use it"
                if patient.config.names_clients
                else "proxyauth guards it"
            )
            yield good("port", f"a proxy with this configuration listens on {address}: {clients}")


def _taken(port: int) -> str | None:
    """Why no proxy could listen there; None: it could."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            return "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
    return None


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port

"""A running proxy of this user: finding it, and asking its status server."""

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from clientcreds_proxy.errors import ClientcredsError
from clientcreds_proxy.observe import runtime
from clientcreds_proxy.observe.runtime import Running
from clientcreds_proxy.rules.host import split_host_port

ASK_SECONDS = 60.0  # a reload may run a few `${cmd:…}`
LOOK_SECONDS = 5.0  # a stopped process keeps its port, and never answers


class NotRunning(ClientcredsError):
    """There is no proxy to ask."""


class NoAnswer(ClientcredsError):
    """The proxy does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the status server answered."""

    status: int
    said: Mapping[str, object]

    def texts(self, name: str) -> list[str]:
        """A list of texts in it."""
        value = self.said.get(name)
        return [str(each) for each in value] if isinstance(value, list) else []


def choose(port: int | None, config: str | None) -> Running:
    """The proxy that is meant; a `NotRunning`, or click's UsageError where it could be several."""
    everyone = alive()
    chosen = [each for each in everyone if port in (None, *each.ports)]
    if config is not None:
        wanted = Path(config).resolve()
        chosen = [each for each in chosen if Path(each.config).resolve() == wanted]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise click.UsageError(f"several proxies are running: say which with --port\n{_listed(chosen)}")
    if everyone:
        raise NotRunning(f"no such proxy is running, but\n{_listed(everyone)}")
    if silent := runtime.announced(runtime.place()):
        raise NotRunning(
            "no running proxy was found, but a process that does not answer\n"
            + "\n".join(f"  pid {each.pid}  http://{each.status}  {each.config}" for each in silent)
        )
    raise NotRunning(
        "no running proxy was found: start one with `clientcreds serve`. One of another user, or with "
        f"`status: null`, can't be found; looked in {runtime.place()}"
    )


def alive() -> list[Running]:
    """Every proxy that says that it runs, and does. What is left of others is removed."""
    folder = runtime.place()
    if not folder.exists():
        return []
    runtime.prepare(folder)
    found = []
    for each in runtime.announced(folder):
        if _serves(each):
            found.append(each)
        elif not runtime.is_alive(each.pid):
            runtime.retract(folder, each.pid)
    return found


def ask(
    proxy: Running,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    seconds: float = ASK_SECONDS,
) -> Answer:
    """What its status server answers; `NoAnswer` where it does not."""
    headers = {"Content-Type": "application/json"}
    if method == "POST":
        secret = runtime.read_token(runtime.place())
        headers["Authorization"] = f"Bearer {secret.reveal()}"
    host, port = split_host_port(proxy.status)
    connection = http.client.HTTPConnection(host, port, timeout=seconds)  # no proxy of the environment
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        said = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        silent = f"nothing within {seconds:g} s" if isinstance(error, TimeoutError) else None
        reason = silent or getattr(error, "strerror", None) or "that is no status server"
        raise NoAnswer(f"no answer from {proxy.status}: {reason}") from error
    finally:
        connection.close()
    return Answer(status=response.status, said=said if isinstance(said, dict) else {})


def _serves(proxy: Running) -> bool:
    try:
        return ask(proxy, "GET", "/api/status", seconds=LOOK_SECONDS).said.get("pid") == proxy.pid
    except NoAnswer:
        return False


def _listed(proxies: Sequence[Running]) -> str:
    lines = (f"  --port {each.ports[0]}  pid {each.pid}  {each.config}" for each in proxies if each.ports)
    return "\n".join(lines)

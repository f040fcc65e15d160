"""A proxy with a token source for each way in which an authorization server can answer."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.proxy.harness import Proxy, mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen


@dataclass(kw_only=True, slots=True)
class Stage:
    """The path /NAME of the API wants a token of the source NAME."""

    api: Api
    proxy: Proxy
    client: httpx.AsyncClient

    async def get(self, name: str) -> httpx.Response:
        return await self.client.get(f"http://localhost:{self.api.port}/{name}")

    def events(self, name: str) -> list[dict[str, object]]:
        """The log's lines about a source, but for its requests."""
        lines = [json.loads(line) for line in self.proxy.lines if line.startswith('{"time"')]
        return [line for line in lines if line.get("token_source") == name and "message" in line]


@asynccontextmanager
async def sources(
    replies: Mapping[str, Reply], folder: Path, more: str = "", *, secret: str = "s3cr3t"
) -> AsyncIterator[Stage]:
    """A source for each of these replies; `more` is said about all of them."""

    def answer(request: Seen) -> Reply:
        return replies[request.target.removeprefix("/")]

    async with AuthorizationServer(answers=answer).running() as idp, Api().running() as api:
        of_idp = f'client_id: app, client_secret: "{secret}", {more}'
        config = "version: 1\nlog: {format: json}\ntoken_sources:\n"
        for name in replies:
            url = idp.token_url.replace(idp.path, f"/{name}")
            config += f'  {name}: {{token_url: "{url}", {of_idp}}}\n'
        config += "rules:\n"
        for name in replies:
            match = f"{{host: localhost, port: {api.port}, path: /{name}}}"
            config += f"  - {{name: {name}, match: {match}, token_source: {name}}}\n"
        async with mitmdump(config, folder=folder) as proxy, proxy.client() as client:
            yield Stage(api=api, proxy=proxy, client=client)

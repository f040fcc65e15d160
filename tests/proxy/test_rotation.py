"""Secrets that change while the proxy runs (contract sections 2 and 4)."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.proxy.harness import ROOT, Proxy, mitmdump
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen

pytestmark = pytest.mark.anyio

OLD, NEW = "s3cr3t", "r0tat3d"
IN_FORCE, STAYS = "the rules are those of", "the old rules stay in force"


@dataclass(kw_only=True, slots=True)
class Stage:
    """A proxy whose source has this secret, and which asks for a token with every request."""

    idp: AuthorizationServer
    api: Api
    proxy: Proxy
    client: httpx.AsyncClient

    async def get(self) -> httpx.Response:
        return await self.client.get(f"http://localhost:{self.api.port}/")

    def events(self, text: str) -> list[dict[str, object]]:
        """The log's lines that say this."""
        lines = [json.loads(line) for line in self.proxy.lines if line.startswith('{"time"')]
        return [line for line in lines if text in str(line.get("message"))]


@asynccontextmanager
async def stage(secret: str, folder: Path, more: str = "", **environ: str) -> AsyncIterator[Stage]:
    async with AuthorizationServer(expires_in=0).running() as idp, Api().running() as api:
        config = f"""
version: 1
log: {{format: json}}
token_sources:
  billing:
    token_url: {idp.token_url}
    client_id: app
    client_secret: {secret}
    {more}
rules:
  - name: api
    match: {{host: localhost, port: {api.port}}}
    token_source: billing
"""
        paths = {"PYTHONPATH": str(ROOT), "KEYRING_FILE": str(folder / "secret")}
        paths |= {"PYTHON_KEYRING_BACKEND": "tests.proxy.file_keyring.Keyring"}
        paths |= {"CREDENTIALS_DIRECTORY": str(folder), "CLIENTCREDS_K8S_SECRETS": str(folder)}
        async with (
            mitmdump(config, folder=folder, environ=paths | environ) as proxy,
            proxy.client() as client,
        ):
            yield Stage(idp=idp, api=api, proxy=proxy, client=client)


def write(path: Path, text: str) -> None:
    """As a careful program does: another file takes the place of this one at once."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.rename(path)


@pytest.mark.parametrize(
    "secret",
    [
        "${file:secret}",
        "${cmd:cat secret}",
        "${keyring:billing/app}",
        "${systemd:secret}",
        "urn:k8s:secret:billing:secret",
    ],
)
async def test_no_request_fails_when_a_secret_is_rotated(secret: str, folder: Path) -> None:
    """The server refuses the old one from one moment to the next, long before anybody looks at the file."""
    path = folder / "secret"
    (folder / "billing").mkdir()
    (folder / "billing" / "secret").symlink_to(path)
    write(path, OLD)
    async with stage(secret, folder) as on:
        before = await asyncio.gather(*[on.get() for _ in range(10)])
        on.idp.client_secret = NEW
        write(path, NEW)
        after = await asyncio.gather(*[on.get() for _ in range(10)])
        later = await asyncio.gather(*[on.get() for _ in range(10)])

    answers = [answer.status_code for answer in [*before, *after, *later]]
    assert answers == [200] * 30
    assert OLD not in on.proxy.output
    assert NEW not in on.proxy.output


async def test_reading_that_began_before_the_rotation_does_not_count(folder: Path) -> None:
    """Some other change made the proxy read; the program has given the old secret and has not ended yet."""
    begun, end, asked = folder / "begun", folder / "end", asyncio.Event()
    write(folder / "give", "#!/bin/sh\ncat secret\nif [ -p begun ]; then echo > begun; cat end; fi\n")
    (folder / "give").chmod(0o700)
    write(folder / "secret", OLD)
    async with stage("${cmd:./give}", folder, "client_auth: client_secret_post") as on:

        def answer(request: Seen) -> Reply:
            asked.set()
            on.idp.answers = None
            return on.idp._answer(request)

        on.idp.answers = answer
        for pipe in (begun, end):
            os.mkfifo(pipe)
        write(folder / "rules.yaml", (folder / "rules.yaml").read_text() + "# changed\n")
        await asyncio.to_thread(begun.read_text)
        begun.unlink()
        on.idp.client_secret = NEW
        write(folder / "secret", NEW)
        request = asyncio.create_task(on.get())
        await asked.wait()
        for _ in range(3):  # the refusal has arrived by then
            await on.client.get(f"http://127.0.0.1:{on.api.port}/without-a-rule")
        await asyncio.to_thread(end.write_text, "now\n")

        assert (await request).status_code == 200


async def test_kubernetes_swaps_a_link_and_the_new_secret_is_used(folder: Path) -> None:
    """The kubelet's way: NAME/KEY -> ..data/KEY, and ..data -> a folder of the moment."""
    mounted = folder / "billing"
    for moment, secret in (("..one", OLD), ("..two", NEW)):
        (mounted / moment).mkdir(parents=True)
        write(mounted / moment / "client-secret", secret)
    (mounted / "..data").symlink_to("..one")
    (mounted / "client-secret").symlink_to("..data/client-secret")
    async with stage("urn:k8s:secret:billing:client-secret", folder, "client_auth: client_secret_post") as on:
        assert (await on.get()).status_code == 200

        (mounted / "..data_tmp").symlink_to("..two")
        (mounted / "..data_tmp").rename(mounted / "..data")
        await on.proxy.said(IN_FORCE, times=2)
        on.idp.client_secret = NEW

        assert (await on.get()).status_code == 200
    assert [seen.form["client_secret"] for seen in on.idp.seen] == [OLD, NEW]


async def test_secrets_of_a_list_are_tried_in_order_and_the_one_that_works_is_kept(folder: Path) -> None:
    write(folder / "current", OLD)
    write(folder / "next", NEW)
    async with stage('["${file:current}", "${file:next}"]', folder, "client_auth: client_secret_post") as on:
        await on.get()
        on.idp.client_secret = NEW
        answers = [await on.get() for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [seen.form["client_secret"] for seen in on.idp.seen] == [OLD, OLD, NEW, NEW]


async def test_file_that_is_gone_changes_nothing_while_its_secret_is_good(folder: Path) -> None:
    """Contract section 2: a bad change leaves the old rules running."""
    write(folder / "secret", OLD)
    async with stage("${file:secret}", folder) as on:
        (folder / "secret").unlink()
        await on.proxy.said(STAYS)

        assert (await on.get()).status_code == 200


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("${file:secret}", "No such file or directory"),
        ("${cmd:cat secret}", "the command failed with status 1"),
    ],
)
async def test_refused_client_whose_secret_is_gone_is_told_so(secret: str, why: str, folder: Path) -> None:
    """Contract section 11: `secret_unavailable`; then remembered, for the server was asked."""
    write(folder / "secret", OLD)
    async with stage(secret, folder, "client_auth: client_secret_post") as on:
        (folder / "secret").unlink()
        on.idp.client_secret = NEW

        gone, remembered = (await on.get()).json(), (await on.get()).json()
        asked = len(on.idp.seen)
        write(folder / "secret", NEW)
        if "file" in secret:
            await on.proxy.said(IN_FORCE, times=2)
            assert (await on.get()).status_code == 200

    assert (gone["status"], gone["reason"], gone["error"]) == (502, "secret_unavailable", "invalid_client")
    assert why in gone["detail"]
    assert (remembered["status"], remembered["reason"]) == (503, "token_backoff")
    assert remembered["detail"] == gone["detail"]
    assert asked == 1


async def test_refusal_stands_when_the_secret_is_the_same_and_says_nothing_new(folder: Path) -> None:
    write(folder / "secret", OLD)
    async with stage("${file:secret}", folder) as on:
        on.idp.client_secret = NEW
        refused = (await on.get()).json()

    assert (refused["reason"], refused["error"]) == ("token_rejected", "invalid_client")
    assert len(on.events(IN_FORCE)) == 1


async def test_change_of_the_file_ends_a_remembered_failure(folder: Path) -> None:
    """Contract section 4: cleared by a config change, even one that leaves the source as it is."""
    write(folder / "secret", OLD)
    async with stage("${file:secret}", folder) as on:
        on.idp.replies = [Reply(status=400, body=b'{"error": "invalid_scope"}')]
        reasons = [(await on.get()).json()["reason"] for _ in range(2)]
        write(folder / "rules.yaml", (folder / "rules.yaml").read_text() + "# mended\n")
        await on.proxy.said(IN_FORCE, times=2)

        assert (await on.get()).status_code == 200
    assert reasons == ["token_rejected", "token_backoff"]


async def test_secret_that_others_can_read_is_warned_of_at_start(folder: Path) -> None:
    write(folder / "secret", OLD)
    (folder / "secret").chmod(0o644)
    async with stage("${file:secret}", folder) as on:
        (warning,) = on.events("can read the file")

    assert warning["level"] == "warning"
    assert "rules.yaml:8:5: token_sources.billing.client_secret: " in str(warning["message"])

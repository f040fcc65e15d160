"""The proxy that other commands start in their own process (`serve.serving`)."""

import asyncio
import io
import logging
from pathlib import Path

import httpx
import pytest

from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.proxy.serving.serve import serving
from clientcreds_proxy.proxy.serving.start import Manner, StartError
from tests.proxy.harness import PATIENCE, SCRIPT
from tests.proxy.test_first_request import rules
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio


async def test_serving_listens_on_a_free_port_and_logs_where_it_is_told(
    idp: AuthorizationServer, api: Api, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = folder / "rules.yaml"
    config.write_text(rules(idp, api.port))
    log = io.StringIO()

    async with (
        serving(config=config, options={"confdir": str(folder)}, manner=Manner(log_to=log)) as proxy,
        httpx.AsyncClient(
            proxy=f"http://127.0.0.1:{proxy.port}", trust_env=False, timeout=PATIENCE
        ) as client,
    ):
        answer = await client.get(f"http://localhost:{api.port}/")

    assert answer.status_code == 200
    assert api.tokens == ["Bearer t1"]
    assert proxy.ended.done()
    assert f"listening at 127.0.0.1:{proxy.port}" in log.getvalue()
    assert '"status": 200' in log.getvalue()
    assert capsys.readouterr() == ("", "")


async def test_serving_leaves_the_log_as_it_found_it(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    config = folder / "rules.yaml"
    config.write_text(rules(idp, api.port))
    names = ("", "asyncio", "hpack")
    before = [logging.getLogger(name).level for name in names]

    async with serving(
        config=config,
        options={"confdir": str(folder)},
        manner=Manner(log_to=io.StringIO()),
        log_level="error",
    ):
        assert not logging.getLogger("mitmproxy").isEnabledFor(logging.WARNING)

    assert [logging.getLogger(name).level for name in names] == before


async def test_serving_raises_what_keeps_it_from_starting_and_starts_after_that(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    good, bad = folder / "rules.yaml", folder / "bad.yaml"
    good.write_text(rules(idp, api.port))
    bad.write_text("version: 1\nrulez: []\n")
    log = io.StringIO()

    with pytest.raises(ConfigError, match=r"bad\.yaml:2:1: rulez: unknown key"):
        await _serve(bad, folder, log)
    with pytest.raises(StartError, match=r"failed to listen on 127\.0\.0\.1:"):
        await _serve(good, folder, log, listen_port=api.port)
    with pytest.raises(StartError, match="Invalid proxy mode"):
        await _serve(good, folder, log, mode=["nosuch"])
    with pytest.raises(StartError, match=r"0\.0\.0\.0 lets other machines use the tokens"):
        await _serve(good, folder, log, listen_host="0.0.0.0")
    with pytest.raises(StartError, match="leave out -s"):
        await _serve(good, folder, log, scripts=[str(SCRIPT)])
    assert log.getvalue() == ""  # whoever calls it shows the reason

    await _serve(good, folder, log)


async def _serve(config: Path, folder: Path, log: io.StringIO, **options: object) -> None:
    wanted = {"confdir": str(folder), **options}
    async with asyncio.timeout(PATIENCE), serving(config=config, options=wanted, manner=Manner(log_to=log)):
        pass

import json
import os
import socket
from pathlib import Path

import pytest

from clientcreds_proxy.cli.running import NoAnswer, ask
from clientcreds_proxy.cli.status_text import lines_of
from clientcreds_proxy.observe.runtime import Running
from tests.unit.cli.running import run

SOURCE = {
    "name": "billing",
    "authorization_server": "idp.example.com",
    "client_auth": "auto",
    "state": "never_fetched",
    "has_token": False,
    "expires_in": None,
    "fetched": 0,
    "taken": 0,
    "failed": 0,
    "last_error": None,
    "next_try_seconds": None,
    "callers": None,
    "store": None,
}


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, "billing  never fetched  no token  0 fetched  0 failed  idp.example.com (auto)"),
        ({"fetched": 2}, "billing  dropped  no token  2 fetched  0 failed  idp.example.com (auto)"),
        ({"callers": 1}, "billing  never fetched  1 caller  0 fetched  0 failed  idp.example.com (auto)"),
        ({"callers": 2}, "billing  never fetched  2 callers  0 fetched  0 failed  idp.example.com (auto)"),
    ],
)
def test_status_says_how_a_source_is(changed: dict[str, object], line: str) -> None:
    head = {"version": "1", "pid": 1, "uptime_seconds": 1, "listening": [], "status_listening": None}
    config = {"path": "a", "sha256": "b", "loaded": "c", "reload": None}
    said = {**head, "config": config, "ready": True, "unmatched": "pass", "intercept": "ruled"}
    lists = {"token_sources": [SOURCE | changed], "rules": [], "requests": [], "warnings": []}

    lines = [each.strip() for each in lines_of({**said, **lists})]

    assert line in lines


def test_process_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    (tmp_path / "clientcreds").mkdir(mode=0o700)
    said = {"pid": os.getpid(), "status": address, "listening": ["127.0.0.1:1"], "config": "/a.yaml"}
    (tmp_path / "clientcreds" / "1.json").write_text(json.dumps(said))

    result = run("status", environ={"XDG_RUNTIME_DIR": str(tmp_path)})

    assert result.exit_code == 1
    assert f"a process that does not answer\n  pid {os.getpid()}  http://{address}  /a.yaml" in result.stderr


def test_process_that_is_stopped_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        proxy = Running(pid=1, status=address, listening=(), config="/a.yaml")

        with pytest.raises(NoAnswer, match=f"no answer from {address}: nothing within 0.01 s"):
            ask(proxy, "GET", "/api/status", seconds=0.01)

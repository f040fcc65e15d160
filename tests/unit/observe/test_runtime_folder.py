"""The runtime directory: who may read it, and what is left of proxies that are gone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from clientcreds_proxy.observe import runtime
from clientcreds_proxy.observe.runtime import Running, RuntimeFolderError

A_PROXY = Running(
    pid=os.getpid(), status="127.0.0.1:8082", listening=("127.0.0.1:8080", "[::1]:8081"), config="/rules.yaml"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "clientcreds"
    runtime.prepare(path)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_place_is_the_users_runtime_directory_or_one_of_his_own_among_temporary_files(tmp_path: Path) -> None:
    assert runtime.place({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path / "clientcreds"
    for useless in ({}, {"XDG_RUNTIME_DIR": "relative"}, {"XDG_RUNTIME_DIR": str(tmp_path / "missing")}):
        assert runtime.place(useless).name == f"clientcreds-{os.geteuid()}"


def test_folder_and_files_are_the_users_alone(folder: Path) -> None:
    runtime.token(folder)
    runtime.announce(folder, A_PROXY)

    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "token": 0o600,
        f"{os.getpid()}.json": 0o600,
    }


def test_folder_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_to_all = tmp_path / "clientcreds"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)

    with pytest.raises(RuntimeFolderError, match="others have access; expected mode 0700"):
        runtime.prepare(open_to_all)


def test_folder_that_is_a_link_or_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(folder)
    file.touch(0o600)

    for wrong in (link, file):
        with pytest.raises(RuntimeFolderError, match="expected a directory of this user"):
            runtime.prepare(wrong)


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFolderError, match="No such file or directory"):
        runtime.prepare(tmp_path / "missing" / "clientcreds")


def test_token_stays_the_same_for_all_proxies_of_a_user(folder: Path) -> None:
    first, second = runtime.token(folder), runtime.token(folder)

    assert first.reveal() == second.reveal() == (folder / "token").read_text()
    assert len(first.reveal()) >= 32


def test_token_that_others_can_read_is_refused(folder: Path) -> None:
    runtime.token(folder)
    (folder / "token").chmod(0o644)

    with pytest.raises(RuntimeFolderError, match="expected a file of this user, mode 0600"):
        runtime.token(folder)


def test_empty_or_unreadable_token_is_refused(folder: Path) -> None:
    (folder / "token").touch(0o600)
    with pytest.raises(RuntimeFolderError, match="empty"):
        runtime.read_token(folder)

    (folder / "token").write_bytes(b"\xff")
    with pytest.raises(RuntimeFolderError, match="not a text"):
        runtime.read_token(folder)


def test_announced_proxies_are_those_whose_files_can_be_read(folder: Path) -> None:
    runtime.announce(folder, A_PROXY)
    runtime.token(folder)
    (folder / "1.json").write_text("{")
    (folder / "2.json").write_text('{"pid": "x", "status": 1, "listening": 2, "config": 3}')

    assert runtime.announced(folder) == [A_PROXY]
    assert A_PROXY.ports == (8080, 8081)

    runtime.retract(folder, A_PROXY.pid)
    runtime.retract(folder, A_PROXY.pid)
    assert runtime.announced(folder) == []


def test_folder_that_is_gone_is_said(folder: Path) -> None:
    folder.rmdir()

    with pytest.raises(RuntimeFolderError, match="No such file or directory"):
        runtime.announce(folder, A_PROXY)
    with pytest.raises(RuntimeFolderError, match="No such file or directory"):
        runtime.token(folder)


def test_process_is_alive_until_it_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()

    assert runtime.is_alive(os.getpid())
    assert runtime.is_alive(1)
    assert not runtime.is_alive(child.pid)

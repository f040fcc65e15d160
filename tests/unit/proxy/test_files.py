"""Files for `static.Modifier`: nothing outside of the folder is served."""

import os
import stat
from pathlib import Path

import pytest

from clientcreds_proxy.errors import ModifierFailed
from clientcreds_proxy.proxy.request import files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "b").write_bytes(b"content")
    (tmp_path / "outside").write_bytes(b"outside")
    (tmp_path / "files-beside").mkdir()
    (tmp_path / "files-beside" / "c").write_bytes(b"beside")
    return folder


def read(folder: Path, *path: str) -> bytes | None:
    return files.read_file(str(folder), path)


def test_file_is_read(folder: Path) -> None:
    (folder / "empty").touch()

    assert read(folder, "a", "b") == b"content"
    assert read(folder, "empty") == b""


@pytest.mark.parametrize(
    "path",
    [(), ("a",), ("missing",), ("a", "b", "c"), ("..", "outside"), ("a", "..", "..", "outside"), ("a\0b",)],
)
def test_what_is_no_file_below_the_folder_is_none(folder: Path, path: tuple[str, ...]) -> None:
    assert read(folder, *path) is None


def test_absolute_step_leads_nowhere(folder: Path) -> None:
    assert read(folder, str(folder.parent / "outside")) is None
    assert read(folder, str(folder.parent / "files-beside" / "c")) is None


@pytest.mark.parametrize(
    ("target", "found"),
    [("a/b", b"content"), ("a", None), ("../outside", None), ("../files-beside/c", None), ("gone", None)],
)
def test_link_is_followed_inside_the_folder(folder: Path, target: str, found: bytes | None) -> None:
    (folder / "link").symlink_to(target)

    assert read(folder, "link") == found


def test_folder_may_be_a_link_itself(folder: Path) -> None:
    (folder.parent / "current").symlink_to("files")

    assert read(folder.parent / "current", "a", "b") == b"content"


def test_link_to_a_folder_outside_is_none(folder: Path) -> None:
    (folder / "up").symlink_to("..")

    assert read(folder, "up", "outside") is None
    assert read(folder, "up", "files", "a", "b") == b"content"  # it leads back inside


def test_pipe_is_none_and_waits_for_nobody(folder: Path) -> None:
    os.mkfifo(folder / "pipe")

    assert read(folder, "pipe") is None


def test_socket_and_name_that_no_file_can_have_are_none(folder: Path) -> None:
    os.mknod(folder / "socket", stat.S_IFSOCK | 0o600)

    assert read(folder, "socket") is None
    assert read(folder, "a" * 300) is None


def test_links_in_a_circle_fail(folder: Path) -> None:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")

    with pytest.raises(ModifierFailed, match="can't read this file"):
        read(folder, "one")


def test_large_file_fails(folder: Path) -> None:
    with (folder / "large").open("wb") as sparse:
        sparse.truncate(files.LARGEST + 1)

    with pytest.raises(ModifierFailed, match="is larger than"):
        read(folder, "large")

from pathlib import Path

import pytest

from clientcreds_proxy.config.references import References, UnresolvedError, resolve_all

ENVIRON = {"NAME": "value", "EMPTY": "", "PATH": "/usr/bin:/bin", "TRICKY": "${env:NAME}"}


def resolved(text: str, folder: Path) -> str:
    return References(ENVIRON).resolve(text, folder)[0]


def refused(text: str, folder: Path) -> str:
    with pytest.raises(UnresolvedError) as caught:
        References(ENVIRON).resolve(text, folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("${env:NAME}", "value"),
        ("${env:EMPTY}", ""),
        ("https://${env:NAME}.example/${env:NAME}", "https://value.example/value"),
        ("$${env:NAME}", "${env:NAME}"),
        ("$$${env:NAME}", "$${env:NAME}"),
        ("a $ b $1 $$ {x} }", "a $ b $1 $$ {x} }"),
        ("${env:TRICKY}", "${env:NAME}"),
        ("${cmd:printf 'a b\\nc\\n'}", "a b"),
        ("${cmd:printf %s 'x y'}", "x y"),
        ("${cmd:printf '%s' '$NAME'}", "$NAME"),
        ("${cmd:true}", ""),
    ],
)
def test_reference_is_replaced(text: str, meant: str, tmp_path: Path) -> None:
    assert resolved(text, tmp_path) == meant


@pytest.mark.parametrize(
    ("content", "meant"),
    [(b"x\n", "x"), (b"x\r\n", "x"), (b"x\n\n", "x\n"), (b"x", "x"), (b"", "")],
)
def test_file_loses_one_trailing_newline(content: bytes, meant: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content)

    assert resolved("${file:secret}", tmp_path) == meant


def test_files_read_are_remembered(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    references = References(ENVIRON)

    references.resolve("${file:secret}${file:secret}", tmp_path)

    assert references.files == [tmp_path / "secret"]


def test_command_runs_once_and_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("#!/bin/sh\necho x >> ran; echo secret\n")
    (tmp_path / "count").chmod(0o755)
    references = References(ENVIRON)

    text, found = references.resolve("${cmd:./count} ${cmd:./count}", tmp_path)

    assert (text, found) == ("secret secret", True)
    assert (tmp_path / "ran").read_text() == "x\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${env:NOT_THERE}", "the environment variable NOT_THERE is not set"),
        ("${env:hunter2!}", "the environment variable is not set"),
        ("${env:NAME", "not closed"),
        ("${env:${env:NAME}}", "holds another one"),
        ("${vault:x}", "this is no reference; expected ${env:NAME}"),
        ("${NAME}", "this is no reference"),
        ("${}", "this is no reference"),
        ("${env:}", "this is no reference"),
        ("${keyring:a/b}", "${keyring:…} is not supported by this version"),
        ("${systemd:a}", "${systemd:…} is not supported by this version"),
        ("urn:k8s:secret:a:b", "urn:k8s:secret:… is not supported by this version"),
        ("${file:missing}", "the file can't be read: No such file or directory"),
        ("${file:.}", "the file can't be read: Is a directory"),
        ("${file:a\0b}", "the file can't be read: not a path"),
        ("${cmd:'}", "can't be split"),
        ("${cmd:/no/such/program}", "the command can't be started: No such file or directory"),
        ("${cmd:a\0b}", "the command can't be started: not a command"),
        ("${cmd:sh -c 'echo hunter2; echo hunter2 >&2; exit 3'}", "the command failed with status 3"),
        ("${cmd:printf '\\377'}", "what it gives is not UTF-8 text"),
    ],
)
def test_reference_that_gives_nothing_is_refused(text: str, message: str, tmp_path: Path) -> None:
    said = refused(text, tmp_path)

    assert message in said
    assert "hunter2" not in said


def test_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (1024 * 1024 + 1))

    assert refused("${file:large}", tmp_path) == "the file is longer than 1 MiB"


def test_slow_command_is_refused(tmp_path: Path) -> None:
    references = References(ENVIRON, command_seconds=0.05)

    with pytest.raises(UnresolvedError, match=r"longer than 0\.05 s"):
        references.resolve("${cmd:sleep 10}", tmp_path)


def test_all_texts_of_a_tree_are_resolved(tmp_path: Path) -> None:
    tree = {"a": ["${env:NAME}", 1, {"b": "${env:GONE}"}], "c": "plain", "d": "$${x}", "e": None}

    value, referenced, wrong = resolve_all(tree, References(ENVIRON), tmp_path)

    assert value == {"a": ["value", 1, {"b": "${env:GONE}"}], "c": "plain", "d": "${x}", "e": None}
    assert referenced == {("a", 0)}
    assert wrong == {("a", 2, "b"): "the environment variable GONE is not set"}

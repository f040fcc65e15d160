"""Files of secrets that others can read, wherever the file names one."""

import stat
from pathlib import Path

import pytest
import trustme

from clientcreds_proxy.config.reading.lookup import exposed
from tests.unit.config.files import Files, with_source

EVERYBODY = "everybody on this machine can read the file; expected chmod 600"
GROUP = "its group can read the file; expected chmod 600"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(folder=tmp_path)


def write(files: Files, name: str, mode: int, text: str | bytes = "hunter2") -> None:
    files.write(name, text).chmod(mode)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o600, None),
        (0o400, None),
        (0o700, None),
        (0o622, None),
        (0o640, GROUP),
        (0o644, EVERYBODY),
        (0o604, EVERYBODY),
    ],
)
def test_mode_says_who_can_read(mode: int, said: str | None) -> None:
    assert exposed(stat.S_IFREG | mode) == said


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, 0])
def test_mode_says_nothing_about_what_is_no_file(kind: int) -> None:
    assert exposed(kind | 0o666) is None


def test_secret_that_others_can_read_is_warned_of_at_its_place(files: Files) -> None:
    """Also as one of several, inside a longer text, and behind a symbolic link."""
    write(files, "open", 0o644)
    write(files, "group", 0o640)
    write(files, "own", 0o600)
    (files.folder / "link").symlink_to("open")

    said = files.warnings(
        with_source("""
        client_secret: ["${file:own}", "${file:group}", "${file:link}"]
        api_headers: {X-Api-Key: "key ${file:open}"}
        """)
    )

    assert [line for line in said if "can read the file" in line] == [
        f"6:36: token_sources.s.client_secret[1]: {GROUP}",
        f"6:53: token_sources.s.client_secret[2]: {EVERYBODY}",
        f"7:19: token_sources.s.api_headers.X-Api-Key: {EVERYBODY}",
    ]


def test_what_is_no_secret_may_be_read_by_all(files: Files) -> None:
    write(files, "open", 0o644, "app")

    said = files.warnings(with_source("client_secret: ${env:SECRET}\naudience: ${file:open}"))

    assert not any("can read the file" in line for line in said)


@pytest.mark.parametrize("written", ["key.pem", "${file:key.pem}", "${env:FOLDER}/key.pem"])
def test_private_key_that_others_can_read_is_warned_of(files: Files, written: str) -> None:
    """E14."""
    files.environ["FOLDER"] = str(files.folder)
    issued = trustme.CA().issue_cert("app")
    write(files, "cert.pem", 0o644, issued.cert_chain_pems[0].bytes())
    write(files, "key.pem", 0o644, issued.private_key_pem.bytes())

    said = files.warnings(
        with_source(f"""
        client_secret: ${{env:SECRET}}
        client:
          tls: {{cert: cert.pem, key: '{written}'}}
        """)
    )

    assert [line for line in said if "can read the file" in line] == [
        f"8:29: token_sources.s.client.tls.key: {EVERYBODY}"
    ]


def test_key_inside_the_file_is_no_path(files: Files) -> None:
    key = trustme.CA().issue_cert("app").private_key_pem.bytes().decode()
    indented = "".join(f"\n    {line}" for line in key.splitlines())

    said = files.warnings(with_source(f"client_auth: private_key_jwt\nassertion:\n  key: |{indented}"))

    assert not any("can read the file" in line for line in said)

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clientcreds_proxy.config.reading.lookup import UnresolvedError
from clientcreds_proxy.config.reading.references import References, resolve_all

ENVIRON = {"NAME": "value", "EMPTY": "", "PATH": "/usr/bin:/bin", "TRICKY": "${env:NAME}"}
PASSWORDS = {("billing", "app"): "from the keyring", ("https://idp/token", "app"): "of a URL"}

ADDON = Path(__file__).parents[3] / "addon"
SCRIPT = """
from pathlib import Path
from clientcreds_proxy.config.reading.references import References
try:
    References({}).resolve("${keyring:billing/app}", Path())
except ValueError as error:
    print(error)
"""


def references(folder: Path) -> References:
    """With credentials of systemd and secrets of Kubernetes in the folder, and a keyring."""
    environ = ENVIRON | {"CREDENTIALS_DIRECTORY": str(folder), "CLIENTCREDS_K8S_SECRETS": str(folder)}
    return References(environ, keyring=lambda service, user: PASSWORDS.get((service, user)))


def resolved(text: str, folder: Path) -> str:
    return references(folder).resolve(text, folder).text


def refused(text: str, folder: Path) -> str:
    with pytest.raises(UnresolvedError) as caught:
        references(folder).resolve(text, folder)
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
        ("${keyring:billing/app}", "from the keyring"),
        ("${keyring:https://idp/token/app}", "of a URL"),
        ("x-${keyring:billing/app}-${env:NAME}", "x-from the keyring-value"),
        ("a urn:k8s:secret:billing:clientID", "a urn:k8s:secret:billing:clientID"),
        ("urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
    ],
)
def test_reference_is_replaced(text: str, meant: str, tmp_path: Path) -> None:
    assert resolved(text, tmp_path) == meant


@pytest.mark.parametrize(
    ("content", "meant"),
    [(b"x\n", "x"), (b"x\r\n", "x"), (b"x\n\n", "x\n"), (b"x", "x"), (b"", "")],
)
def test_file_loses_one_trailing_newline(content: bytes, meant: str, tmp_path: Path) -> None:
    """A15."""
    (tmp_path / "secret").write_bytes(content)

    assert resolved("${file:secret}", tmp_path) == meant
    assert resolved("${systemd:secret}", tmp_path) == meant


def test_kubernetes_secret_is_a_file_below_its_directory(tmp_path: Path) -> None:
    (tmp_path / "billing.v1").mkdir()
    (tmp_path / "billing.v1" / "client_ID").write_text("x\n")
    found = references(tmp_path)

    assert found.resolve("urn:k8s:secret:billing.v1:client_ID", tmp_path).text == "x"
    assert found.files == [tmp_path / "billing.v1" / "client_ID"]


def test_kubernetes_directory_has_a_default(tmp_path: Path) -> None:
    found = References(ENVIRON)

    with pytest.raises(UnresolvedError, match="which is /var/run/secrets/clientcreds"):
        found.resolve("urn:k8s:secret:no-such:secret", tmp_path)
    assert found.files == [Path("/var/run/secrets/clientcreds/no-such/secret")]


@pytest.mark.parametrize("text", ["${systemd:secret}", "${keyring:billing/app}"])
def test_what_does_not_change_by_itself_is_not_followed(text: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    found = references(tmp_path)

    found.resolve(text, tmp_path)

    assert found.files == []


def test_credential_needs_a_service_of_systemd(tmp_path: Path) -> None:
    with pytest.raises(UnresolvedError, match=r"\$CREDENTIALS_DIRECTORY is not set"):
        References(ENVIRON).resolve("${systemd:secret}", tmp_path)


def test_files_read_are_remembered(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    found = references(tmp_path)

    found.resolve("${file:secret}${file:secret}", tmp_path)

    assert found.files == [tmp_path / "secret"]


def test_command_runs_once_and_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("#!/bin/sh\necho x >> ran; echo secret\n")
    (tmp_path / "count").chmod(0o755)

    result = references(tmp_path).resolve("${cmd:./count} ${cmd:./count}", tmp_path)

    assert (result.text, result.is_reference) == ("secret secret", True)
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
        ("${ENV:NAME}", "did you mean ${env:NAME}?"),
        ("${environ:NAME}", "did you mean ${env:NAME}?"),
        ("${key-ring:a/b}", "did you mean ${keyring:SERVICE/USER}?"),
        ("${keyring:hunter2}", "expected ${keyring:SERVICE/USER}"),
        ("${keyring:/hunter2}", "expected ${keyring:SERVICE/USER}"),
        ("${keyring:hunter2/}", "expected ${keyring:SERVICE/USER}"),
        ("${keyring:no/such}", "the keyring holds no password for this service and user"),
        ("${systemd:missing}", "the file can't be read: No such file or directory"),
        ("${systemd:../hunter2}", "expected the name of a credential, without /"),
        ("${systemd:..}", "expected the name of a credential, without /"),
        ("urn:k8s:my-secret:my-secret:clientID", "expected urn:k8s:secret:NAME:KEY"),
        ("urn:k8s:secret:billing", "expected urn:k8s:secret:NAME:KEY"),
        ("urn:k8s:secret:a:b:c", "expected urn:k8s:secret:NAME:KEY"),
        ("urn:k8s:secret:Billing:key", "expected urn:k8s:secret:NAME:KEY"),
        ("urn:k8s:secret:billing:../hunter2", "expected urn:k8s:secret:NAME:KEY"),
        ("urn:k8s:secret:..:hunter2", "expected urn:k8s:secret:NAME:KEY"),
        ("URN:k8s:secret:a:b", "expected urn:k8s:secret:NAME:KEY"),
        (" urn:k8s:secret:a:b", "expected urn:k8s:secret:NAME:KEY"),
        ("${urn:k8s:secret:a:b}", "expected urn:k8s:secret:NAME:KEY, as the whole value and without ${}"),
        ("urn:k8s:secret:no-such:secret", "No such file or directory; expected NAME/KEY below"),
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


def test_pipe_is_refused(tmp_path: Path) -> None:
    """Opening one would wait for whoever writes to it."""
    os.mkfifo(tmp_path / "pipe")

    assert "it is a pipe" in refused("${file:pipe}", tmp_path)


def test_slow_command_is_refused(tmp_path: Path) -> None:
    found = References(ENVIRON, command_seconds=0.05)

    with pytest.raises(UnresolvedError, match=r"longer than 0\.05 s"):
        found.resolve("${cmd:sleep 10}", tmp_path)


def test_all_texts_of_a_tree_are_resolved(tmp_path: Path) -> None:
    tree = {"a": ["${env:NAME}", 1, {"b": "${env:GONE}"}], "c": "plain", "d": "$${x}", "e": None}

    all_of_it = resolve_all(tree, References(ENVIRON), tmp_path)

    assert all_of_it.value == {"a": ["value", 1, {"b": "${env:GONE}"}], "c": "plain", "d": "${x}", "e": None}
    assert all_of_it.referenced == {("a", 0)}
    assert all_of_it.wrong == {("a", 2, "b"): "the environment variable GONE is not set"}


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (
            "sys.modules['keyring'] = None",
            f"the library keyring is missing; install it with {sys.executable} -m pip install keyring",
        ),
        ("", "the keyring can't be read: NoKeyringError"),
    ],
)
def test_keyring_that_fails_says_how(before: str, said: str) -> None:
    """In a process of its own: whether there is a library keyring, and which keyring it finds, is global."""
    environ = {"PYTHONPATH": str(ADDON), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}

    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{before}\n{SCRIPT}"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == said

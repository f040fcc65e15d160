import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clientcreds_proxy.cli.main import commands

RULES = "version: 1\nrules: [{{name: a, match: {{host: {host}}}}}]\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of one's own: a home, nothing in the environment that matters."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name != "PATH":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "runtime").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))  # no proxy of this machine
    return tmp_path


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(commands, arguments, env=environ)


def values(*arguments: str, **environ: str) -> dict[str, str]:
    """What `env --json` says."""
    result = run("env", "--json", *arguments, **environ)
    assert result.exit_code == 0, result.output
    found: dict[str, str] = json.loads(result.stdout)
    return found


def test_ca_path_makes_the_ca(here: Path) -> None:
    result = run("ca", "path")

    certificate = here / ".mitmproxy" / "mitmproxy-ca-cert.pem"
    assert (result.exit_code, result.stdout) == (0, f"{certificate}\n")
    assert "BEGIN CERTIFICATE" in certificate.read_text()
    key = here / ".mitmproxy" / "mitmproxy-ca.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_ca_path_writes_the_certificate_of_a_ca_of_one_s_own(here: Path) -> None:
    """As mitmproxy's manual has it: certificate and key in mitmproxy-ca.pem, and nothing else."""
    run("ca", "path", "--confdir", "own")
    made = (here / "own" / "mitmproxy-ca-cert.pem").read_text()
    for path in (here / "own").iterdir():
        if path.name != "mitmproxy-ca.pem":
            path.unlink()

    result = run("ca", "path", "--confdir", "own")

    assert Path(result.stdout.strip()).read_text() == made


def test_ca_that_can_t_be_made_is_exit_code_1(here: Path) -> None:
    (here / "file").write_text("")

    result = run("ca", "path", "--confdir", "file/folder")

    assert result.exit_code == 1
    assert result.stderr == (
        "clientcreds: mitmproxy's CA can't be read or made: file/folder: Not a directory; "
        "--confdir DIR names another folder\n"
    )


def test_ca_bundle_prints_all_cas_or_writes_them(here: Path) -> None:
    printed, written = run("ca", "bundle"), run("ca", "bundle", "-o", "b.pem")

    assert printed.stdout.endswith((here / ".mitmproxy" / "mitmproxy-ca-cert.pem").read_text())
    assert (here / "b.pem").read_text() == printed.stdout
    assert written.stdout == ""


def test_ca_java_says_the_password(here: Path) -> None:
    result = run("ca", "java", "-o", "t.p12")

    assert f"-Djavax.net.ssl.trustStore={here / 't.p12'}" in result.stderr
    assert "the password is changeit" in result.stderr
    assert run("ca", "java").stdout_bytes[:1] == (here / "t.p12").read_bytes()[:1] == b"\x30"


def test_env_is_for_8080_unless_told_otherwise(here: Path) -> None:
    assert values()["http_proxy"] == "http://127.0.0.1:8080"
    assert run("env").stderr == (
        "clientcreds: no running proxy was found: this is for one on 127.0.0.1:8080\n"
    )
    assert values("--port", "3128")["http_proxy"] == "http://127.0.0.1:3128"
    assert values("--proxy", "http://id:s@[::1]:3128/")["HTTPS_PROXY"] == "http://id:s@[::1]:3128"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--proxy", "https://a.example:1"),
        ("--proxy", "a.example:1"),
        ("--proxy", "http://a.example:99999"),
        ("--proxy", "http://a.example/path"),
        ("--proxy", "http://a.example", "--port", "1"),
        ("--shell", "csh"),
    ],
)
def test_wrong_usage_is_exit_code_2(wrong: tuple[str, ...], here: Path) -> None:
    assert run("env", *wrong).exit_code == 2


def test_env_keeps_what_the_environment_says(here: Path) -> None:
    found = values(NODE_OPTIONS="--inspect", NO_PROXY="a.example", JAVA_TOOL_OPTIONS="-Xmx1g")

    assert found["NODE_OPTIONS"].startswith("--inspect --require ")
    assert found["NO_PROXY"] == found["no_proxy"] == "a.example,localhost,127.0.0.1,::1"
    assert found["JAVA_TOOL_OPTIONS"].startswith("-Xmx1g -Dhttp.proxyHost=")


@pytest.mark.parametrize("shell", ["docker", "systemd", "java"])
def test_env_for_another_place_has_nothing_of_this_one(shell: str, here: Path) -> None:
    result = run("env", "--shell", shell, NODE_OPTIONS="--inspect", NO_PROXY="a.example")

    assert "--inspect" not in result.stdout
    assert "a.example" not in result.stdout
    assert ("only you can read" in result.stderr) is (shell != "java")


def test_env_leads_to_a_ruled_host_on_this_machine(here: Path) -> None:
    (here / "clientcreds.yaml").write_text(RULES.format(host="localhost"))

    assert values(NO_PROXY="localhost,a.example")["NO_PROXY"] == "a.example"


def test_env_needs_no_secret_to_see_the_rules(here: Path) -> None:
    """The shell of an app has none."""
    (here / "c.yaml").write_text(
        "version: 1\n"
        "token_sources:\n"
        "  s: {token_url: https://idp.example/, client_id: a, client_secret: '${env:NOT_SET}'}\n"
        "rules: [{name: a, match: {host: localhost}, token_source: s}]\n"
    )

    assert values("--config", "c.yaml")["NO_PROXY"] == ""


def test_env_warns_of_a_ruled_host_that_no_proxy_hides(here: Path) -> None:
    (here / "clientcreds.yaml").write_text(RULES.format(host="api.a.example"))

    result = run("env", "--port", "8080", NO_PROXY="a.example")

    assert result.stderr == "clientcreds: warning: a.example in NO_PROXY hides the host of rule a\n"


def test_env_writes_its_files_for_others_where_it_is_told(here: Path) -> None:
    found = values("--files", "etc")

    assert found["SSL_CERT_FILE"] == str(here / "etc" / "bundle.pem")
    assert found["NODE_OPTIONS"] == f"--require {here}/etc/node_proxy.cjs"
    assert stat.S_IMODE((here / "etc" / "bundle.pem").stat().st_mode) == 0o644


def test_env_writes_its_files_into_the_users_cache_otherwise(here: Path) -> None:
    assert values()["SSL_CERT_FILE"] == str(here / ".cache" / "clientcreds" / "bundle.pem")
    assert values(XDG_CACHE_HOME=f"{here}/c")["WGETRC"] == str(here / "c" / "clientcreds" / "wgetrc")


def test_env_for_java_is_a_file_of_arguments(here: Path) -> None:
    lines = run("env", "--shell", "java", "--port", "3128").stdout.splitlines()

    assert lines[:2] == ["-Dhttp.proxyHost=127.0.0.1", "-Dhttp.proxyPort=3128"]
    assert json.loads(run("env", "--shell", "java", "--port", "3128", "--json").stdout) == lines


def test_ca_names_the_file_that_it_cannot_write(here: Path) -> None:
    for command in ("bundle", "java"):
        result = run("ca", command, "-o", "nowhere/file")

        assert (result.exit_code, result.stderr) == (
            1,
            "clientcreds: nowhere/file: No such file or directory\n",
        )
        assert not (here / "nowhere").exists()

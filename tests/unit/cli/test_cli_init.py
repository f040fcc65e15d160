import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trustme
from click.testing import Result

from clientcreds_proxy.cli.init.text import default_name, default_secret
from clientcreds_proxy.config.load import Config, load
from clientcreds_proxy.config.preset import NAMES, preset
from clientcreds_proxy.secret import Secret
from tests.simulators.authorization_server import AuthorizationServer
from tests.simulators.background import in_background
from tests.unit.cli.running import run

FLAGS = {
    "--host": "api.example.com",
    "--token-url": "https://idp.example.com/token",
    "--client-id": "my-app",
    "--secret": "env:MY_SECRET",
}
TEXTS = {
    "scopes": ("--scope", "a", "--scope", "b"),
    "audience": ("--audience", "https://api.example.com"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    with in_background(AuthorizationServer(client_id="my-app").running()) as running:
        yield running


def init(
    *more: str,
    without: str = "",
    environ: dict[str, str] | None = None,
    changed: Mapping[str, str] | None = None,
) -> Result:
    """With all flags that are needed but one, other values for some of them, and `more`."""
    flags = {**FLAGS, **{f"--{name.replace('_', '-')}": value for name, value in (changed or {}).items()}}
    words = [word for flag, value in flags.items() if flag != without for word in (flag, value)]
    return run("init", *words, *more, environ=environ)


def written(result: Result) -> Config:
    """What the printed configuration says; its secret is `made up`."""
    assert result.exit_code == 0, result.output
    Path("printed.yaml").write_text(result.stdout)
    return load(Path("printed.yaml"), environ={"MY_SECRET": "made up"})


def test_init_prints_what_check_accepts() -> None:
    config = written(init())

    (rule,) = config.rules
    source = config.sources["example"]
    assert (rule.name, rule.token_source) == ("example", "example")
    assert [str(pattern) for pattern in rule.match.hosts] == ["api.example.com"]
    assert (source.token_url, source.client_id) == ("https://idp.example.com/token", "my-app")
    assert source.client_secrets == (Secret("made up"),)
    assert config.warnings == ()


@pytest.mark.parametrize("name", NAMES)
def test_init_writes_every_preset(name: str, here: Path) -> None:
    own = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("a.example", key_type=trustme.KeyType.RSA)
    own.private_key_and_cert_chain_pem.write_to_path(here / "own.pem")
    (here / "own.pem").chmod(0o600)
    more = ["--provider", name]
    for key in preset(name).wants:
        value = "own.pem" if key.startswith("assertion.") else "acme"
        more += TEXTS.get(key, ("--set", f"{key}={value}"))

    by_key = preset(name).source.get("client_auth") == "private_key_jwt"
    config = written(init(*more, without="--secret" if by_key else ""))

    assert set(config.sources) == {"example"}
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("host", "name", "hosts", "port", "paths"),
    [
        ("https://api.example.com", "example", ["api.example.com"], None, []),
        ("https://api.example.com/v2/", "example", ["api.example.com"], None, ["/v2/**"]),
        ("https://www.acme.co:8443/a/b?c", "acme", ["www.acme.co"], 8443, ["/a/b/**"]),
        ("http://api.example.com:8080/", "example", ["api.example.com"], 8080, []),
        ("*.acme.example", "acme", ["*.acme.example"], None, []),
        ("127.0.0.1:8000", "api", ["127.0.0.1"], 8000, []),
        ("localhost", "localhost", ["localhost"], None, []),
    ],
)
def test_init_takes_a_host_or_a_url(
    host: str, name: str, hosts: list[str], port: int | None, paths: list[str]
) -> None:
    (rule,) = written(init(changed={"host": host})).rules

    assert rule.name == name
    assert [str(pattern) for pattern in rule.match.hosts] == hosts
    assert rule.match.ports == (frozenset({port}) if port else None)
    assert [str(pattern) for pattern in rule.match.paths] == paths


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("api.example.com", "https://api.example.com/"),
        ("https://api.example.com/v2", "https://api.example.com/v2/"),
        ("http://127.0.0.1:8000/v2", "http://127.0.0.1:8000/v2/"),
        ("*.example.com", "https://api.example.com/"),
        ("::1", "https://[::1]/"),
    ],
)
def test_init_s_example_is_a_request_that_the_rule_wins(host: str, url: str, here: Path) -> None:
    said = init(changed={"host": host}).stdout
    (here / "clientcreds.yaml").write_text(said)

    explained = run("explain", "--json", "GET", url, environ={"MY_SECRET": "made up"})

    assert f" -- curl {shlex.quote(url)} " in said
    assert json.loads(explained.stdout)["attached"], explained.output


def test_init_lets_the_proxy_speak_tls_for_an_app_that_speaks_http() -> None:
    (rule,) = written(init(changed={"host": "http://api.example.com/v2"})).rules

    assert (rule.upgrade_to_https, rule.match.ports) == (True, None)


def test_init_quotes_what_a_shell_would_split() -> None:
    said = init("-o", "my file.yaml", changed={"name": "my api"})

    assert said.exit_code == 0
    assert "clientcreds token 'my api' --config 'my file.yaml'" in Path("my file.yaml").read_text()


@pytest.mark.parametrize(
    ("host", "name", "secret"),
    [
        ("api.my-shop.com", "my-shop", "env:MY_SHOP_CLIENT_SECRET"),
        ("api.com", "api", "env:API_CLIENT_SECRET"),
        ("10.0.0.1:80", "api", "env:API_CLIENT_SECRET"),
    ],
)
def test_init_finds_names(host: str, name: str, secret: str) -> None:
    assert (default_name(host), default_secret(default_name(host))) == (name, secret)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"secret": "file:/run/it's"}, 'client_secret: "${file:/run/it\'s}"'),
        ({"secret": "cmd:pass show a"}, 'client_secret: "${cmd:pass show a}"'),
        ({"secret": "${env:MY_SECRET}"}, "client_secret: ${env:MY_SECRET}"),
        ({"secret": "urn:k8s:secret:a:b"}, "client_secret: urn:k8s:secret:a:b"),
        ({"client_id": "a: #b"}, 'client_id: "a: #b"'),
        ({"client_id": "123"}, 'client_id: "123"'),
        ({"scope": "a b,c"}, "scopes: [a, b, c]"),
        ({"set": "dpop=true"}, "dpop: true"),
        ({"set": "endpoint_params.tenant=true story"}, "  tenant: true story"),
    ],
)
def test_init_writes_values_as_yaml(flags: dict[str, str], line: str) -> None:
    result = init(changed=flags)

    assert f"    {line}\n" in result.stdout
    assert result.exit_code == 0


def test_init_nests_keys_that_are_set() -> None:
    more = ("--set", "token_request.format=json", "--set", "token_request.scope_separator=,")

    spec = written(init(*more)).sources["example"]

    assert (spec.token_request.format, spec.token_request.scope_separator) == ("json", ",")


def test_init_writes_an_issuer() -> None:
    spec = written(init("--issuer", "https://idp.example.com/", without="--token-url")).sources["example"]

    assert (spec.issuer, spec.token_url) == ("https://idp.example.com/", "")


@pytest.mark.parametrize(
    ("without", "more", "missing"),
    [
        ("--host", (), "--host"),
        ("--token-url", (), "--provider (or --token-url, or --issuer)"),
        ("--token-url", ("--provider", "keycloak"), "--token-url (or --issuer)"),
        ("--client-id", (), "--client-id"),
        ("--secret", (), "--secret"),
        ("", ("--provider", "auth0"), "--audience"),
        ("", ("--provider", "okta"), "--scope"),
        ("", ("--provider", "zoom"), "--set endpoint_params.account_id=…"),
    ],
)
def test_init_without_a_terminal_names_the_missing_flags(
    without: str, more: tuple[str, ...], missing: str
) -> None:
    result = init(*more, without=without)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"no terminal to ask at; missing: {missing}\n" in result.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"host": "exa mple"}, "--host: 'exa mple' is no host"),
        ({"host": "ftp://a.b"}, "--host: expected http://HOST"),
        ({"token_url": "http://idp.example.com/token"}, "token_url: expected https"),
        ({"set": "dpop=maybe"}, "dpop: expected true or false"),
        ({"set": "nope=1"}, "nope: unknown key"),
        ({"set": "nope"}, "--set: expected KEY=TEXT"),
        ({"provider": "oauth"}, "'oauth' is not one of"),
    ],
)
def test_init_refuses_what_check_would(flags: dict[str, str], message: str) -> None:
    result = init(changed=flags)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("secret", ["hunter2", "env:", "enV:X", "${env:X} }", "file:a}b"])
def test_init_does_not_repeat_what_may_be_the_secret(secret: str) -> None:
    result = init(changed={"secret": secret})

    assert result.exit_code == 2
    assert secret not in result.output.replace("env:NAME", "")


def test_init_writes_a_file_and_replaces_one_only_by_force(here: Path) -> None:
    first = init("-o", "c.yaml")
    again = init("-o", "c.yaml", changed={"name": "other"})
    forced = init("-o", "c.yaml", "--force", changed={"name": "other"})

    assert (first.exit_code, first.stdout) == (0, "")
    assert again.exit_code == 2
    assert "c.yaml is there already; --force replaces it" in again.stderr
    assert forced.exit_code == 0
    assert "clientcreds token other --config c.yaml" in (here / "c.yaml").read_text()
    assert init("--force").exit_code == 2


@pytest.mark.parametrize("output", [(), ("-o", "c.yaml")])
def test_init_tests_what_it_has_written(output: tuple[str, ...], server: AuthorizationServer) -> None:
    right = init("--test", *output, changed={"token_url": server.token_url}, environ={"MY_SECRET": "s3cr3t"})
    wrong = init("--test", changed={"token_url": server.token_url}, environ={"MY_SECRET": "wrong"})

    assert right.exit_code == 0
    assert "fetched by client_secret_basic" in right.stderr
    assert wrong.exit_code == 1
    assert "the server says: who are you?" in wrong.stderr
    assert list(Path().glob(".clientcreds-*")) == []


def test_init_says_when_the_secret_is_not_there_for_the_test(server: AuthorizationServer) -> None:
    result = init("--test", "-o", "c.yaml", changed={"token_url": server.token_url})

    assert result.exit_code == 1
    assert "the environment variable MY_SECRET is not set" in result.stderr


def test_init_asks_at_a_terminal(here: Path) -> None:
    """One answer after the other; a wrong one is asked for again, and what may be a secret not repeated."""
    answers = ["https://api.acme.com/v2", "auth0", "", "acme.eu.auth0.com", "https://acme.eu.auth0.com/"]
    answers += ["my-app", "hunter2", ""]
    answers += ["https://api.acme.com/", "read write"]
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "clientcreds_proxy.cli", "init"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3] / "addon")}
    os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())

    done = subprocess.run(
        command, stdin=theirs, capture_output=True, text=True, env=environ, timeout=30, check=False
    )

    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "Provider [other]: " in done.stderr
    assert "Error: not a URL; expected https://HOST/PATH" in done.stderr
    assert "expected where the secret lives, never the secret itself" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
    (here / "c.yaml").write_text(done.stdout)
    spec = load(here / "c.yaml", environ={"ACME_CLIENT_SECRET": "x"}).sources["acme"]
    assert (spec.issuer, spec.client_id) == ("https://acme.eu.auth0.com/", "my-app")
    assert (spec.audience, spec.scopes) == (("https://api.acme.com/",), ("read", "write"))


def test_init_writes_where_config_before_the_command_says(here: Path) -> None:
    flags = [word for pair in FLAGS.items() for word in pair]

    done = run("--config", "team.yaml", "init", *flags)
    twice = run("--config", "team.yaml", "init", "-o", "other.yaml", *flags)

    assert (done.exit_code, done.stdout) == (0, "")
    assert load(here / "team.yaml", environ={"MY_SECRET": "made up"}).rules
    assert (twice.exit_code, (here / "other.yaml").exists()) == (2, False)
    assert "name the file once" in twice.stderr


def test_init_names_the_file_that_it_cannot_write() -> None:
    main = [sys.executable, "-m", "clientcreds_proxy.cli", "init", "-o", "nowhere/a.yaml"]
    flags = [word for pair in FLAGS.items() for word in pair]

    done = subprocess.run([*main, *flags], stdin=subprocess.DEVNULL, capture_output=True, check=False)

    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"clientcreds: nowhere/a.yaml: No such file or directory\n"

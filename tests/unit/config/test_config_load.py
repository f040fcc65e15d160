import os
from dataclasses import FrozenInstanceError
from ipaddress import ip_network
from pathlib import Path

import pytest

from clientcreds_proxy.config.load import Log, attempt, load
from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.rules.model import ClientList
from tests.unit.config.files import SOURCE, Files, fits, pairs


def test_file_has_the_defaults_of_the_contract(files: Files) -> None:
    """Contract section 2, defaults."""
    config = files.load("version: 1\n")

    assert (config.rules, dict(config.sources)) == ((), {})
    assert (config.unmatched, config.intercept) == ("pass", "ruled")
    assert config.allowed_clients == ClientList(networks=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
    assert config.names_clients is False
    assert config.status_listen == ("127.0.0.1", 8082)
    assert config.log == Log(format="text", level="info")
    assert config.files == (files.main,)


def test_file_takes_every_key(files: Files) -> None:
    config = files.load(
        """
        version: 1
        unmatched: block
        intercept: all
        allowed_clients: [10.0.0.0/8, "user:alice"]
        status: {listen: "[::1]:80"}
        log: {format: json, level: debug}
        """
    )

    assert (config.unmatched, config.intercept) == ("block", "all")
    assert config.allowed_clients == ClientList(
        networks=(ip_network("10.0.0.0/8"),), users=frozenset({"alice"})
    )
    assert config.names_clients is True
    assert config.status_listen == ("::1", 80)
    assert config.log == Log(format="json", level="debug")


@pytest.mark.parametrize("off", ["status:", "status: null", "status: {listen: null}"])
def test_status_server_is_switched_off_by_null(off: str, files: Files) -> None:
    assert files.load(f"version: 1\n{off}\n").status_listen is None


def test_config_is_frozen(files: Files) -> None:
    config = files.load("version: 1\n")

    with pytest.raises(FrozenInstanceError):
        config.unmatched = "block"  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.sources["x"] = None  # type: ignore[index]


def test_file_without_rules_draws_a_warning(files: Files) -> None:
    """Contract section 2: `rules: []` is allowed and said."""
    assert files.warnings("version: 1\nrules: []\n") == [
        "1:1: no rules yet: every request is passed on as it is"
    ]
    assert files.warnings("version: 1\nunmatched: block\n") == ["1:1: no rules yet: every request is refused"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "1:1: the file is empty; expected version: 1 and rules"),
        ("# nothing\n", "1:1: the file is empty; expected version: 1 and rules"),
        ("hunter2", "1:1: expected a mapping with version and rules, found text"),
        ("[1]", "1:1: expected a mapping with version and rules, found a list"),
        ("{}", "1:1: version: is required"),
        *[
            (f"version: {it}", "1:1: version: expected 1, the only version there is")
            for it in ("2", "'1'", "true")
        ],
        (b"version: 1\nx: \xff", "2:4: not UTF-8 text"),
        (b"\xff\xfev\x00", "1:1: not UTF-8 text"),
    ],
)
def test_file_is_refused(text: str | bytes, line: str, files: Files) -> None:
    assert files.problems(text) == [line]


REFUSED = r"""
stores: []
  2:1: stores: expected a mapping, found a list
rules: {}
  2:1: rules: expected a list, found a mapping
rules:
  2:1: rules: expected a list, found null
token_sources: []
  2:1: token_sources: expected a mapping, found a list
unmached: block
  2:1: unmached: unknown key, did you mean 'unmatched'?
unmatched: blok
  2:1: unmatched: expected 'pass' or 'block'; did you mean 'block'?
log: {level: inf}
  2:7: log.level: expected 'debug', 'info', 'warning' or 'error'; did you mean 'info'?
log:
  2:1: log: expected a mapping, found null
allowed_clients: [x]
  2:19: allowed_clients[0]: 'x' is no client; expected 127.0.0.0/8, ::1 or user:alice
status: {listen: x}
  2:10: status.listen: expected ADDRESS:PORT, like 127.0.0.1:8082
status: {listen: "127.0.0.1:x"}
  2:10: status.listen: expected ADDRESS:PORT, like 127.0.0.1:8082
status: {listen: "0.0.0.0:1"}
  2:10: status.listen: expected a loopback address: the status server is for this machine only
version: 1
  2:1: version: duplicate key, first given in line 1
include: a.yaml
  2:1: include: expected a list, found text
include: []
  2:1: include: is empty; expected at least one
include: [5]
  2:11: include[0]: expected text, found a number; put it in quotes
include: [""]
  2:11: include[0]: is empty
"a\0b": 1
  2:1: …: unknown key, expected one of allowed_clients, include, intercept, log, …
{client_secret:hunter2}: 1
  2:1: a key must be text: put it in quotes
client_secret:hunter2: 1
  2:1: …: unknown key, expected one of allowed_clients, include, intercept, log, …
\tx: 1
  2:1: not valid YAML: …
"""


@pytest.mark.parametrize(("key", "line"), pairs(REFUSED))
def test_key_is_refused(key: str, line: str, files: Files) -> None:
    (problem,) = files.problems(f"version: 1\n{key.replace(chr(92) + 't', chr(9))}\n".encode())

    assert fits(problem, line)


def test_byte_order_mark_is_no_part_of_the_text(files: Files) -> None:
    assert files.problems(b"\xef\xbb\xbfversion: 1\n") == []


def test_all_problems_of_all_files_are_told_in_file_order(files: Files) -> None:
    files.write("b.yaml", "version: 3\nrules: [{name: x}]\n")
    files.write("a.yaml", "version: 1\nlog: {}\n")

    found = files.problems(
        """
        rules:
          - {name: 5, match: {host: "${env:GONE}", path: x}, token_source: nope}
        version: 2
        token_sources:
          s: {client_id: 1, client_id: 2, token_url: http://x.example}
        include: [b.yaml, a.yaml]
        """
    )

    places = [line.partition(": ")[0] for line in found]
    assert places == [
        "3:6",
        "3:23",
        "3:44",
        "3:54",
        "4:1",
        "6:7",
        "6:21",
        "6:35",
        "a.yaml:2:1",
        "b.yaml:1:1",
        "b.yaml:2:9",
    ]


def test_unreadable_file_is_one_problem(files: Files) -> None:
    done = attempt(files.folder / "gone.yaml", environ={})

    assert [str(problem) for problem in done.problems] == [
        f"{files.folder}/gone.yaml:1:1: can't be read: No such file or directory"
    ]
    assert done.files == (files.folder / "gone.yaml",)


@pytest.mark.parametrize(("path", "reason"), [("", "Is a directory"), ("a\0b", "not a path")])
def test_what_is_no_file_is_one_problem(path: str, reason: str, files: Files) -> None:
    (problem,) = attempt(files.folder / path, environ={}).problems

    assert problem.message == f"can't be read: {reason}"


def test_long_file_is_refused(files: Files) -> None:
    path = files.write("c.yaml", "")
    os.truncate(path, 16 * 2**20 + 1)

    (problem,) = attempt(path, environ={}).problems

    assert problem.message == "is longer than 16 MiB"


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipe_or_device_is_refused(kind: str, files: Files) -> None:
    """Reading one may never end."""
    path = Path("/dev/zero")
    if kind == "pipe":
        path = files.folder / "pipe"
        os.mkfifo(path)

    (problem,) = attempt(path, environ={}).problems

    assert problem.message == "can't be read: a pipe or a device; expected a file"


def test_load_raises_all_problems(files: Files) -> None:
    with pytest.raises(ConfigError) as caught:
        load(files.write("c.yaml", "version: 2\nx: 1\n"), environ={})

    assert len(caught.value.problems) == 2
    assert str(caught.value).count("\n") == 1
    assert caught.value.__context__ is None


def test_relative_paths_count_from_the_file_that_holds_them(files: Files) -> None:
    files.write("team/secret", "from team\n")
    files.write(
        "team/a.yaml",
        "version: 1\ntoken_sources:\n  s:\n    token_url: https://i.example\n    client_id: ${file:secret}\n",
    )

    config = files.load("version: 1\ninclude: [team/a.yaml]\n")

    assert config.sources["s"].client_id == "from team"
    assert files.folder / "team" / "secret" in config.files


def test_files_to_watch_are_told_when_they_are_wrong(files: Files) -> None:
    files.write("a.yaml", "version: 2")
    path = files.write("c.yaml", "version: 1\nlog: {format: '${file:gone}'}\ninclude: [a.yaml]\n")

    done = attempt(path, environ={})

    assert done.config is None
    assert set(done.files) == {path, files.folder / "gone", files.folder / "a.yaml"}


def test_reference_stands_in_any_text(files: Files) -> None:
    files.environ.update(MODE="block", TENANT="acme")

    config = files.load(
        f"""
        version: 1
        unmatched: ${{env:MODE}}
        token_sources: {{s: {{{SOURCE}}}}}
        rules:
          - {{name: "$${{a}}", match: {{host: "${{env:TENANT}}.example"}}, token_source: s}}
        """
    )

    assert config.unmatched == "block"
    assert config.rules[0].name == "${a}"
    assert str(config.rules[0].match.hosts[0]) == "acme.example"


def test_sources_whose_secrets_are_gone_are_named(files: Files) -> None:
    path = files.write(
        "c.yaml",
        """
        version: 1
        token_sources:
          one: {token_url: https://idp.example/t, client_id: a, client_secret: ["${env:SECRET}", "${file:x}"]}
          two: {token_url: https://idp.example/t, client_id: a, client_secret: "${env:SECRET}"}
        rules:
          - name: three
            match: {host: api.example.com}
            token_source: {token_url: https://idp.example/t, client_id: a, client_secret: "${env:GONE}"}
          - {name: four, match: {host: "${env:GONE}"}, token_source: two}
        """,
    )

    assert attempt(path, environ=files.environ).unreadable == {
        "one": "the file can't be read: No such file or directory",
        "three": "the environment variable GONE is not set",
    }


def test_unresolvable_reference_is_told_once(files: Files) -> None:
    """Contract section 2: with the key's position."""
    assert files.problems(
        """
        version: 1
        token_sources:
          s: {token_url: "${env:GONE}", client_id: a, scopes: ["${env:GONE_TOO}"], client_secret: x}
        rules: []
        """
    ) == [
        "4:7: token_sources.s.token_url: the environment variable GONE is not set",
        "4:56: token_sources.s.scopes[0]: the environment variable GONE_TOO is not set",
    ]

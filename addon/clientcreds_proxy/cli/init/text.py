"""The text of a first configuration: one source, one rule, and comments that lead on."""

import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clientcreds_proxy.config.load import attempt
from clientcreds_proxy.config.preset import preset
from clientcreds_proxy.errors import Problem
from clientcreds_proxy.migrate.write import scalar

_LISTS = {"scopes"}
_MADE_UP = "CLIENTCREDS_MADE_UP"
_UPGRADE = {
    False: (
        "    # For an app that can't trust the proxy's CA, and calls http:// instead:",
        "    # upgrade_to_https: true",
    ),
    True: (
        "    # The app calls http://, and the proxy speaks TLS to the API: no token leaves unencrypted.",
        "    upgrade_to_https: true",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was asked for."""

    name: str  # of the rule and of its source
    host: str  # with its port, where that is not https's own
    path: str = ""  # a pattern; empty: every path
    scheme: str = "https"  # that the app speaks, for the examples
    upgrade: bool = False  # the app speaks http, and a token must not leave so
    provider: str = ""  # a preset; empty: none
    token_url: str = ""
    issuer: str = ""
    client_id: str
    secret: str = ""  # where it lives: `${env:NAME}`; empty: this provider wants none
    more: Mapping[str, str] = field(default_factory=dict)  # further keys of the source, dotted

    @property
    def example(self) -> str:
        """A URL that the rule covers."""
        host = re.sub(r"^\*{1,2}\.", "api.", self.host)
        authority = f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host
        return f"{self.scheme}://{authority}{self.path.removesuffix('**') or '/'}"


def default_name(host: str) -> str:
    """What to call the API at this host: `example` for api.example.com."""
    labels = [label for label in host.partition(":")[0].split(".") if label.strip("*")]
    if len(labels) > 1 and not labels[-1].isdecimal():
        labels = labels[:-1]
    telling = [label for label in labels if label not in {"api", "www"}]
    return telling[-1] if telling and not telling[-1].isdecimal() else "api"


def default_secret(name: str) -> str:
    """The environment variable that its client secret may be in."""
    return f"env:{re.sub(r'[^A-Z0-9]+', '_', name.upper()).strip('_')}_CLIENT_SECRET"


def text_of(answers: Answers, file: str) -> str:
    """The configuration, to be written to `file`."""
    return "\n".join(
        [
            *_head(answers, file),
            "version: 1",
            "",
            "token_sources:",
            f"  {scalar(answers.name, inside=False)}:",
            *(f"    {line}" for line in _source(answers)),
            "",
            "rules:",
            f"  - name: {scalar(answers.name, inside=False)}",
            "    match:",
            f"      host: {scalar(answers.host, inside=False)}",
            f"      path: {scalar(answers.path, inside=False)}"
            if answers.path
            else "      # path: /v2/**  # every path, as long as this line is a comment",
            f"    token_source: {scalar(answers.name, inside=False)}",
            *_UPGRADE[answers.upgrade],
            "",
        ]
    )


def problems_of(answers: Answers) -> tuple[Problem, ...]:
    """What `check` says about it, once the secret is where it should be."""
    checked = replace(
        answers,
        secret=f"${{env:{_MADE_UP}}}" if answers.secret else "",
        more={
            key: str(Path(value).absolute()) if _is_file(key) else value
            for key, value in answers.more.items()
        },
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clientcreds.yaml")
        path.write_text(text_of(checked, path.name), encoding="utf-8")
        return attempt(path, environ={_MADE_UP: "made up"}).problems


def _head(answers: Answers, file: str) -> Iterator[str]:
    quoted, name = shlex.quote(file) if file else "", shlex.quote(answers.name)
    named = f" --config {quoted}" if file and file != "clientcreds.yaml" else ""
    variable = re.fullmatch(r"\$\{env:(\w+)\}", answers.secret)
    yield f"# Requests to {answers.host} leave with a token. What to do next:"
    yield "#"
    if variable:
        yield from _step(f"export {variable[1]}=…", "the client secret, which never stands in this file")
    yield from _step(f"clientcreds check {quoted}".rstrip(), "every mistake, line by line")
    yield from _step(f"clientcreds token {name}{named}", "fetch a token, and see what it is good for")
    yield from _step(f"clientcreds serve{named}", "the proxy, on 127.0.0.1:8080")
    command = f"clientcreds run{named} -- curl {shlex.quote(answers.example)}"
    yield from _step(command, "or one command through it")
    yield "#"


def _step(command: str, what: str) -> Iterator[str]:
    yield f"#   {command:<50}  {what}"


def _source(answers: Answers) -> Iterator[str]:
    if answers.provider:
        yield f"preset: {answers.provider}  # {preset(answers.provider).provider}"
    if answers.issuer:
        yield f"issuer: {scalar(answers.issuer, inside=False)}  # its metadata names the token endpoint"
    if answers.token_url:
        yield f"token_url: {scalar(answers.token_url, inside=False)}"
    yield f"client_id: {scalar(answers.client_id, inside=False)}"
    if answers.secret:
        plain = not re.search(r"[\s\"'#]|: ", answers.secret)
        yield f"client_secret: {answers.secret if plain else scalar(answers.secret)}"
    yield from _lines(_tree(answers.more))
    if "scopes" not in answers.more:
        yield "# scopes: [orders:read]  # what the API asks for"


def _tree(dotted: Mapping[str, str]) -> dict[str, object]:
    tree: dict[str, object] = {}
    for key, value in dotted.items():
        first, _, rest = key.partition(".")
        before = tree.get(first)
        if rest:
            tree[first] = {**(before if isinstance(before, dict) else {}), **_tree({rest: value})}
        else:
            tree[first] = value
    return tree


def _lines(tree: Mapping[str, object]) -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield f"{scalar(key)}:"
            yield from (f"  {line}" for line in _lines(value))
        elif key in _LISTS:
            yield f"{key}: [{', '.join(scalar(each) for each in str(value).replace(',', ' ').split())}]"
        else:
            text = str(value)
            plain = text in {"true", "false"}
            yield f"{scalar(key)}: {text if plain else scalar(text, inside=False)}"


def _is_file(key: str) -> bool:
    return key.startswith(("assertion.key", "assertion.certificate", "client.tls."))

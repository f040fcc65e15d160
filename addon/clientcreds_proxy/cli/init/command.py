"""`clientcreds init`: a first configuration, out of a few answers."""

import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from clientcreds_proxy.cli.init import answers as read
from clientcreds_proxy.cli.init.text import Answers, default_name, default_secret, problems_of, text_of
from clientcreds_proxy.cli.options import config_option
from clientcreds_proxy.cli.token_ import test_source
from clientcreds_proxy.config.preset import NAMES, preset
from clientcreds_proxy.tokens.server import endpoint

_SECRET_ASKED = "Where is the client secret? env:NAME, file:PATH, cmd:PROGRAM ARG or keyring:SERVICE/USER"
_EPILOG = """
\b
Examples:
  clientcreds init -o clientcreds.yaml                  asks, then writes
  clientcreds init --test -o clientcreds.yaml           … and fetches a token
  clientcreds init --host api.example.com --provider auth0 \\
    --token-url https://acme.eu.auth0.com/oauth/token --client-id my-app \\
    --secret env:ACME_SECRET --audience https://api.example.com/ -o clientcreds.yaml

\b
Exit codes:
  0  the configuration is written, or printed; with --test: and there is a token
  1  with --test: there is no token, and why; or the file can't be written
  2  wrong usage: without a terminal every answer must be a flag
"""


@click.command(epilog=_EPILOG, short_help="Write a first configuration, out of a few answers.")
@click.option("--host", metavar="HOST", help="The API's host (api.example.com), or a URL of the API.")
@click.option(
    "--provider", type=click.Choice([*NAMES, read.OTHER]), help="Who gives the tokens.", metavar="NAME"
)
@click.option("--token-url", metavar="URL", help="The token endpoint, unless the provider has only one.")
@click.option("--issuer", metavar="URL", help="Or the issuer, whose metadata names the token endpoint.")
@click.option("--client-id", metavar="ID", help="The client id.")
@click.option("--secret", metavar="REFERENCE", help="Where the client secret lives: env:NAME, file:PATH, …")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="A scope to ask for. Repeatable.")
@click.option("--audience", metavar="TEXT", help="The audience to ask for.")
@click.option("--set", "sets", multiple=True, metavar="KEY=TEXT", help="Another key of the token source.")
@click.option("--name", metavar="NAME", help="Name of the rule and of the token source.")
@click.option("--test", is_flag=True, help="Fetch a token with it.")
@click.option("-o", "--output", metavar="FILE", help="Write the configuration there instead of printing it.")
@click.option("--force", is_flag=True, help="Let -o replace a file.")
@config_option
@click.pass_obj
def init(
    before: str | None, /, *, test: bool, output: str | None, force: bool, config: str | None, **given: object
) -> None:
    """Write a first configuration: an API, who gives its tokens, where the secret lives.

    Asks for what no flag says. The secret itself is neither asked for nor written. With --config instead of
    -o the file is written there.
    """
    named = {each for each in (before, config, output) if each}
    if len(named) > 1:
        raise click.UsageError("name the file once: with -o or with --config")
    output = next(iter(named), None)
    if force and output is None:
        raise click.UsageError("--force is about the file that -o names")
    if output is not None and Path(output).exists() and not force:
        raise click.UsageError(f"{output} is there already; --force replaces it")
    answers = _Asking(given=given).answers()
    if problems := problems_of(answers):
        raise click.UsageError("\n".join(f"{_key_of(each.path)}: {each.message}" for each in problems))
    text = text_of(answers, output or "")
    if output is None:
        click.echo(text, nl=False)
    else:
        Path(output).write_text(text, encoding="utf-8")
        click.echo(f"{output} is written: its first lines say what to do next", err=True)
    if test:
        sys.exit(_test(text, answers.name, output))


def _test(text: str, name: str, output: str | None) -> int:
    if output is not None:
        return test_source(Path(output), name)
    with tempfile.NamedTemporaryFile("w", dir=".", prefix=".clientcreds-", suffix=".yaml") as file:
        file.write(text)  # here, for relative paths count from the file
        file.flush()
        return test_source(Path(file.name), name)


@dataclass(slots=True, kw_only=True)
class _Asking:
    """One question after the other; without a terminal, a list of the flags that are missing."""

    given: Mapping[str, object]
    missing: list[str] = field(default_factory=list)
    asked: bool = False

    def answers(self) -> Answers:
        """What the flags and the user say; a UsageError without a terminal where flags are missing."""
        api = self._answer("host", "API host, or a URL of the API", read.api)
        known = bool(self.given["token_url"] or self.given["issuer"])
        provider = read.OTHER if known and not self.given["provider"] else self._provider()
        chosen = preset(provider) if provider in NAMES else None
        token_url = issuer = ""
        if chosen is None or "token_url" not in chosen.source or known:
            token_url, issuer = self._endpoint(
                chosen.url if chosen else "https://idp.example.com/oauth2/token"
            )
        client_id = self._answer("client_id", "Client id", read.text)
        name = str(self.given["name"] or default_name(api.host))
        wants_secret = not chosen or chosen.source.get("client_auth") != "private_key_jwt"
        secret = ""
        if wants_secret or self.given["secret"]:
            secret = self._answer("secret", _SECRET_ASKED, read.secret, default=default_secret(name))
        more = self._more(chosen.wants if chosen else {})
        if self.missing:
            raise click.UsageError(f"no terminal to ask at; missing: {', '.join(self.missing)}")
        return Answers(
            name=name,
            host=api.host,
            path=api.path,
            scheme=api.scheme,
            upgrade=api.upgrade,
            provider=provider if chosen else "",
            token_url=token_url,
            issuer=issuer,
            client_id=client_id,
            secret=secret,
            more=more,
        )

    def _provider(self) -> str:
        if not self.given["provider"] and sys.stdin.isatty():
            click.echo(f"Providers: {', '.join(NAMES)}", err=True)
        flag = "--provider (or --token-url, or --issuer)"
        return self._answer("provider", "Provider", read.provider, flag=flag, default=read.OTHER)

    def _endpoint(self, example: str) -> tuple[str, str]:
        url, issuer = str(self.given["token_url"] or ""), str(self.given["issuer"] or "")
        if url or issuer:
            return url, issuer
        words = f"Token endpoint, like {example} (empty: I have an issuer)"
        flag = "--token-url (or --issuer)"
        url = self._answer("token_url", words, read.or_empty(endpoint.token_url), flag=flag, default="")
        if url or self.missing:
            return url, ""
        return "", self._answer("issuer", "Issuer", read.checked(endpoint.issuer))

    def _more(self, wants: Mapping[str, str]) -> dict[str, str]:
        more = dict(read.pair(each) for each in self._list("sets"))
        if scopes := self._list("scopes"):
            more["scopes"] = " ".join(scopes)
        if self.given["audience"]:
            more["audience"] = str(self.given["audience"])
        for key, what in wants.items():
            if key not in more:
                flag = {"scopes": "--scope", "audience": "--audience"}.get(key, f"--set {key}=…")
                more[key] = self._answer(key, what[0].upper() + what[1:], read.text, flag=flag)
        if self.asked:
            for key, words in (("scopes", "Scopes, separated by blanks"), ("audience", "Audience")):
                if key not in more and (said := self._answer(key, f"{words} (empty: none)", str, default="")):
                    more[key] = said
        return more

    def _answer[T](
        self, key: str, words: str, take: Callable[[str], T], *, flag: str = "", default: str | None = None
    ) -> T:
        said = self.given.get(key)
        if isinstance(said, str) and said:
            try:
                return take(said)
            except click.BadParameter as error:
                raise click.UsageError(f"--{key.replace('_', '-')}: {error.message}") from error
        if not sys.stdin.isatty():
            self.missing.append(flag or f"--{key.replace('_', '-')}")
            return take(_STAND_INS.get(key, "x"))
        self.asked = True
        found: T = click.prompt(words, value_proc=take, default=default, show_default=bool(default), err=True)
        return found

    def _list(self, key: str) -> list[str]:
        found = self.given[key]
        return [str(each) for each in found] if isinstance(found, tuple) else []


# For what is missing anyway.
_STAND_INS = {"secret": "env:X", "provider": "spotify", "host": "x.example", "token_url": ""}


def _key_of(path: str) -> str:
    """`client_id` for `token_sources.billing.client_id`."""
    return path.rpartition(".")[2] or path

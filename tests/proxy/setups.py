"""A set-up for `doctor` in which all is well, and the ways in which tests break it."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme

from clientcreds_proxy.cli.doctor.examine import Asked, examine
from clientcreds_proxy.cli.doctor.finding import Finding
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer, Reply, Seen

CONFIG = """
version: 1
status: null
token_sources:
  billing:
    token_url: TOKEN_URL
    client_id: app
    client_secret: ${env:SECRET}
    client: {timeout_seconds: 3, max_retries: 0}
rules:
  - name: billing
    match: {host: HOST, port: PORT, scheme: https, path: /v2/**}
    token_source: billing
"""


@dataclass(slots=True, kw_only=True)
class World:
    """A set-up in which all is well, until a test breaks it."""

    folder: Path
    idp: AuthorizationServer
    api: Api
    trusted: Path | None
    monkeypatch: pytest.MonkeyPatch
    port: int  # that the proxy would have
    config: str = CONFIG
    name: str = "clientcreds.yaml"
    confdir: Path | None = None
    host: str = "localhost"
    environ: dict[str, str] = field(default_factory=lambda: {"SECRET": "s3cr3t", "PATH": "/nowhere"})
    settings: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The configuration."""
        return self.folder / self.name

    def write(self) -> None:
        """Put the configuration where it is looked for."""
        places = {"TOKEN_URL": self.idp.token_url, "HOST": self.host, "PORT": str(self.api.port)}
        text = self.config
        for name, value in places.items():
            text = text.replace(name, value)
        self.path.write_text(text)

    async def findings(self) -> AsyncIterator[Finding]:
        """What doctor says."""
        self.write()
        if "SECRET" in self.environ:
            self.monkeypatch.setenv("SECRET", self.environ["SECRET"])
        trust = [f"ssl_verify_upstream_trusted_ca={self.trusted}"] if self.trusted else []
        asked = Asked(
            config=str(self.path),
            port=self.port,
            confdir=str(self.confdir or self.folder.parent / "confdir"),
            settings=(*trust, *self.settings),
            environ=self.environ,
        )
        async for finding in examine(asked):
            yield finding

    async def first_failing(self) -> Finding:
        """The first line that is not ok."""
        findings = self.findings()
        seen = []
        async for finding in findings:
            seen.append(finding)
            if finding.state == "fail":
                await findings.aclose()  # type: ignore[attr-defined]
                return finding
        raise AssertionError(f"all is well: {seen}")


def refusing(status: int, **members: str) -> Callable[[Seen], Reply]:
    return lambda _: Reply(
        status=status, body=json.dumps(members).encode(), headers={"Content-Type": "application/json"}
    )


Break = Callable[[World], None]


def secret(world: World) -> None:
    world.environ["SECRET"] = "wrong"


def client_id(world: World) -> None:
    world.config = world.config.replace("client_id: app", "client_id: other")


def audience(world: World) -> None:
    world.config = world.config.replace(
        "client_id: app", "client_id: app\n    audience: https://wrong.example"
    )
    world.idp.answers = refusing(403, error="access_denied", error_description="Client is not authorized")


def scope(world: World) -> None:
    world.config = world.config.replace("client_id: app", "client_id: app\n    scopes: [orders:write]")
    world.idp.answers = refusing(400, error="invalid_scope")


def audience_of_the_api(world: World) -> None:
    world.api.unauthorized |= {f"Bearer t{number}" for number in range(9)}


def clock(world: World) -> None:
    moment = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    world.idp.documents["/token"] = Reply(status=405, headers={"Date": moment})


def clock_behind(world: World) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    world.idp.documents["/token"] = Reply(status=405, headers={"Date": moment})


def no_proxy(world: World) -> None:
    world.environ["NO_PROXY"] = "corp.example,localhost"


def issuer(world: World) -> None:
    base = f"http://localhost:{world.idp.port}"
    document = {"issuer": f"{base}/", "token_endpoint": world.idp.token_url}
    reply = Reply(body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})
    world.idp.documents["/.well-known/openid-configuration"] = reply
    world.config = world.config.replace("token_url: TOKEN_URL", f"issuer: {base}")


def key(world: World) -> None:
    (world.folder / "key.pem").write_text("no key at all")
    (world.folder / "key.pem").chmod(0o600)
    own = "client_auth: private_key_jwt\n    assertion: {key: key.pem}"
    world.config = world.config.replace("client_secret: ${env:SECRET}", own)


def missing_key(world: World) -> None:
    own = "client_auth: private_key_jwt\n    assertion: {key: key.pem}"
    world.config = world.config.replace("client_secret: ${env:SECRET}", own)


def token_url(world: World) -> None:
    world.idp.answers = lambda _: Reply(status=404)


def no_server(world: World) -> None:
    world.idp.stop()


def no_store(world: World) -> None:
    store = f"{{redis: {{endpoints: ['localhost:{world.port}']}}, secret: 0123456789abcdef}}"
    world.config = world.config.replace("    client_id: app", f"    client_id: app\n    store: {store}")


def no_tls(world: World) -> None:
    world.config = world.config.replace("TOKEN_URL", f"https://localhost:{world.api.port}/token")


def no_api(world: World) -> None:
    world.config = world.config.replace("PORT", str(world.port))


def untrusted_api(world: World) -> None:
    world.trusted = None


def other_api(world: World) -> None:
    world.host = "127.0.0.2"


def untrusted_api_without_a_scheme(world: World) -> None:
    world.config = world.config.replace("scheme: https, ", "")
    world.trusted = None


def no_ca(world: World) -> None:
    (world.folder / "broken").mkdir()
    (world.folder / "broken" / "mitmproxy-ca.pem").write_text("no certificate")
    world.confdir = world.folder / "broken"


def syntax(world: World) -> None:
    world.config = world.config.replace("rules:", "rules: [")


def no_secret(world: World) -> None:
    del world.environ["SECRET"]


def no_secret_file(world: World) -> None:
    world.config = world.config.replace("${env:SECRET}", "${file:gone}")


def failing_command(world: World) -> None:
    world.config = world.config.replace("${env:SECRET}", "${cmd:/bin/false}")


def unknown_preset(world: World) -> None:
    world.config = world.config.replace("client_id: app", "client_id: app\n    preset: auth1")


def other_proxy(world: World) -> None:
    world.environ["HTTPS_PROXY"] = "http://me:hunter2@proxy.corp.example:3128"


def no_proxy_listens(world: World) -> None:
    world.environ |= dict.fromkeys(("https_proxy", "HTTPS_PROXY"), f"http://127.0.0.1:{world.port}")


def options(world: World) -> None:
    world.settings.append("ssl_insecure=perhaps")


def no_file(world: World) -> None:
    world.environ["SECRET"] = "s3cr3t"
    world.config = ""


def expired_certificate(world: World) -> None:
    begin, end = datetime.now(UTC) - timedelta(days=9), datetime.now(UTC) - timedelta(days=2)
    issued = trustme.CA().issue_cert("client.example", not_before=begin, not_after=end)
    issued.private_key_and_cert_chain_pem.write_to_path(world.folder / "client.pem")
    (world.folder / "client.pem").chmod(0o600)
    tls = "max_retries: 0, tls: {cert: client.pem, key: client.pem}"
    world.config = world.config.replace("max_retries: 0", tls)


def scope_of_the_api(world: World) -> None:
    world.api.response_headers.append(("WWW-Authenticate", 'Bearer error="insufficient_scope", scope="x"'))


def client_list(world: World) -> None:
    world.config = world.config.replace("rules:", "allowed_clients: [10.0.0.0/8]\nrules:")


def elsewhere_on_this_machine(world: World) -> None:
    world.environ["http_proxy"] = "localhost:1"


def nonsense(world: World) -> None:
    world.environ["https_proxy"] = "http://[::1:80"


def nobody(world: World) -> None:
    world.host = "nobody.invalid"

"""A gateway's file imported, loaded as the proxy loads it, and asked about requests."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, unquote_plus, urlsplit

from clientcreds_proxy.config.load import Config, load
from clientcreds_proxy.migrate.importer import Gateway, Imported, convert
from clientcreds_proxy.rules.decision import Arrival, Gate
from clientcreds_proxy.rules.host import normalise
from clientcreds_proxy.rules.model import Destination, RequestFacts, Rule, Scheme
from clientcreds_proxy.rules.rulebook import RuleBook
from clientcreds_proxy.tokens.asking.grant import encode
from clientcreds_proxy.tokens.model import SourceSpec
from clientcreds_proxy.tokens.proof.client_auth import attempts

HERE = Path(__file__).parent
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the authorization server gets, and which header the API."""

    at: str  # the token endpoint, or the issuer
    basic: str = ""  # `id:secret`
    form: Mapping[str, str | list[str]] = field(default_factory=dict)  # without grant_type=client_credentials
    header: str = "Authorization: Bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file, the secrets that its user sets, and what becomes of requests: `METHOD URL`."""

    file: str
    requests: Mapping[str, Asked | None]  # None: a rule without a token, or no rule at all
    environ: Mapping[str, str] = field(default_factory=dict)
    mounted: Mapping[str, str] = field(default_factory=dict)  # NAME/KEY of Kubernetes' secrets
    lost: tuple[str, ...] = ()  # the paths of what was not carried over


def imported(gateway: Gateway, file: str) -> Imported:
    """The import of a file beside this one."""
    return convert(gateway, (HERE / gateway / file).read_text(), file)


def loaded(found: Imported, environ: Mapping[str, str], mounted: Mapping[str, str] | None = None) -> Config:
    """The configuration, as the proxy loads it."""
    with TemporaryDirectory() as folder:
        for name, value in (mounted or {}).items():
            path = Path(folder, "secrets", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(value)
        path = Path(folder, "rules.yaml")
        path.write_text(found.config)
        return load(path, environ={**environ, "CLIENTCREDS_K8S_SECRETS": str(Path(folder, "secrets"))})


def winner(config: Config, request: str) -> Rule | None:
    """The rule that wins a request: `METHOD URL`. It is refused nowhere."""
    method, _, url = request.partition(" ")
    parts = urlsplit(url)
    scheme: Scheme = "https" if parts.scheme == "https" else "http"
    host = normalise(parts.hostname or "")
    destination = Destination(scheme=scheme, host=host, port=parts.port or PORTS[scheme])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    arrival = Arrival(
        facts=RequestFacts(destination=destination, method=method, target=target),
        named=(parts.netloc,),
        server_name=host if scheme == "https" else None,
        headers=(("Accept", "*/*"),),
        client_address="127.0.0.1",
        client_user=None,
        upstream_verified=True,
        stays_here=True,
    )
    gate = Gate(
        book=RuleBook(config.rules), allowed_clients=config.allowed_clients, unmatched=config.unmatched
    )
    decision = gate.admit(arrival, gate.find(arrival))
    return decision.rule if decision else None


def asked(config: Config, request: str) -> Asked | None:
    """What is asked of the authorization server for a request, and where the token goes."""
    rule = winner(config, request)
    if rule is None or rule.token_source is None:
        return None
    spec = config.sources[rule.token_source]
    basic, form = token_request(spec)
    header = f"{rule.attach.header}: {rule.attach.scheme}".rstrip()
    return Asked(at=spec.token_url or spec.issuer or "", basic=basic, form=form, header=header)


def token_request(spec: SourceSpec) -> tuple[str, dict[str, str | list[str]]]:
    """The credentials in the header of the first token request, and its form."""
    grant = encode(spec, attempts(spec)[0])
    headers = dict(grant.headers)
    credentials = base64.b64decode(headers.get("Authorization", "").removeprefix("Basic ")).decode()
    form: dict[str, str | list[str]] = {
        name: values if len(values) > 1 else values[0]
        for name, values in parse_qs(grant.body.decode()).items()
    }
    if form["grant_type"] == "client_credentials":
        del form["grant_type"]
    if spec.token_request.basic_encoding == "raw":
        return credentials, form
    return unquote_plus(credentials), form


def tokens(gateway: Gateway, text: str, *requests: str) -> tuple[Imported, Mapping[str, bool]]:
    """What was imported, and which of the requests get a token."""
    found = convert(gateway, text, "gateway.yaml")
    config = loaded(found, dict.fromkeys(found.variables, "0123456789abcdef"))
    rules = {request: winner(config, request) for request in requests}
    return found, {request: bool(rule and rule.token_source) for request, rule in rules.items()}

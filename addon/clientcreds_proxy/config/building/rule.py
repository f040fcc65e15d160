"""A rule's keys among each other: what contradicts, what is risky, and the `Rule` they make."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from clientcreds_proxy.config.building.bound import check_bound_rule, scheme
from clientcreds_proxy.config.building.claims import check_claims
from clientcreds_proxy.config.building.leading import Placed, check_leading
from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.keys import model as keys
from clientcreds_proxy.config.keys.model_source import TokenSource
from clientcreds_proxy.martian.inspect import folders, without_effect
from clientcreds_proxy.martian.parse import parse
from clientcreds_proxy.martian.problem import ModifierError
from clientcreds_proxy.rules.clients import parse_client
from clientcreds_proxy.rules.host import is_loopback
from clientcreds_proxy.rules.model import Attach, ClientList, Match, Rule
from clientcreds_proxy.rules.pattern import HostPattern, parse_host, parse_path
from clientcreds_proxy.tokens.claims.expression import parse_expression
from clientcreds_proxy.tokens.claims.values import parse_claim


def build_rule(
    model: keys.Rule, place: Place, *, source: tuple[str, TokenSource] | None, modifiers: Sequence[Placed]
) -> list[Rule]:
    """The rule, its problems and warnings noted at `place`.

    Hosts with different ports make one rule for each port: `[a:8443, b:9443]` does not cover a:9443.
    """
    rules = [
        Rule(
            name=model.name,
            match=match,
            token_source=source[0] if source else None,
            attach=_attach(model, source[1] if source else None),
            claims=parse_expression(model.claims) if model.claims else None,
            forward_headers=tuple(
                (name, parse_claim(claim)) for name, claim in model.forward_headers.items()
            ),
            username_claim=parse_claim(model.username_claim) if model.username_claim else None,
            modifiers=tuple(modifier for modifier, _ in modifiers),
            upgrade_to_https=model.upgrade_to_https,
            on_unauthorized=model.on_unauthorized,
            on_token_failure=model.on_token_failure,
            allowed_clients=_allowed_clients(model),
            allow_plain_http=model.allow_plain_http,
            allow_cross_site=model.allow_cross_site,
            allow_encoded_slash=model.allow_encoded_slash,
            allow_empty_segments=model.allow_empty_segments,
        )
        for match in _matches(model.match, place.at("match"))
    ]
    check_claims(model, place)
    if source:
        _check_attach(rules[0], source[1], place)
        check_bound_rule(model, source[1], place)
        _check_plaintext(rules, place)
        check_leading(rules, modifiers)
    elif "attach" in model.model_fields_set:
        place.at("attach").warn("has no effect without a token_source")
    return rules


def build_modifiers(value: object, place: Place) -> list[Placed]:
    """The modifiers of a rule, in the order they run, each with the place of its tree."""
    trees = (
        [(tree, place.at(index)) for index, tree in enumerate(value)]
        if isinstance(value, list)
        else [(value, place)]
    )
    built: list[Placed] = []
    for tree, at in trees:
        try:
            built.append((parse(tree, folder=str(place.files.directory)), at))
        except ModifierError as error:
            for path, message in error.problems:
                at.at(*path).foreign(message)
    for modifier, at in built:
        for path, name in without_effect(modifier):
            at.at(*path).warn(f"{name} is accepted and does nothing, as in KrakenD")
        for path, folder in folders(modifier):
            if not Path(folder).is_dir():
                at.at(*path).problem("there is no folder at this path")
    return built


def client_list(entries: Sequence[str]) -> ClientList:
    """The clients that `allowed_clients` names."""
    clients = [parse_client(entry) for entry in entries]
    return ClientList(
        networks=tuple(client for client in clients if not isinstance(client, str)),
        users=frozenset(client for client in clients if isinstance(client, str)),
    )


def _allowed_clients(model: keys.Rule) -> ClientList | None:
    given = "allowed_clients" in model.model_fields_set
    return client_list(model.allowed_clients) if given else None


def _attach(model: keys.Rule, source: TokenSource | None) -> Attach:
    start = source.attach if source else model.attach
    own = model.attach.model_fields_set
    return Attach(
        header=model.attach.header if "header" in own else start.header,
        scheme=scheme(source, model.attach.scheme if "scheme" in own else start.scheme),
        when_present=model.attach.when_present,
    )


def _matches(match: keys.Match, place: Place) -> Iterator[Match]:
    by_port: dict[int | None, list[HostPattern]] = {}
    for text in match.host:
        pattern, port = parse_host(text)
        by_port.setdefault(port, []).append(pattern)
    if match.port and by_port.keys() != {None}:
        place.at("port").problem("host names a port, too; expected one of them")
    ports = match.port if match.port == "any" else frozenset(match.port) or None
    for short, hosts in by_port.items():
        yield Match(
            hosts=tuple(hosts),
            paths=tuple(parse_path(path) for path in match.path),
            methods=frozenset(match.methods),
            schemes=frozenset(match.scheme),
            ports=frozenset({short}) if short else ports,
            query=tuple((name, frozenset(values)) for name, values in match.query.items()),
        )


def _check_attach(rule: Rule, source: TokenSource, place: Place) -> None:
    forwarded = {name.lower() for name, _ in rule.forward_headers}
    if rule.attach.header.lower() in forwarded:
        place.at("forward_headers").problem("names the header that carries the token")
    if forwarded & {name.lower() for name in source.api_headers}:
        place.at("forward_headers").problem("names a header that the source's api_headers set")
    if rule.attach.header.lower() in (name.lower() for name in source.api_headers):
        place.at("token_source").problem("the source's api_headers set the header that carries the token")


def _check_plaintext(rules: Sequence[Rule], place: Place) -> None:
    rule = rules[0]
    if rule.upgrade_to_https or rule.match.schemes == {"https"}:
        return
    on_loopback = [is_loopback(host.base) for each in rules for host in each.match.hosts]
    if rule.allow_plain_http and not all(on_loopback):
        place.at("allow_plain_http").warn("tokens leave unencrypted: who sees them on their way can use them")
    elif rule.match.schemes == {"http"} and not any(on_loopback):
        place.at("match", "scheme").warn(
            "no token leaves over plain http: every request is refused unless upgrade_to_https or "
            "allow_plain_http is set"
        )

"""Envoy's listeners, routes and clusters as rules.

How Envoy listens, connects, balances, retries and observes is its own affair and left out without a word;
what is looked at key by key are the filter, the endpoint of the tokens, and the conditions of the routes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Match, Rule, filled, one_or_many
from clientcreds_proxy.migrate.envoy.cluster import Cluster, clusters
from clientcreds_proxy.migrate.envoy.field import field, type_of
from clientcreds_proxy.migrate.envoy.headers import modifiers
from clientcreds_proxy.migrate.envoy.injector import Injector, enabled, injectors_of
from clientcreds_proxy.migrate.envoy.place import Route, domains, route
from clientcreds_proxy.migrate.notes import Page
from clientcreds_proxy.migrate.read import documents, refuse

_ANSWERS = ("direct_response", "redirect", "non_forwarding_action")  # instead of `route`
_OF_ONE_CLUSTER = (
    *("request_headers_to_add", "request_headers_to_remove", "response_headers_to_add"),
    *("response_headers_to_remove", "typed_per_filter_config", "host_rewrite_literal"),
)
_FILL_IN = "fill in the host that clients call"
_TEMPLATE = "a template, no configuration; expected what Envoy itself reads"


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    draft: Draft
    secrets: dict[str, At]
    clusters: dict[str, Cluster]


def read_envoy(text: str, draft: Draft) -> None:
    """All rules of a bootstrap; ConfigError where it is none."""
    file = draft.notes.file
    try:
        found = documents(text, file)
    except ConfigError:
        if (position := text.find("{{")) >= 0:
            raise refuse(file, text, position, _TEMPLATE) from None
        raise
    root = At(Page(draft.notes, found[0]), found[0].value())
    static = field(root, "static_resources") if isinstance(root.value, dict) else root
    if len(found) > 1 or not isinstance(static.value, dict) or static is root:
        raise refuse(
            file, text, 0, "no bootstrap of Envoy; expected static_resources with listeners and clusters"
        )
    if field(root, "dynamic_resources").given:
        field(root, "dynamic_resources").lost("what Envoy gets from elsewhere is not in this file")
    draft.in_order = True
    whole = _File(draft=draft, secrets=_secrets(static), clusters=clusters(static.at("clusters").items()))
    for listener in static.at("listeners").items():
        _listener(listener, whole)
    for cluster in whole.clusters.values():
        _cluster(cluster, whole)
    static.finish(("listeners", "clusters", "secrets"))
    draft.remark("clients call the API's own URL, where they called the listener before")


def _secrets(static: At) -> dict[str, At]:
    return {
        secret.at("name").text(): field(secret, "generic_secret", "secret")
        for secret in static.at("secrets").items()
    }


def _cluster(cluster: Cluster, file: _File) -> None:
    """The rule of a cluster whose own filters attach tokens, whatever route leads to it."""
    for _, options in field(cluster.at, "typed_extension_protocol_options").members():
        filters = field(options, "http_filters")
        found = injectors_of(filters, file.draft, secrets=file.secrets, known=file.clusters)
        made = enabled(found, [], filters)
        if made is not None:
            match = Match(hosts=cluster.hosts(), schemes=() if cluster.tls else ("http",))
            _add(Rule(hint=cluster.at.at("name").text(), match=match, at=cluster.at), made, cluster, file)


def _listener(listener: At, file: _File) -> None:
    chains = [*field(listener, "filter_chains").items(), field(listener, "default_filter_chain")]
    for chain in chains:
        plain = not field(chain, "transport_socket").given
        for each in chain.at("filters").items():
            config = field(each, "typed_config")
            if type_of(config) == "HttpConnectionManager":
                _connections(config, file, plain=plain)


def _connections(config: At, file: _File, *, plain: bool) -> None:
    made = injectors_of(field(config, "http_filters"), file.draft, secrets=file.secrets, known=file.clusters)
    if not made:
        return
    routes = field(config, "route_config")
    if not routes.given:
        config.lost(f"its routes come from elsewhere (RDS): {_FILL_IN}")
        _add(Rule(hint="routes", match=Match(hosts=()), at=config, off=_FILL_IN), made[0], None, file)
    hosts = field(routes, "virtual_hosts").items()
    for host in sorted(hosts, key=lambda each: "*" in each.at("domains").texts()):
        if host.at("matcher").given:
            host.at("matcher").lost("a tree of conditions: routes are read from lists alone")
        for each in host.at("routes").items():
            _route(each, [each, host, routes], made, file, plain=plain)


def _route(at: At, levels: list[At], injectors: list[Injector], file: _File, *, plain: bool) -> None:
    found = route(at.at("match"))
    name = levels[1].at("name").text() or "route"
    if at.at("match", "prefix").text() not in ("", "/"):
        file.draft.group(
            at.at("match"),
            "prefix takes whole segments here: /v1/** is not /v10, which Envoy takes for it, too",
        )
    if answers := [key for key in _ANSWERS if field(at, key).given]:
        _answered(field(at, answers[0]), levels[1], found, file)
        return
    made = enabled(injectors, levels, at)
    headers = modifiers(levels, file.draft) if made else []
    for cluster in _clusters_of(at.at("route"), file):
        for match, problem in _matches(at, levels[1], found, cluster):
            rule = Rule(hint=name, match=match, at=at, off=problem, among=levels[1].where)
            if made is None:
                file.draft.rules += [rule] if match.hosts else []
                continue
            if problem is not None:
                at.at("match").lost(problem)
            rule.keys = filled({"modifiers": one_or_many(headers) if headers else None})
            if plain and cluster.tls and match.hosts == _own_hosts(at, cluster):
                rule.keys["upgrade_to_https"] = True
                file.draft.remark(
                    "upgrade_to_https: clients spoke http to Envoy, and it spoke TLS to the API"
                )
            _add(rule, made, cluster, file)


def _answered(answer: At, host: At, found: Route, file: _File) -> None:
    """Keep the requests that Envoy answers itself from the tokens of the virtual host's other routes."""
    actions = [each.at("route") for each in host.at("routes").items()]
    led = [cluster for action in actions if action.given for cluster in _clusters_of(action, file)]
    if led:
        answer.note("Envoy answers these requests itself: here they go to the API, without a token")
        own = [name for cluster in led for name in cluster.hosts()]
        match = _placed(found.match, tuple(dict.fromkeys((*own, *domains(host)[0]))), ())
        name = host.at("name").text() or "route"
        file.draft.rules.append(Rule(hint=name, match=match, at=answer, off=_unsaid(found), among=host.where))


def _clusters_of(action: At, file: _File) -> Iterator[Cluster]:
    names = [action.at("cluster").text()]
    weighted = field(action, "weighted_clusters").at("clusters").items()
    names += [each.at("name").text() for each in weighted if each.at("weight").number() != 0]
    for each in weighted:
        for key in _OF_ONE_CLUSTER:
            if field(each, key).given:
                field(each, key).lost("for one of several clusters: a rule is for all of them")
    for each in weighted or [action]:
        if each.given and not any(each.at(key).text() for key in ("cluster", "name")):
            each.lost("a cluster that is chosen for each request")
    for name in filter(None, names):
        if name in file.clusters:
            yield file.clusters[name]
        else:
            action.lost("a cluster that is not in this file")


def _own_hosts(at: At, cluster: Cluster) -> tuple[str, ...]:
    return cluster.hosts(field(at, "route", "host_rewrite_literal").text())


def _matches(at: At, host: At, found: Route, cluster: Cluster) -> Iterator[tuple[Match, str | None]]:
    """The API's own URLs, and the names that clients called so far; each with why no rule can say it."""
    action = at.at("route")
    names, others = domains(host)
    hosts = _own_hosts(at, cluster)
    rewrite = field(action, "prefix_rewrite").text()
    behind = found.rewritten(rewrite) if rewrite else found.match
    problem = _problem(found, action)
    schemes = () if cluster.tls else ("http",)
    yield (
        _placed(behind, hosts, schemes),
        problem or (None if hosts else f"a cluster without addresses: {_FILL_IN}"),
    )
    bare = {name.partition(":")[0] for name in hosts}
    foreign = tuple(name for name in names if name.partition(":")[0] not in bare)
    if others:
        host.at("domains").lost("a domain that no rule can say")
    if foreign and hosts:
        yield _placed(found.match, foreign, ()), _unsaid(found)


def _problem(found: Route, action: At) -> str | None:
    rewrites = [
        name for name in ("regex_rewrite", "path_rewrite_policy", "path_rewrite") if field(action, name).given
    ]
    if rewrites:
        return f"the API's own path is not known: {rewrites[0]} makes it"
    return _unsaid(found)


def _unsaid(found: Route) -> str | None:
    if not found.unsaid:
        return None
    return f"no rule can say {' and '.join(found.unsaid)}: without it a token would go to more requests"


def _placed(match: Match, hosts: tuple[str, ...], schemes: tuple[str, ...]) -> Match:
    return Match(hosts=hosts, schemes=schemes, paths=match.paths, methods=match.methods, query=match.query)


def _add(rule: Rule, made: Injector, cluster: Cluster | None, file: _File) -> None:
    rule.source = made.source
    rule.keys = {**rule.keys, **made.rule}
    if "http" in rule.match.schemes and not rule.match.stays_here:
        rule.keys["allow_plain_http"] = True
        at = cluster.at if cluster else rule.at
        file.draft.group(at, "plain http: the token leaves unencrypted, as it does from Envoy")
    if not rule.match.hosts and rule.off is None:
        rule.off = _FILL_IN
        rule.at.lost(f"a cluster without addresses: {_FILL_IN}")
    file.draft.rules.append(rule)

"""The resources of a file as rules: one for each alternative of each route that uses a Middleware."""

from collections.abc import Iterator
from dataclasses import replace

from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Match, Rule
from clientcreds_proxy.migrate.notes import Page
from clientcreds_proxy.migrate.read import documents, refuse
from clientcreds_proxy.migrate.traefik.chain import Chains, Key, name_of
from clientcreds_proxy.migrate.traefik.match import Found, MatchError, alternatives
from clientcreds_proxy.migrate.traefik.middleware import Middleware
from clientcreds_proxy.migrate.traefik.urn import Secrets, contents

_TEMPLATE = "a template, no resources; expected what `helm template` or the like makes of it"
_FILL_IN = "fill in the host that clients call"
_SAME_NAME = (
    "several Kubernetes secrets of this name, in different namespaces: there is one folder for both here"
)
# Resources that say nothing about tokens.
_MEANINGLESS = frozenset(
    {
        *(
            "Secret",
            "ConfigMap",
            "Namespace",
            "Service",
            "ServiceAccount",
            "Deployment",
            "StatefulSet",
            "DaemonSet",
        ),
        *(
            "Pod",
            "Role",
            "RoleBinding",
            "ClusterRole",
            "ClusterRoleBinding",
            "CustomResourceDefinition",
            "Job",
        ),
        *("TLSOption", "TLSStore", "ServersTransport", "ServersTransportTCP", "IngressClass", "GatewayClass"),
        *("Gateway", "Certificate", "Issuer", "ClusterIssuer", "HorizontalPodAutoscaler", "NetworkPolicy"),
        *(
            "PodDisruptionBudget",
            "PersistentVolumeClaim",
            "IngressRouteTCP",
            "IngressRouteUDP",
            "MiddlewareTCP",
        ),
    }
)
# How Traefik listens, and what it does behind a route.
_OF_INGRESS_ROUTES = ("routes", "entryPoints", "tls", "ingressClassName", "parentRefs")
_OF_ROUTES = ("kind", "match", "priority", "syntax", "services", "observability")


def read_traefik(text: str, draft: Draft) -> None:
    """All rules of a file of resources; ConfigError where it is none."""
    resources = list(_resources(text, draft))
    if not any(isinstance(each.value, dict) and "kind" in each.value for each in resources):
        raise refuse(draft.notes.file, text, 0, "no Kubernetes resources; expected a Middleware and its like")
    draft.in_order = True
    by_kind: dict[str, list[At]] = {}
    for each in resources:
        by_kind.setdefault(each.at("kind").text(), []).append(each)
    known: Secrets = {
        (*name_of(secret), key): value
        for secret in by_kind.get("Secret", ())
        for key, value in contents(secret).items()
    }
    chains = Chains(by_kind.get("Middleware", ()))
    middlewares = _middlewares(by_kind.get("Middleware", []), chains, draft, known)
    known_names = {name_of(each) for each in by_kind.get("Middleware", [])}
    used = _routes(by_kind.get("IngressRoute", []), middlewares, draft, chains=chains, known=known_names)
    for name, middleware in middlewares.items():
        if name not in used:
            middleware.at.note(f"no IngressRoute here uses it: its rule is a comment; {_FILL_IN}")
            draft.rules.append(_rule(middleware, middleware.at, Match(hosts=()), off=_FILL_IN))
    for kind, ats in by_kind.items():
        if kind and kind not in {"Middleware", "IngressRoute", *_MEANINGLESS}:
            ats[0].at("kind").lost(
                "routes are read from IngressRoute; this kind is not known to this importer"
            )
    draft.remark(
        "the Host of a route is taken for the API's own: change match.host where the API has another name"
    )


def _resources(text: str, draft: Draft) -> Iterator[At]:
    """Every resource, also those inside a List, with paths that begin with its kind and name."""
    file = draft.notes.file
    try:
        found = documents(text, file)
    except ConfigError:
        if (position := text.find("{{")) >= 0:
            raise refuse(file, text, position, _TEMPLATE) from None
        raise
    for document in found:
        page = Page(draft.notes, document)
        whole = At(page, document.value())
        if not isinstance(whole.value, dict):
            if whole.given:
                whole.lost("no resource: expected a mapping with kind")
            continue
        items = whole.at("items").items() if whole.at("kind").text() == "List" else [whole]
        for item in items:
            namespace, name = name_of(item)
            label = "/".join(filter(None, (item.at("kind").text(), namespace, name)))
            item.page = Page(draft.notes, document, label if label.isprintable() else "")
            yield At(item.page, item.value, item.path)


def _middlewares(resources: list[At], chains: Chains, draft: Draft, known: Secrets) -> dict[Key, Middleware]:
    found: dict[Key, Middleware] = {}
    for resource in resources:
        if name_of(resource) in chains:
            continue
        spec = resource.at("spec")
        at = spec.at("plugin").either("oAuthClientCredentials", "oauthClientCredentials")
        at = at if at.given else spec.at("oAuthClientCredentials")
        if not at.given:
            resource.lost("only oAuthClientCredentials is carried over of all middlewares")
            continue
        namespace, name = name_of(resource)
        _refuse_template(at)
        found[namespace, name] = Middleware(at, draft, known, name=name, namespace=namespace)
        spec.at("plugin").finish()
        spec.finish()
    names = {name for _, name, _ in known}
    for name in names:
        if len({namespace for namespace, other, _ in known if other == name}) > 1 and any(
            mounted == name for mounted, _ in draft.vault.mounted
        ):
            draft.remark(f"{_SAME_NAME} ({name})")
    return found


def _refuse_template(at: At) -> None:
    for key, value in at.mapping().items():  # not `members`: they would count as read
        if isinstance(value, str) and "{{" in value:
            at.at(key).lost(_TEMPLATE)


def _routes(
    resources: list[At],
    middlewares: dict[Key, Middleware],
    draft: Draft,
    *,
    chains: Chains,
    known: set[Key],
) -> set[Key]:
    """Add the rules of all routes; the middlewares that they use."""
    used: set[Key] = set()
    for resource in resources:
        resource.at("spec").finish(_OF_INGRESS_ROUTES)
    routes = [(resource, route) for resource in resources for route in resource.at("spec", "routes").items()]
    for resource, route in sorted(routes, key=lambda each: -_priority(each[1])):
        namespace, name = name_of(resource)
        chosen: list[Middleware] = []
        for key, reference in chains.used(route.at("middlewares"), namespace):
            if key in middlewares:
                used.add(key)
                chosen.append(middlewares[key])
            elif key not in known:
                reference.lost("no Middleware of this name is in this file")
        route.finish(_OF_ROUTES)
        if len(chosen) > 1:
            route.at("middlewares").lost("several of them attach tokens: the last one's would win")
        _route(route, name, chosen[-1] if chosen else None, draft)
    return used


def _priority(route: At) -> float:
    """Traefik tries routes by their priority, else the longest expression first."""
    return route.at("priority").number() or len(route.at("match").text())


def _route(route: At, name: str, middleware: Middleware | None, draft: Draft) -> None:
    try:
        found = alternatives(route.at("match").text())
    except MatchError as error:
        if middleware is not None:
            route.at("match").lost(f"can't be read: {error}")
            draft.rules.append(
                _rule(middleware, route, Match(hosts=()), off=f"{error}; {_FILL_IN}", name=name)
            )
        return
    for each in _joined(found):
        if middleware is None:
            if each.match.hosts:
                draft.rules.append(Rule(hint=name, match=each.match, at=route, off=_why_off(each)))
            continue
        off = _why_off(each)
        if off is not None:
            route.at("match").lost(off)
        elif each.prefixes:
            draft.group(
                route.at("match"),
                "PathPrefix takes whole segments here: /v1/** is not /v10, which Traefik takes for it, too",
            )
        draft.rules.append(_rule(middleware, route, each.match, off=off, name=name))


def _joined(found: list[Found]) -> list[Found]:
    """Alternatives that differ in their hosts or in their paths alone, as one."""
    joined: list[Found] = []
    for each in found:
        for index, other in enumerate(joined):
            both = _union(other, each)
            if both is not None:
                joined[index] = both
                break
        else:
            joined.append(each)
    return joined


def _union(one: Found, other: Found) -> Found | None:
    """Both as one, where only the hosts or only the paths differ."""
    mine, its = one.match, other.match
    if one.unsaid or other.unsaid or not mine.hosts or not its.hosts:
        return None
    prefixes = one.prefixes or other.prefixes
    if replace(mine, hosts=()) == replace(its, hosts=()):
        return Found(match=replace(mine, hosts=_both(mine.hosts, its.hosts)), prefixes=prefixes)
    if replace(mine, paths=()) == replace(its, paths=()):
        paths = _both(mine.paths, its.paths) if mine.paths and its.paths else ()
        return Found(match=replace(mine, paths=paths), prefixes=prefixes)
    return None


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _why_off(found: Found) -> str | None:
    if found.unsaid:
        return f"no rule can say {' and '.join(found.unsaid)}: without it a token would go to more requests"
    return None if found.match.hosts else f"no Host in it; {_FILL_IN}"


def _rule(middleware: Middleware, at: At, match: Match, *, off: str | None, name: str = "") -> Rule:
    return Rule(
        hint=name or middleware.name,
        match=match,
        at=at,
        source=middleware.source,
        keys=dict(middleware.keys),
        off=off,
    )

"""Kong's services and routes as rules."""

from collections.abc import Iterator

from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Match, Rule, Value
from clientcreds_proxy.migrate.kong import names
from clientcreds_proxy.migrate.kong.defaults import with_defaults
from clientcreds_proxy.migrate.kong.place import Service, before, behind, service_of
from clientcreds_proxy.migrate.kong.plugins import Attached, Plugins, name_of, owner
from clientcreds_proxy.migrate.notes import Page
from clientcreds_proxy.migrate.read import documents, refuse

_TEMPLATE = "a template, no configuration; expected deck's file, where only values are ${{ env … }}"


def read_kong(text: str, draft: Draft) -> None:
    """All rules of a declarative file; ConfigError where it is none."""
    file = draft.notes.file
    try:
        found = documents(text, file)
    except ConfigError:
        if (position := text.find("{{")) >= 0 and "${{" not in text:
            raise refuse(file, text, position, _TEMPLATE) from None
        raise
    root = At(Page(draft.notes, found[0]), with_defaults(found[0].value()))
    if len(found) > 1 or not isinstance(root.value, dict) or "_format_version" not in root.value:
        raise refuse(
            file, text, 0, "no declarative configuration of Kong; expected _format_version and services"
        )
    plugins = Plugins(root, draft)
    for route, service in _routes(root):
        attached = plugins.of(service=owner(service) if service else "", route=owner(route))
        if service is not None and service.at("enabled").value is False:
            continue
        if service is not None:
            _route(route, service_of(service, root, draft), attached, draft)
        elif attached is not None:
            route.lost("a route without a service: there is no API behind it")
    _finish(root)
    draft.remark(
        "clients call the API's own URL; where a route has hosts, a second rule takes the URLs of before"
    )


def _routes(root: At) -> Iterator[tuple[At, At | None]]:
    """Every route with its service."""
    services = root.at("services").items()
    for service in services:
        yield from ((route, service) for route in service.at("routes").items())
    by_name = {name: service for service in services for name in (owner(service), service.at("id").text())}
    for route in root.at("routes").items():
        reference = route.at("service")
        yield route, by_name.get(name_of(reference)) if reference.given else None


def _route(route: At, api: Service, attached: Attached | None, draft: Draft) -> None:
    for match, problem in _matches(route, api, draft):
        rule = Rule(hint=route.at("name").text() or "kong", match=match, at=route)
        if attached is not None:
            _attach(rule, attached, draft)
        if problem is not None:
            rule.off = problem
            if attached is not None:
                route.lost(problem)
        draft.rules.append(rule)


def _matches(route: At, api: Service, draft: Draft) -> Iterator[tuple[Match, str | None]]:
    yield behind(route, api)
    gateway = before(route, draft)
    if gateway is not None:
        yield gateway
    if any(path.strip("/") for path in route.at("paths").texts()):
        draft.group(
            route.at("paths"),
            "paths take whole segments here: /v1/** is not /v10, which Kong takes for it, too",
        )


def _attach(rule: Rule, attached: Attached, draft: Draft) -> None:
    rule.source = attached.source
    keys: dict[str, Value] = dict(attached.rule)
    if rule.match.schemes == ("http",) and not rule.match.stays_here:
        draft.group(rule.at, "plain http: the token leaves unencrypted, as it does from Kong")
        keys["allow_plain_http"] = True
    rule.keys = keys


def _finish(root: At) -> None:
    for service in root.at("services").items():
        if service.at("enabled").value is False:
            service.at("enabled").note("Kong does not serve it: its routes are left out")
        if service.at("tls_verify").given and not service.at("tls_verify").flag():
            service.at("tls_verify").lost("certificates of APIs are verified here")
        if service.at("ca_certificates").given:
            service.at("ca_certificates").lost("see mitmproxy's ssl_verify_upstream_trusted_ca")
        service.finish((*names.SERVICE, "url", "protocol", "host", "port", "path"))
        for route in service.at("routes").items():
            route.finish((*names.ROUTE, *_ROUTE_PLACE))
    for route in root.at("routes").items():
        route.finish((*names.ROUTE, *_ROUTE_PLACE))
    for upstream in root.at("upstreams").items():
        upstream.finish(names.UPSTREAM)
    root.finish((*names.ROOT, "_plugin_configs"))


_ROUTE_PLACE = (
    *("hosts", "paths", "methods", "strip_path", "headers", "snis", "sources", "destinations", "expression"),
)

"""KrakenD's services, endpoints and backends as rules: one for each backend with a token or modifiers."""

import re
from collections.abc import Iterator

from clientcreds_proxy.config.reading.yaml import Document
from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.martian.problem import kind_of
from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Match, Rule, Value
from clientcreds_proxy.migrate.krakend import names
from clientcreds_proxy.migrate.krakend.credentials import source
from clientcreds_proxy.migrate.krakend.modifiers import modifiers
from clientcreds_proxy.migrate.krakend.place import Address, addresses, pattern
from clientcreds_proxy.migrate.notes import Page
from clientcreds_proxy.migrate.read import documents, refuse

_TEMPLATE = (
    "a template, no configuration; expected what KrakenD makes of it: "
    "FC_ENABLE=1 FC_OUT=krakend.json krakend check -c FILE"
)
_IN_BACKENDS_ONLY = "KrakenD reads this in backends alone: it has no effect there, and none here"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def read_krakend(text: str, draft: Draft) -> None:
    """All rules of a krakend.json; ConfigError where it is none."""
    file = draft.notes.file
    found = _documents(text, file)
    if len(found) > 1:
        raise refuse(file, text, 0, "several YAML documents; expected one KrakenD configuration")
    root = At(Page(draft.notes, found[0]), found[0].value())
    if not isinstance(root.value, dict) or not ({"endpoints", "async_agent"} & root.value.keys()):
        what = "a mapping without endpoints" if isinstance(root.value, dict) else kind_of(root.value)
        raise refuse(file, text, 0, f"no KrakenD configuration: expected endpoints, found {what}")
    _refuse_templates(root, text, file)
    _service(root)
    for endpoint in root.at("endpoints").items():
        _endpoint(endpoint, root, draft)
    draft.remark("clients call the API's own URL, where they called the gateway's endpoint before")
    draft.remark("methods are those of the endpoints, GET where they name none; without that key, any")
    draft.remark(
        "KrakenD passes a 401 of the API on and keeps the token; here a new one is fetched and the request "
        "sent again (on_unauthorized: pass for its way)"
    )


def _documents(text: str, file: str) -> tuple[Document, ...]:
    """The documents; a template is told from a mistake."""
    outside = _STRING.sub(lambda found: " " * len(found.group()), text).find("{{")
    try:
        return documents(text, file)
    except ConfigError:
        at = outside if outside >= 0 else text.find("{{")
        if at >= 0:
            raise refuse(file, text, at, _TEMPLATE) from None
        raise


def _refuse_templates(root: At, text: str, file: str) -> None:
    """Refuse a file in which what a rule is made of is still to be filled in."""
    for at in _texts(root):
        if isinstance(at.value, str) and "{{" in at.value:
            raise refuse(file, text, text.find("{{"), _TEMPLATE)


def _texts(root: At) -> Iterator[At]:
    """Hosts, patterns and credentials."""
    yield from root.at("host").items()
    for endpoint in root.at("endpoints").items():
        for backend in endpoint.at("backend").items():
            yield from backend.at("host").items()
            yield backend.at("url_pattern")
            for namespace in names.CREDENTIALS:
                yield from (member for _, member in backend.at("extra_config", namespace).members())


def _service(root: At) -> None:
    if root.at("version").number() not in (2, 3):
        root.at("version").note("expected 2 (KrakenD 1.x) or 3 (2.x)")
    _extra_config(root.at("extra_config"), _IN_BACKENDS_ONLY)
    tls = root.at("client_tls")
    if tls.given:
        tls.lost(
            "TLS towards APIs and authorization servers: see client.tls of a token source, and mitmproxy's "
            "ssl_verify_upstream_trusted_ca and client_certs for APIs"
        )
    agents = root.at("async_agent")
    if agents.given:
        agents.lost("messages of queues are no requests that a proxy sees")
    if root.at("allow_insecure_connections").flag():
        root.at("allow_insecure_connections").lost("certificates of APIs are verified here")
    root.finish((*names.SERVICE, "host"), comments=names.COMMENTS)


def _endpoint(endpoint: At, root: At, draft: Draft) -> None:
    _extra_config(endpoint.at("extra_config"), _IN_BACKENDS_ONLY)
    for backend in endpoint.at("backend").items():
        _backend(backend, endpoint, root, draft)
    endpoint.finish(names.ENDPOINT, comments=names.COMMENTS)


def _backend(backend: At, endpoint: At, root: At, draft: Draft) -> None:
    extra = backend.at("extra_config")
    credentials, martian = extra.either(*names.CREDENTIALS), extra.either(*names.MARTIAN)
    _extra_config(extra, None)
    for key in names.SHAPES:
        if key in backend.mapping():
            draft.group(backend.at(key), "shapes the gateway's answer; here the API's own goes on as it came")
    disabled = credentials.at("is_disabled").flag()
    made = source(credentials, draft) if credentials.given and not disabled else None
    tree = modifiers(martian, draft) if martian.given else None
    keys: dict[str, Value] = {"modifiers": tree} if tree is not None else {}
    for rule in _rules(backend, endpoint, root, draft):
        rule.source, rule.wanted = made, disabled
        rule.comments = ("is_disabled: true there, so no token",) if disabled else ()
        rule.keys = {**keys, **_plain_http(rule, draft)} if made else dict(keys)
        if rule.off is not None and rule.is_plain:
            continue
        draft.rules.append(rule)
    backend.finish(names.BACKEND, comments=names.COMMENTS)


def _rules(backend: At, endpoint: At, root: At, draft: Draft) -> Iterator[Rule]:
    """The rules of one backend, as yet without what they do: one for each scheme and path of its hosts."""
    name = endpoint.at("endpoint").text()
    method = backend.at("method").text() or endpoint.at("method").text() or "GET"
    by_place: dict[tuple[str, str], list[Address]] = {}
    off = None
    discovery = backend.at("sd")
    if discovery.text() not in ("", "static"):
        discovery.lost("hosts are looked up elsewhere (SRV): fill in the host that clients call")
        off = "fill in the host that clients call"
        by_place["", ""] = []
        backend.either("host", "disable_host_sanitize", "url_pattern")
    else:
        for address in addresses(backend, root):
            by_place.setdefault((address.scheme, address.path), []).append(address)
    if not by_place:
        backend.lost("no host that a rule could name")
        backend.at("url_pattern")
    for (scheme, base), group in by_place.items():
        found = pattern(backend, base, draft)
        match = Match(
            hosts=tuple(dict.fromkeys(address.host for address in group)),
            schemes=("http",) if scheme == "http" else (),
            paths=(found.path,),
            methods=(method.upper(),),
            query=found.query,
        )
        yield Rule(hint=name, match=match, at=backend, off=off)


def _plain_http(rule: Rule, draft: Draft) -> dict[str, Value]:
    """What lets a token leave unencrypted, as it did from the gateway."""
    if "http" not in rule.match.schemes or rule.match.stays_here:
        return {}
    draft.group(rule.at.at("host"), "plain http: the token leaves unencrypted, as it does from KrakenD")
    return {"allow_plain_http": True}


def _extra_config(extra: At, misplaced: str | None) -> None:
    """Report the namespaces that are not the gateway's own affair; `misplaced`: what to say about ours."""
    for namespace in extra.mapping():
        at = extra.at(namespace)
        if namespace in (*names.CREDENTIALS, *names.MARTIAN):
            if misplaced is not None and at.given:
                at.note(misplaced)
        elif namespace in names.MISWRITTEN:
            at.note("KrakenD reads this nowhere: it has no effect there, and none here")
        elif not names.is_meaningless(namespace) and namespace[:1] not in {*names.COMMENTS}:
            at.lost("not known to this importer")

"""Which of our two plugins counts for a route: its own, else its service's, else the global one."""

from collections.abc import Iterator
from dataclasses import dataclass

from clientcreds_proxy.migrate.at import At
from clientcreds_proxy.migrate.draft import Draft, Source, Value
from clientcreds_proxy.migrate.kong import names
from clientcreds_proxy.migrate.kong.openid_connect import grants_client_credentials, openid_connect
from clientcreds_proxy.migrate.kong.upstream_oauth import upstream_oauth

_FOR_SOME = "for some callers only: a rule is for all of them"
OURS = ("upstream-oauth", "openid-connect")  # where a route has both, the first one's token goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A plugin that attaches tokens."""

    name: str
    at: At
    source: Source
    rule: dict[str, Value]


def name_of(reference: At) -> str:
    """The name of an entity that is referred to as `name` or as `{name: …}`."""
    return reference.text() if isinstance(reference.value, str) else reference.either("name", "id").text()


class Plugins:
    """All plugins of a file, by whom they are for."""

    def __init__(self, root: At, draft: Draft) -> None:
        self._root = root
        self._draft = draft
        self._found: dict[tuple[str, str], dict[str, Attached]] = {}
        for scope, owner, plugin in _all(root):
            self._take(scope, owner, plugin)
        for plugin in _of_callers(root):
            if _is_on(plugin) and plugin.at("name").text() not in names.OTHER_PLUGINS:
                plugin.lost(_FOR_SOME)

    def of(self, *, service: str, route: str) -> Attached | None:
        """The one that counts for a route."""
        chosen: dict[str, Attached] = {}
        for scope in (("", ""), ("service", service), ("route", route)):
            chosen |= self._found.get(scope, {}) if scope[1] or not scope[0] else {}
        found = [chosen[name] for name in OURS if name in chosen]
        if len(found) > 1:
            found[1].at.lost(
                "upstream-oauth is there, too: its token goes on, and callers are not asked for theirs"
            )
        return found[0] if found else None

    def _take(self, scope: str, owner: str, plugin: At) -> None:
        name = plugin.at("name").text()
        if not _is_on(plugin) or name in names.OTHER_PLUGINS:
            return
        if name not in OURS:
            plugin.lost("of all plugins only openid-connect and upstream-oauth are carried over")
            return
        if plugin.at("consumer").given or plugin.at("consumer_group").given:
            plugin.lost(_FOR_SOME)
            return
        config = self._config(plugin)
        if name == "openid-connect" and not grants_client_credentials(config):
            plugin.lost(
                "only the client credentials grant is carried over, and it is not among its auth_methods"
            )
            return
        make = openid_connect if name == "openid-connect" else upstream_oauth
        hint = plugin.at("instance_name").text() or owner or name
        source, rule = make(config, self._draft, hint)
        plugin.finish((*names.PLUGIN, "config"))
        self._found.setdefault((scope, owner), {})[name] = Attached(
            name=name, at=plugin, source=source, rule=rule
        )

    def _config(self, plugin: At) -> At:
        """Its configuration, on top of the shared one that it names."""
        own, shared = plugin.at("config"), plugin.at("_config").text()
        base = self._root.at("_plugin_configs", shared).mapping() if shared else {}
        return At(plugin.page, {**base, **own.mapping()}, own.path) if base else own


def _all(root: At) -> Iterator[tuple[str, str, At]]:
    """Every plugin with the kind and the name of its owner; both empty for a global one."""
    for plugin in root.at("plugins").items():
        if plugin.at("route").given:
            yield "route", name_of(plugin.at("route")), plugin
        elif plugin.at("service").given:
            yield "service", name_of(plugin.at("service")), plugin
        else:
            yield "", "", plugin
    services = root.at("services").items()
    inner = [route for service in services for route in service.at("routes").items()]
    for kind, entities in (("service", services), ("route", [*inner, *root.at("routes").items()])):
        for entity in entities:
            yield from ((kind, owner(entity), plugin) for plugin in entity.at("plugins").items())


def _of_callers(root: At) -> Iterator[At]:
    """The plugins that stand inside of consumers and their groups."""
    for kind in ("consumers", "consumer_groups"):
        for caller in root.at(kind).items():
            yield from caller.at("plugins").items()


def _is_on(plugin: At) -> bool:
    return not plugin.at("enabled").given or plugin.at("enabled").flag()


def owner(entity: At) -> str:
    """What plugins call a service or a route: its name, or its place where it has none."""
    return entity.either("name", "id").text() or entity.where

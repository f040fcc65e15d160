"""`_info.defaults` of a deck file: what services and routes say that do not say it themselves."""

_IN_URL = frozenset({"protocol", "host", "port", "path"})


def with_defaults(root: object) -> object:
    """The file with its defaults filled in, as deck does before Kong gets it."""
    defaults = _mapping(_mapping(_mapping(root).get("_info")).get("defaults"))
    of_services, of_routes = _mapping(defaults.get("service")), _mapping(defaults.get("route"))
    if not isinstance(root, dict) or not (of_services or of_routes):
        return root
    filled = {**root, "routes": _routes(root, of_routes)}
    services = root.get("services")
    if isinstance(services, list):
        filled["services"] = [_service(each, of_services, of_routes) for each in services]
    return filled


def _service(service: object, defaults: dict[str, object], of_routes: dict[str, object]) -> object:
    if not isinstance(service, dict):
        return service
    said = _IN_URL if service.get("url") else ()  # a URL says all of it
    filled = {key: value for key, value in defaults.items() if key not in said}
    return {**filled, **service, "routes": _routes(service, of_routes)}


def _routes(owner: dict[str, object], defaults: dict[str, object]) -> object:
    routes = owner.get("routes")
    if not isinstance(routes, list):
        return routes
    return [{**defaults, **route} if isinstance(route, dict) else route for route in routes]


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}

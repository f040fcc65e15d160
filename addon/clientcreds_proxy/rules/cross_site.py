"""Requests that a page of another site makes a browser send: they must not use the proxy's authority.

What is no browser sends any headers it likes. This is no boundary against it.
"""

from urllib.parse import urlsplit

from clientcreds_proxy.errors import CrossSite
from clientcreds_proxy.martian.message import Headers
from clientcreds_proxy.rules.host import normalise
from clientcreds_proxy.rules.model import Destination, Rule


def refuse_cross_site(
    rule: Rule | None, headers: Headers, destination: Destination, *, upgraded: bool
) -> None:
    """Refuse another site's request to a ruled host, unless the rule that won it, if any did, allows those.

    `destination` is the one the client spoke to, before any upgrade.
    """
    if rule is not None and rule.allow_cross_site:
        return
    if is_cross_site(headers, destination, upgraded=upgraded):
        raise CrossSite(
            "a browser says that another site's page sent this; allow_cross_site in the rule allows it"
        )


def is_cross_site(headers: Headers, destination: Destination, *, upgraded: bool) -> bool:
    """Whether a browser marks the request as one of another site's page.

    Browsers send no `Sec-Fetch-Site` over plain http, so there a foreign `Origin` counts where the request is
    `upgraded`.
    """
    sites = _values(headers, "sec-fetch-site")
    if sites:
        return any(site.lower() == "cross-site" for site in sites)
    if not upgraded or destination.scheme == "https":
        return False
    return any(_host_of(origin) != destination.host for origin in _values(headers, "origin"))


def preflight_method(method: str, headers: Headers) -> str | None:
    """The method that a CORS preflight asks for (Fetch §4.8); None where the request is none."""
    if method != "OPTIONS" or not _values(headers, "origin"):
        return None
    return next(iter(_values(headers, "access-control-request-method")), None)


def _values(headers: Headers, name: str) -> list[str]:
    lines = [value for key, value in headers if key.lower() == name]
    return [value.strip() for line in lines for value in line.split(",")]


def _host_of(origin: str) -> str | None:
    """The host of an `Origin` in normal form; None for `null` and what else names no host."""
    try:
        return normalise(urlsplit(origin).hostname or "")
    except ValueError:
        return None

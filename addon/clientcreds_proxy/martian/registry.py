"""All modifiers by name. A new family is one file with its `KINDS`, and one line here."""

from collections.abc import Mapping

from clientcreds_proxy.martian import filters, groups, headers, verifiers
from clientcreds_proxy.martian.fields import Kind

KINDS: Mapping[str, Kind] = {
    kind.name: kind for family in (headers, filters, groups, verifiers) for kind in family.KINDS
}

# What KrakenD registers besides: such a name is no typing error, and the answer says so.
NOT_HERE = frozenset(
    {
        "body.Modifier",
        "cookie.Filter",
        "cookie.Modifier",
        "port.Filter",
        "port.Modifier",
        "querystring.Filter",
        "querystring.Modifier",
        "stash.Modifier",
        "static.Modifier",
        "status.Modifier",
        "url.Filter",
        "url.Modifier",
        "url.RegexFilter",
    }
)

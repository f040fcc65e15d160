"""All modifiers by name. A new family is one file with its `KINDS`, and one line here."""

from collections.abc import Mapping

from clientcreds_proxy.martian import (
    body,
    cookies,
    filters,
    groups,
    headers,
    port,
    query,
    stash,
    static,
    status,
    url,
    verifiers,
)
from clientcreds_proxy.martian.fields import Kind

_FAMILIES = (
    *(headers, filters),
    *(query, url, port),
    *(cookies, body, stash, status, static),
    *(groups, verifiers),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for family in _FAMILIES for kind in family.KINDS}

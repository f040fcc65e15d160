"""Fields of Envoy's messages: YAML may spell them `token_endpoint` or `tokenEndpoint`."""

import re

from clientcreds_proxy.migrate.at import At


def field(at: At, *names: str) -> At:
    """A field, and its fields, in either spelling."""
    for name in names:
        at = at.either(name, _camel(name))
    return at


def both(*names: str) -> frozenset[str]:
    """Names of fields in both spellings."""
    return frozenset((*names, *map(_camel, names)))


def type_of(at: At) -> str:
    """The message that a `typed_config` holds: `OAuth2` of `type.googleapis.com/….v3.OAuth2`."""
    return at.at("@type").text().rpartition(".")[2]


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)

"""The keys of a store. What they mean for each other is checked in `building/store.py`."""

from typing import Annotated, Any, cast

from pydantic import Field

from clientcreds_proxy.config.keys import fields
from clientcreds_proxy.config.keys.model_keys import Keys, Tls

ABSENT: Any = ""  # and no `null`: `cluster:` without {} would look like switched on, and be off


class RedisTls(Tls):
    """TLS towards Redis and the sentinels. PEM text, or the path of a PEM file."""

    insecure_skip_verify: bool = False
    """Do not verify Redis's certificate. For tests only."""


class Cluster(Keys):
    """A Redis Cluster. There is nothing to say about it: {}."""


class Sentinel(Keys):
    """The sentinels at the endpoints, which know the master."""

    master_set: fields.Text
    """Name of the master, as the sentinels know it."""
    username: fields.TextOrEmpty = ""
    """User of the sentinels."""
    password: str = Field(default="", repr=False)
    """Password of the sentinels."""


class Redis(Keys):
    """How Redis is reached."""

    endpoints: fields.Endpoints
    """HOST:PORT of Redis, or of some nodes of the cluster, or of the sentinels. One or a list."""
    username: fields.TextOrEmpty = ""
    """User of Redis. Absent: the default user."""
    password: str = Field(default="", repr=False)
    """Password of Redis, best as a reference like ${env:NAME} or ${file:PATH}."""
    database: Annotated[int, Field(ge=0)] = 0
    """Number of the database. A cluster has only one, 0."""
    cluster: Cluster = cast("Cluster", ABSENT)
    """The endpoints are nodes of a Redis Cluster: {}."""
    sentinel: Sentinel = cast("Sentinel", ABSENT)
    """The endpoints are sentinels."""
    tls: RedisTls = cast("RedisTls", ABSENT)
    """TLS towards Redis and the sentinels. {}: with the system's certificate authorities."""


class Store(Keys):
    """Where several processes share their tokens."""

    redis: Redis
    """Redis, alone, as a cluster or behind sentinels."""
    key_prefix: fields.KeyPrefix = "clientcreds"
    """What the names of our keys in Redis begin with."""
    secret: fields.Secrets = Field(repr=False)
    """What tokens are encrypted with: 16 characters or more, best as a reference. Or a list for the time of
    an exchange: [new, old]. The first one writes, all read."""

"""A store's keys among each other: what contradicts, what is risky, and the `StoreSpec` they make."""

import sys
from importlib.util import find_spec

from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.building.tls import build_tls
from clientcreds_proxy.config.keys.model_store import Redis, Sentinel, Store
from clientcreds_proxy.rules.host import normalise, split_host_port
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import RedisSpec, SentinelSpec, StoreSpec

SECRET_CHARACTERS = 16  # at least
PORT, SENTINELS_PORT = 6379, 26379  # where an endpoint names none


def build_store(name: str, model: Store, place: Place, *, library: str = "redis") -> StoreSpec:
    """The store, its problems and warnings noted at `place`; `library` is what speaks to Redis."""
    if find_spec(library) is None:
        place.at("redis").problem(
            f"the library {library} is missing; install it with {sys.executable} -m pip install {library}"
        )
    _check_secrets(model, place.at("secret"))
    return StoreSpec(
        name=name,
        redis=_redis(model.redis, place.at("redis")),
        key_prefix=model.key_prefix,
        secrets=tuple(Secret(secret) for secret in model.secret),
    )


def _check_secrets(model: Store, place: Place) -> None:
    for index, secret in enumerate(model.secret):
        if len(secret) < SECRET_CHARACTERS:
            place.at(index).problem(f"is too short; expected {SECRET_CHARACTERS} characters or more")


def _redis(model: Redis, place: Place) -> RedisSpec:
    is_cluster, sentinel = "cluster" in model.model_fields_set, _sentinel(model, place.at("sentinel"))
    if is_cluster and sentinel:
        place.at("sentinel").problem("there is cluster, too; expected one of them")
    if is_cluster and "database" in model.model_fields_set:
        place.at("database").warn("is ignored: a cluster has one database")
    if len(model.endpoints) > 1 and not is_cluster and not sentinel:
        place.at("endpoints").problem("more than one needs cluster: {} or sentinel")
    _check_password(model, place)
    return RedisSpec(
        endpoints=tuple(_address(each, SENTINELS_PORT if sentinel else PORT) for each in model.endpoints),
        username=model.username or None,
        password=Secret(model.password) if model.password else None,
        database=0 if is_cluster else model.database,
        cluster=is_cluster,
        sentinel=sentinel,
        tls=build_tls(model.tls, place.at("tls"), server="Redis")
        if "tls" in model.model_fields_set
        else None,
    )


def _sentinel(model: Redis, place: Place) -> SentinelSpec | None:
    if "sentinel" not in model.model_fields_set:
        return None
    _check_password(model.sentinel, place)
    return SentinelSpec(
        master_set=model.sentinel.master_set,
        username=model.sentinel.username or None,
        password=Secret(model.sentinel.password) if model.sentinel.password else None,
    )


def _check_password(model: Redis | Sentinel, place: Place) -> None:
    if model.username and not model.password:
        place.at("username").problem("needs a password beside it")


def _address(endpoint: str, default_port: int) -> tuple[str, int]:
    host, port = split_host_port(endpoint)
    return normalise(host), port or default_port

"""The stores that token sources share: is Redis there, and does it let us do what a shared token needs."""

import secrets
from collections.abc import AsyncIterator, Iterable

from clientcreds_proxy.cli.doctor.finding import Finding, bad, good
from clientcreds_proxy.tokens.model import SourceSpec, StoreSpec
from clientcreds_proxy.tokens.stores.backend import Backend, StoreDown

LOCK_SECONDS = 5.0


async def look_at_stores(sources: Iterable[SourceSpec]) -> AsyncIterator[Finding]:
    """One finding for each store that is used."""
    for spec in dict.fromkeys(source.store for source in sources if source.store is not None):
        # The library comes as an extra, and is there: the configuration was read.
        from clientcreds_proxy.tokens.stores.redis import RedisBackend  # noqa: PLC0415

        backend = RedisBackend(spec.redis)
        try:
            yield await _look_at(spec, backend)
        finally:
            await backend.aclose()


async def _look_at(spec: StoreSpec, backend: Backend) -> Finding:
    """Take a lock under a name that no token has, and give it back."""
    places = ", ".join(f"{host}:{port}" for host, port in spec.redis.endpoints)
    name, fence = f"{spec.key_prefix}:{{doctor-{secrets.token_hex(8)}}}", secrets.token_hex(16)
    try:
        await backend.claim(name, unwanted=b"", fence=fence, lock_seconds=LOCK_SECONDS)
        await backend.release(name, fence=fence)
    except StoreDown as down:
        mend = f"correct store {spec.name}, or bring Redis up; until then each proxy fetches its own tokens"
        return bad("store", f"{spec.name} at {places} can't be used: {down}", mend)
    return good("store", f"{spec.name} at {places} answers, and takes what is written")

"""What is wrong with a Redis, for whoever runs the proxy.

What Redis says itself may quote what we sent: of that, only the codes of errors are passed on.
"""

import re
import socket
import ssl
from collections.abc import Sequence

from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

Kinds = tuple[type[Exception], ...]

_BY_KIND: Sequence[tuple[Kinds, str]] = (
    (
        (exceptions.AuthenticationError, exceptions.AuthenticationWrongNumberOfArgsError),
        "it refuses username and password",
    ),
    ((exceptions.NoPermissionError,), "its user may not do what is needed; docs/stores.md names the rights"),
    ((MasterNotFoundError,), "no sentinel answers that knows a master of this name"),
    ((exceptions.TimeoutError, TimeoutError), "no answer in time"),
    ((exceptions.BusyLoadingError,), "it is still loading its data"),
    ((exceptions.InvalidResponse,), "what answers there is not Redis"),
    ((exceptions.ReadOnlyError,), "it is a replica, which takes no writes"),
    ((exceptions.OutOfMemoryError,), "its memory is full (maxmemory)"),
)
# The library has no class for these, and takes the code `ERR` away from them.
_BY_TEXT = (
    ("max number of clients reached", "it has as many clients as it takes (maxclients)"),
    ("DB index is out of range", "it has no database of this number"),
    ("unknown command 'SENTINEL'", "it is no sentinel"),
    ("Cluster mode is not enabled", "it is no cluster"),
)
_CODE = re.compile(r"[A-Z]{3,40}\b")


def in_words(error: Exception) -> str:
    """One phrase about a failure of any kind."""
    for kinds, words in _BY_KIND:
        if isinstance(error, kinds):
            return words
    for text, words in _BY_TEXT:
        if text in str(error):
            return words
    if isinstance(error, exceptions.ResponseError):
        code = _CODE.match(str(error))
        return "it answers with an error" + (f", {code[0]}" if code else "")
    if isinstance(error, (exceptions.ConnectionError, exceptions.RedisClusterException, OSError)):
        return f"no connection{_why_none(error)}"
    return f"the library failed: {type(error).__name__}"


def _why_none(error: BaseException | None) -> str:
    while error is not None:
        match error:
            case ssl.SSLCertVerificationError():
                return f": its certificate is not trusted, {error.verify_message}"
            case ssl.SSLError():
                return ": TLS failed"
            case ConnectionRefusedError():
                return ": refused"
            case socket.gaierror():
                return ": the name can't be resolved"
        error = error.__cause__ or error.__context__
    return ""

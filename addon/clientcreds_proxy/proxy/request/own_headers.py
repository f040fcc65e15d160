"""Headers of a request that the client has no say in: its own of that name go, and those that pass for it.

`X_Group` does not stay beside our `X-Group`: to CGI, WSGI and their like both are `HTTP_X_GROUP`.
"""

from mitmproxy import http


def remove(request: http.Request, name: str) -> None:
    """Take out every header that a server may take for this one."""
    alike = _alike(name.encode())
    request.headers.fields = tuple(field for field in request.headers.fields if _alike(field[0]) != alike)


def replace(request: http.Request, name: str, value: str) -> None:
    """Set this header, alone, where it stood."""
    request.headers[name] = value
    own, alike = name.lower().encode(), _alike(name.encode())
    request.headers.fields = tuple(
        field for field in request.headers.fields if field[0].lower() == own or _alike(field[0]) != alike
    )


def _alike(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")

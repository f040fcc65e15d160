"""Which client refuses our CA, and what it wants to be told. Pure: a CONNECT's headers in, words out.

Nobody says it: most clients name themselves in their CONNECT, and those that do not write it in a way of
their own. What was measured is in docs/clients.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 60  # characters of a client's own word

# What to do, by the beginning of the User-Agent.
_JAVA = "set -Djavax.net.ssl.trustStore in JAVA_TOOL_OPTIONS"
_BY_AGENT = {
    "curl/": "set CURL_CA_BUNDLE",
    "Wget/": "set WGETRC to a file with ca_certificate=",
    "git/": "set GIT_SSL_CAINFO",
    "Go-http-client/": "set SSL_CERT_FILE",
    "node": "set NODE_EXTRA_CA_CERTS",
    "undici": "set NODE_EXTRA_CA_CERTS",
    "python-requests/": "set REQUESTS_CA_BUNDLE",
    "Python": "set SSL_CERT_FILE",
    "Java/": _JAVA,
    "Java-http-client/": _JAVA,
    "Apache-HttpClient/": _JAVA,
    "cargo": "set CARGO_HTTP_CAINFO",
    "Mozilla/": "import the file of `clientcreds ca path` into the browser",
}
_ANY = (
    "set SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, GIT_SSL_CAINFO, NODE_EXTRA_CA_CERTS "
    "or -Djavax.net.ssl.trustStore, whichever it reads,"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """How a client asked for a tunnel."""

    agent: str | None = None
    headers: tuple[str, ...] = ()  # the names in their order, as they are written


def in_words(hello: Hello, host: str, *, alpn: Sequence[bytes], is_certain: bool) -> str:
    """What the log says; `alpn` is what the client offers in its TLS handshake."""
    who, mend = _by_agent(hello.agent) if hello.agent else _by_habit(hello.headers, tuple(alpn))
    verb = "does not trust" if is_certain else "seems not to trust"
    return (
        f"{who} {verb} the proxy's CA for {host}: {mend} as `clientcreds env` does, or use "
        "`clientcreds run`; a client that pins certificates can call http:// with upgrade_to_https"
    )


def _by_agent(agent: str) -> tuple[str, str]:
    mend = next((mend for start, mend in _BY_AGENT.items() if agent.startswith(start)), _ANY)
    return re.sub(r"[^\x20-\x7e]", "?", agent)[:_SHOWN], mend


def _by_habit(headers: tuple[str, ...], alpn: tuple[bytes, ...]) -> tuple[str, str]:
    if "proxy-connection" in headers:  # in small letters
        return "a client (Node.js?)", "set NODE_EXTRA_CA_CERTS"
    if headers == ("Host", "Accept"):
        return "a client (Python's httpx?)", "set SSL_CERT_FILE"
    if headers == ("Host",) and alpn == (b"http/1.1",):
        return "a client (Python?)", "set SSL_CERT_FILE, or REQUESTS_CA_BUNDLE for requests,"
    if headers == ("Host",) and alpn == (b"h2", b"http/1.1"):
        return "a client (Java?)", _JAVA
    return "a client", _ANY

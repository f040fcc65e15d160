"""The checks of texts, one value at a time: each gives the value back, or raises a ValueError.

A message says what was expected. It does not quote the value, which may be a secret.
"""

import re
from urllib.parse import urlsplit

from clientcreds_proxy.rules.clients import parse_client
from clientcreds_proxy.rules.host import is_loopback, normalise, split_host_port
from clientcreds_proxy.rules.pattern import PatternError, parse_host, parse_path
from clientcreds_proxy.tokens.claims.expression import parse_expression
from clientcreds_proxy.tokens.claims.values import ClaimSyntaxError, parse_claim
from clientcreds_proxy.tokens.server import endpoint as urls

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_HEADER_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3
_KEY_PREFIX = re.compile(r"[\x21-\x7a|~]{1,100}")  # braces say in which slot of a cluster a key lies
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")  # RFC 6901 §3

# What the proxy itself or the connection decides: RFC 9110 §7.6.1, message framing, and credentials for us.
_OF_THE_CONNECTION = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate"}
    | {"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
# What the token request is made of: client_auth, token_request.format, and the answer we can read.
_OF_THE_TOKEN_REQUEST = frozenset({"authorization", "content-type", "accept-encoding"})


class QuotingError(ValueError):
    """What another room says about a value; its words may quote it."""


def text(value: str) -> str:
    """`value`, if it is a text on one line and not empty."""
    if not value:
        raise ValueError("is empty")
    return one_line(value)


def one_line(value: str) -> str:
    """`value`, if it is a text on one line."""
    if _CONTROL.search(value):
        raise ValueError("holds a line break or another control character")
    return value


def name(value: str) -> str:
    """`value`, if it can name a rule or a token source; ValueError otherwise."""
    if not value.isprintable() or value != value.strip() or not 0 < len(value) <= 100:
        raise ValueError("expected 1 to 100 printable characters, without blanks around them")
    return value


def header_name(value: str) -> str:
    """`value`, if it can name a header that we may set."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("not a header name; expected letters, digits and hyphens")
    if value.lower() in _OF_THE_CONNECTION:
        raise ValueError("this header belongs to the connection: the proxy writes it itself")
    return value


def token_request_header(value: str) -> str:
    """`value`, if it can name a further header of the token request."""
    if value.lower() in _OF_THE_TOKEN_REQUEST:
        raise ValueError("the token request writes this header itself: see client_auth and format")
    return header_name(value)


def header_value(value: str) -> str:
    """`value`, if it can stand in a header."""
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError("not a header value; expected printable ASCII on one line, without blanks around it")
    return value


def scheme(value: str) -> str:
    """`value`, if it can stand before a token; empty for the token alone."""
    if value and not _TOKEN.fullmatch(value):
        raise ValueError(
            "not an authentication scheme; expected one word, or an empty text for the token alone"
        )
    return value


def scope(value: str) -> str:
    """`value`, if it is one scope."""
    if not _SCOPE.fullmatch(value):
        raise ValueError('not a scope; expected printable ASCII without blanks, " and \\')
    return value


def member(value: str) -> str:
    """`value`, if it names a member of an answer or points to one."""
    if value.startswith("/") and not _POINTER.fullmatch(value):
        raise ValueError("not a JSON pointer; expected ~0 for ~ and ~1 for / inside a name")
    return text(value)


def proxy_url(value: str) -> str:
    """`value`, if it is a proxy's URL."""
    try:
        is_bare = urlsplit(urls.url(value)).path in ("", "/") and "?" not in value and "#" not in value
    except ValueError:
        is_bare = False
    if not is_bare:
        raise ValueError("not a proxy's URL; expected http://HOST:PORT or https://HOST:PORT, without a path")
    return value


def no_value_twice[Value](values: list[Value]) -> list[Value]:
    """`values`, if each of them is there once."""
    if len(set(values)) < len(values):
        raise ValueError("names one twice")
    return values


def no_header_twice(headers: dict[str, str]) -> dict[str, str]:
    """`headers`, if each name is there once, whatever its case."""
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("names one header twice, in upper and lower case")
    return headers


def host(value: str) -> str:
    """`value`, if it is a host pattern."""
    try:
        parse_host(value)
    except PatternError as error:
        raise QuotingError(str(error)) from None
    return value


def path(value: str) -> str:
    """`value`, if it is a path pattern."""
    try:
        parse_path(value)
    except PatternError as error:
        raise QuotingError(str(error)) from None
    return value


def client(value: str) -> str:
    """`value`, if it is an entry of `allowed_clients`."""
    try:
        parse_client(value)
    except ValueError as error:
        raise QuotingError(str(error)) from None
    return value


def listen(value: str) -> str:
    """`value`, if the status server may listen there."""
    try:
        host, port = split_host_port(value)
    except ValueError:
        port = None
    if port is None:
        raise ValueError("expected ADDRESS:PORT, like 127.0.0.1:8082")
    if not is_loopback(host):
        raise ValueError("expected a loopback address: the status server is for this machine only")
    return value


def claims(value: str) -> str:
    """`value`, if it is a condition on claims."""
    try:
        parse_expression(value)
    except ClaimSyntaxError as error:
        raise QuotingError(_at(error, value)) from None
    return value


def claim(value: str) -> str:
    """`value`, if it is the path of a claim."""
    try:
        parse_claim(value)
    except ClaimSyntaxError as error:
        raise QuotingError(_at(error, value)) from None
    return value


def _at(error: ClaimSyntaxError, value: str) -> str:
    line = value.count("\n", 0, error.offset) + 1
    column = error.offset - value.rfind("\n", 0, error.offset)
    where = f"character {column}" if line == 1 else f"line {line}, character {column}"
    return f"at {where}: {error.message}"


def endpoint(value: str) -> str:
    """`value`, if a Redis or a sentinel may be there."""
    try:
        normalise(split_host_port(value)[0])
    except ValueError:
        raise ValueError("expected HOST:PORT, like redis-1:6379") from None
    return value


def key_prefix(value: str) -> str:
    """`value`, if names in Redis may begin with it."""
    if not _KEY_PREFIX.fullmatch(value):
        raise ValueError("expected 1 to 100 printable ASCII characters, without blanks, { and }")
    return value


def method(value: str) -> str:
    """`value` in upper case, if it is an HTTP method."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("not an HTTP method; expected one like GET")
    return value.upper()

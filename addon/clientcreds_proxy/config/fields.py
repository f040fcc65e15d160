"""The kinds of value that keys take, each with its check and its JSON Schema. One value at a time.

A check says what was expected. It does not quote the value, which may be a secret.
"""

import re
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from clientcreds_proxy.config.pem import PemFiles
from clientcreds_proxy.rules.clients import parse_client
from clientcreds_proxy.rules.host import is_loopback, normalise, split_host_port
from clientcreds_proxy.rules.pattern import PatternError, parse_host, parse_path

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_HEADER_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3
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


class OneOrMany:
    """An annotation of a list type: one value stands for a list of it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_list, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _text(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    return _one_line(value)


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("holds a line break or another control character")
    return value


def check_name(value: str) -> str:
    """`value`, if it can name a rule or a token source; ValueError otherwise."""
    if not value.isprintable() or value != value.strip() or not 0 < len(value) <= 100:
        raise ValueError("expected 1 to 100 printable characters, without blanks around them")
    return value


def _header_name(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError("not a header name; expected letters, digits and hyphens")
    if value.lower() in _OF_THE_CONNECTION:
        raise ValueError("this header belongs to the connection: the proxy writes it itself")
    return value


def _token_request_header(value: str) -> str:
    if value.lower() in _OF_THE_TOKEN_REQUEST:
        raise ValueError("the token request writes this header itself: see client_auth and format")
    return _header_name(value)


def _header_value(value: str) -> str:
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError("not a header value; expected printable ASCII on one line, without blanks around it")
    return value


def _scheme(value: str) -> str:
    if value and not _TOKEN.fullmatch(value):
        raise ValueError(
            "not an authentication scheme; expected one word, or an empty text for the token alone"
        )
    return value


def _split_scopes(value: object) -> object:
    """The scopes of one text, separated by commas or blanks; a list as it is."""
    return re.findall(r"[^, \t]+", value) if isinstance(value, str) else value


def _scope(value: str) -> str:
    if not _SCOPE.fullmatch(value):
        raise ValueError('not a scope; expected printable ASCII without blanks, " and \\')
    return value


def _member(value: str) -> str:
    if value.startswith("/") and not _POINTER.fullmatch(value):
        raise ValueError("not a JSON pointer; expected ~0 for ~ and ~1 for / inside a name")
    return _text(value)


def _certificates(value: str, info: ValidationInfo) -> str:
    return cast("PemFiles", info.context).certificates(value)


def _private_key(value: str, info: ValidationInfo) -> str:
    return cast("PemFiles", info.context).private_key(value)


def _url(value: str) -> str:
    """The URL, if it is one of a server that we could ask."""
    if not value.isascii() or re.search(r"[\x00-\x20\x7f\\]", value):
        raise ValueError("not a URL; expected ASCII without blanks")
    try:
        parts = urlsplit(value)
        usable = (
            parts.scheme in ("http", "https") and bool(normalise(parts.hostname or "")) and parts.port != 0
        )
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("not a URL; expected https://HOST/PATH")
    return value


def _token_url(value: str) -> str:
    parts = urlsplit(_url(value))
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(
            "expected https: the client secret would leave unencrypted (http is for loopback only)"
        )
    if "#" in value:
        raise ValueError("expected a URL without a fragment (RFC 6749 §3.2)")
    if "@" in parts.netloc:
        raise ValueError("expected a URL without user name and password: use client_id and client_secret")
    return value


def _proxy_url(value: str) -> str:
    parts = urlsplit(_url(value))
    if parts.path not in ("", "/") or "?" in value or "#" in value:
        raise ValueError("expected http://HOST:PORT or https://HOST:PORT, without a path")
    return value


def _host(value: str) -> str:
    try:
        parse_host(value)
    except PatternError as error:
        raise QuotingError(str(error)) from None
    return value


def _path(value: str) -> str:
    try:
        parse_path(value)
    except PatternError as error:
        raise QuotingError(str(error)) from None
    return value


def _client(value: str) -> str:
    try:
        parse_client(value)
    except ValueError as error:
        raise QuotingError(str(error)) from None
    return value


def _listen(value: str) -> str:
    try:
        host, port = split_host_port(value)
    except ValueError:
        port = None
    if port is None:
        raise ValueError("expected ADDRESS:PORT, like 127.0.0.1:8082")
    if not is_loopback(host):
        raise ValueError("expected a loopback address: the status server is for this machine only")
    return value


def _method(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise ValueError("not an HTTP method; expected one like GET")
    return value.upper()


def _ports(value: object) -> list[int] | Literal["any"]:
    if value == "any":
        return "any"
    given = value if isinstance(value, list) else [value]
    ports = [port for port in given if type(port) is int and 0 < port < 65536]  # True is an int, too
    if not ports or len(ports) < len(given):
        raise ValueError("expected a number from 1 to 65535, a list of them, or any")
    return ports


def _ttl(value: object) -> float | Literal["never"]:
    if value == "never":
        return "never"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError("expected a number of seconds above 0, or never")
    return float(value)


def _version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise ValueError("expected 1, the only version there is")
    return value


_PORT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 65535}
_PORTS = {"anyOf": [_PORT, {"type": "array", "items": _PORT, "minItems": 1}, {"const": "any"}]}
_TREE = {"type": "object", "minProperties": 1, "maxProperties": 1}
_TREES = {"anyOf": [_TREE, {"type": "array", "items": _TREE}]}
_TTL = {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "never"}]}
_SCOPES = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "minLength": 1}}]}

Text = Annotated[str, AfterValidator(_text)]
Secrets = Annotated[list[Annotated[str, AfterValidator(_one_line)]], Field(min_length=1), OneOrMany()]
Params = Annotated[list[str], Field(min_length=1), OneOrMany()]
Certificates = Annotated[str, AfterValidator(_certificates)]
PrivateKey = Annotated[str, AfterValidator(_private_key)]
Name = Annotated[str, AfterValidator(check_name)]
Texts = Annotated[list[Text], OneOrMany()]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ttl = Annotated[int | float | Literal["never"], PlainValidator(_ttl), WithJsonSchema(_TTL)]
Version = Annotated[Literal[1], BeforeValidator(_version)]

HeaderName = Annotated[str, AfterValidator(_header_name)]
TokenRequestHeader = Annotated[str, AfterValidator(_token_request_header)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
AuthScheme = Annotated[str, AfterValidator(_scheme)]

Scopes = Annotated[
    list[Annotated[str, AfterValidator(_scope)]], BeforeValidator(_split_scopes), WithJsonSchema(_SCOPES)
]
Member = Annotated[str, AfterValidator(_member)]
TokenUrl = Annotated[str, AfterValidator(_token_url)]
ProxyUrl = Annotated[str, AfterValidator(_proxy_url)]

Hosts = Annotated[list[Annotated[str, AfterValidator(_host)]], Field(min_length=1), OneOrMany()]
Paths = Annotated[list[Annotated[str, AfterValidator(_path)]], Field(min_length=1), OneOrMany()]
Methods = Annotated[list[Annotated[str, AfterValidator(_method)]], Field(min_length=1), OneOrMany()]
Schemes = Annotated[list[Literal["http", "https"]], Field(min_length=1), OneOrMany()]
Ports = Annotated[list[int] | Literal["any"], PlainValidator(_ports), WithJsonSchema(_PORTS)]
QueryValues = Annotated[list[str], Field(min_length=1), OneOrMany()]
Clients = list[Annotated[str, AfterValidator(_client)]]
Trees = Annotated[list[Any], BeforeValidator(_as_list), WithJsonSchema(_TREES)]
Listen = Annotated[str, AfterValidator(_listen)]

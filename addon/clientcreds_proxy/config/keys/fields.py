"""The kinds of value that keys take, each with its check and its JSON Schema."""

import re
from typing import Annotated, Any, Literal, cast

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

from clientcreds_proxy.config.building.pem import PemFiles
from clientcreds_proxy.config.keys import checks
from clientcreds_proxy.config.preset import NAMES
from clientcreds_proxy.martian.problem import nearest
from clientcreds_proxy.tokens.model import Place
from clientcreds_proxy.tokens.server import endpoint


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


def _split_scopes(value: object) -> object:
    """The scopes of one text, separated by commas or blanks; a list as it is."""
    return re.findall(r"[^, \t]+", value) if isinstance(value, str) else value


def _certificates(value: str, info: ValidationInfo) -> str:
    return cast("PemFiles", info.context).certificates(value)


def _private_key(value: str, info: ValidationInfo) -> str:
    return cast("PemFiles", info.context).private_key(value)


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


def _preset(value: str) -> str:
    if value not in NAMES:
        raise checks.QuotingError(f"no preset of this name; {nearest(value, NAMES)}")
    return value


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

Text = Annotated[str, AfterValidator(checks.text)]
TextOrEmpty = Annotated[str, AfterValidator(checks.one_line)]
Secrets = Annotated[list[Annotated[str, AfterValidator(checks.one_line)]], Field(min_length=1), OneOrMany()]
Params = Annotated[list[str], Field(min_length=1), OneOrMany()]
Certificates = Annotated[str, AfterValidator(_certificates)]
PrivateKey = Annotated[str, AfterValidator(_private_key)]
Name = Annotated[str, AfterValidator(checks.name)]
Claims = Annotated[str, AfterValidator(checks.claims)]
Claim = Annotated[str, AfterValidator(checks.claim)]
Texts = Annotated[list[Text], OneOrMany()]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ttl = Annotated[int | float | Literal["never"], PlainValidator(_ttl), WithJsonSchema(_TTL)]
Version = Annotated[Literal[1], BeforeValidator(_version)]

HeaderName = Annotated[str, AfterValidator(checks.header_name)]
TokenRequestHeader = Annotated[str, AfterValidator(checks.token_request_header)]
HeaderValue = Annotated[str, AfterValidator(checks.header_value)]
Headers = Annotated[dict[HeaderName, HeaderValue], AfterValidator(checks.no_header_twice)]
TokenRequestHeaders = Annotated[dict[TokenRequestHeader, HeaderValue], AfterValidator(checks.no_header_twice)]
ForwardHeaders = Annotated[dict[HeaderName, Claim], AfterValidator(checks.no_header_twice)]
AuthScheme = Annotated[str, AfterValidator(checks.scheme)]

Scopes = Annotated[
    list[Annotated[str, AfterValidator(checks.scope)]],
    BeforeValidator(_split_scopes),
    WithJsonSchema(_SCOPES),
]
Member = Annotated[str, AfterValidator(checks.member)]
TokenUrl = Annotated[str, AfterValidator(endpoint.token_url)]
Issuer = Annotated[str, AfterValidator(endpoint.issuer)]
Endpoints = Annotated[list[Annotated[str, AfterValidator(checks.endpoint)]], Field(min_length=1), OneOrMany()]
KeyPrefix = Annotated[str, AfterValidator(checks.key_prefix)]
Preset = Annotated[str, AfterValidator(_preset), WithJsonSchema({"enum": [*NAMES]})]
ProxyUrl = Annotated[str, AfterValidator(checks.proxy_url)]

Hosts = Annotated[list[Annotated[str, AfterValidator(checks.host)]], Field(min_length=1), OneOrMany()]
Paths = Annotated[list[Annotated[str, AfterValidator(checks.path)]], Field(min_length=1), OneOrMany()]
Methods = Annotated[list[Annotated[str, AfterValidator(checks.method)]], Field(min_length=1), OneOrMany()]
Schemes = Annotated[list[Literal["http", "https"]], Field(min_length=1), OneOrMany()]
Ports = Annotated[list[int] | Literal["any"], PlainValidator(_ports), WithJsonSchema(_PORTS)]
QueryValues = Annotated[list[str], Field(min_length=1), OneOrMany()]
Places = Annotated[list[Place], Field(min_length=1), OneOrMany(), AfterValidator(checks.no_value_twice)]
Clients = list[Annotated[str, AfterValidator(checks.client)]]
Trees = Annotated[list[Any], BeforeValidator(_as_list), WithJsonSchema(_TREES)]
Listen = Annotated[str, AfterValidator(checks.listen)]

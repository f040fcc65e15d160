"""`cookie.Modifier` and `cookie.Filter`. Cookies are read and written as Go's net/http does it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime  # noqa: TID251 - reads a date that stands in the file, never the clock
from email.utils import format_datetime

from clientcreds_proxy.martian.checks import is_token
from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.filters import filtered
from clientcreds_proxy.martian.message import Request, Response, values, with_value
from clientcreds_proxy.martian.modifier import Leaf, Modifier

_IN_A_VALUE = re.compile(r"[\x20!#-:<-\[\]-~]*")  # RFC 6265 §4.1.1, and blanks and commas, as in Go
_IN_A_PATH = re.compile(r"[\x20-:<-~]*")
_LABEL = r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?"
_DOMAIN = re.compile(rf"\.?(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")  # with the leading dot of old cookies
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)  # RFC 3339
_FIRST_YEAR = 1601  # that a cookie can expire in (RFC 6265 §5.1.1); Go's zero time lies before it


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCookie(Leaf):
    """`cookie.Modifier`: one cookie more. One of the same name stays, as in Martian."""

    pair: str = field(repr=False)  # `name=value`; the value may come from a secret
    attributes: str  # for responses: `; Path=/; Secure`

    def change_request(self, request: Request) -> Request:
        """The request with this cookie behind the others. HTTP/2 may split them: they are joined."""
        cookies = "; ".join([*filter(None, values(request.headers, "cookie")), self.pair])
        return request.with_headers(with_value(request.headers, "Cookie", cookies))

    def change_response(self, response: Response, request: Request) -> Response:  # noqa: ARG002 - Modifier's form
        """The response with one Set-Cookie more."""
        return response.with_headers((*response.headers, ("Set-Cookie", self.pair + self.attributes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieIs:
    """A cookie is there, with this value where one is given."""

    name: str
    value: str = field(repr=False)  # empty: any

    def holds_for_request(self, request: Request) -> bool:
        """Whether the client sends it."""
        crumbs = (crumb for text in values(request.headers, "cookie") for crumb in text.split(";"))
        return any(self._is(crumb) for crumb in crumbs)

    def holds_for_response(self, response: Response, request: Request) -> bool:  # noqa: ARG002 - Condition's form
        """Whether the API sets it."""
        return any(self._is(text.partition(";")[0]) for text in values(response.headers, "set-cookie"))

    def _is(self, crumb: str) -> bool:
        name, _, value = crumb.strip(" \t").partition("=")
        if name != self.name:
            return False
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        return _IN_A_VALUE.fullmatch(value) is not None and self.value in ("", value)


def _modifier(fields: Fields) -> Modifier:
    name, value = fields.checked("name", _name_problem), fields.checked("value", _value_problem)
    quoted = f'"{value}"' if " " in value or "," in value else value
    return AddCookie(phases=fields.phases, pair=f"{name}={quoted}", attributes=_attributes(fields))


def _attributes(fields: Fields) -> str:
    """In Go's order, with what Go leaves out left out."""
    path = fields.optional("path", _path_problem)
    domain = fields.optional("domain", _domain_problem).removeprefix(".")
    expires = _expires(fields.optional("expires", _date_problem))
    age = fields.whole_number("maxAge")
    http_only, secure = fields.flag("httpOnly"), fields.flag("secure")
    found = (
        f"Path={path}" if path else "",
        f"Domain={domain}" if domain else "",
        f"Expires={expires}" if expires else "",
        f"Max-Age={max(age, 0)}" if age else "",
        "HttpOnly" if http_only else "",
        "Secure" if secure else "",
    )
    return "".join(f"; {attribute}" for attribute in found if attribute)


def _expires(text: str) -> str:
    if not text:
        return ""
    when = datetime.fromisoformat(text).astimezone(UTC)
    return format_datetime(when, usegmt=True) if when.year >= _FIRST_YEAR else ""


def _filter(fields: Fields) -> Modifier:
    name = fields.checked("name", _name_problem)
    return filtered(fields, CookieIs(name=name, value=fields.optional("value", _value_problem)))


def _name_problem(name: str) -> str | None:
    return None if is_token(name) else "not a cookie's name, expected letters, digits and hyphens"


def _value_problem(value: str) -> str | None:
    if _IN_A_VALUE.fullmatch(value):
        return None
    return "a cookie's value is ASCII without control characters, double quotes, semicolons and backslashes"


def _path_problem(path: str) -> str | None:
    if _IN_A_PATH.fullmatch(path):
        return None
    return "a cookie's path is ASCII without control characters and semicolons"


def _domain_problem(domain: str) -> str | None:
    return None if _DOMAIN.fullmatch(domain) else "not a domain, expected a host name like example.com"


def _date_problem(text: str) -> str | None:
    try:
        if _DATE.fullmatch(text):
            datetime.fromisoformat(text).astimezone(UTC)
            return None
    except (ValueError, OverflowError):
        pass
    return "not a date, expected one of RFC 3339 like 2030-04-12T23:20:50Z"


KINDS = (Kind(name="cookie.Modifier", build=_modifier), Kind(name="cookie.Filter", build=_filter))

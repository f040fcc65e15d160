"""What KrakenD's modifiers did when they were measured, as requests and answers of our own."""

from typing import Any

from tests.proxy.martian_cases import TEXT, Case, Headers, Tree

REQUEST = ["request"]
RESPONSE = ["response"]
BOTH = ["request", "response"]


def put(name: str, value: str, scope: list[str] | None = None) -> Tree:
    """Sets a header of the request, or in these phases."""
    return {"header.Modifier": {"scope": scope or REQUEST, "name": name, "value": value}}


def group(*modifiers: Tree, **fields: Any) -> Tree:
    return {"fifo.Group": {"scope": REQUEST, "modifiers": list(modifiers)} | fields}


def filtered(kind: str, scope: list[str] | None = None, **fields: Any) -> Tree:
    """Sets `Way` to `then` or `else`."""
    scope = scope or REQUEST
    ways = {"modifier": put("Way", "then", scope), "else": put("Way", "else", scope)}
    return {kind: {"scope": scope} | fields | ways}


def with_text(*headers: tuple[str, str]) -> Headers:
    return (*TEXT, *headers)


EXPIRES = "Mon, 03 Feb 2031 04:05:06 GMT"
THEN: Headers = (("Way", "then"),)
ELSE: Headers = (("Way", "else"),)

HEADERS = [
    Case(
        name="modifier-replaces-all",
        tree=put("X-Planet", "mars", BOTH),
        headers=(("X-Planet", "venus"), ("X-Planet", "pluto")),
        sent=(("X-Planet", "mars"),),
        got=with_text(("X-Planet", "mars")),
    ),
    Case(
        name="auth0",
        tree=group(put("Accept", "application/json"), scope=BOTH, aggregateErrors=False),
        headers=(("Accept", "text/html"), ("Accept", "*/*")),
        sent=(("Accept", "application/json"),),
    ),
    Case(name="modifier-host", tree=put("Host", "inside.example"), host="inside.example"),
    Case(
        name="append",
        tree={"header.Append": {"scope": BOTH, "name": "X-Tag", "value": "two"}},
        headers=(("X-Tag", "one"),),
        answer=(200, with_text(("X-Tag", "up")), "ok"),
        sent=(("X-Tag", "one"), ("X-Tag", "two")),
        got=with_text(("X-Tag", "up"), ("X-Tag", "two")),
    ),
    Case(
        name="append-user-agent",
        tree={"header.Append": {"scope": REQUEST, "name": "User-Agent", "value": "second"}},
        headers=(("User-Agent", "first"),),
        sent=(("User-Agent", "first"), ("User-Agent", "second")),
    ),
    Case(
        name="blacklist",
        tree={"header.Blacklist": {"scope": BOTH, "names": ["x-gone", "X-Absent"]}},
        headers=(("X-Gone", "1"), ("X-GONE", "2"), ("X-Stays", "3")),
        answer=(200, with_text(("X-Gone", "4"), ("X-Stays", "5")), "ok"),
        sent=(("X-Stays", "3"),),
        got=with_text(("X-Stays", "5")),
    ),
    Case(
        name="blacklist-user-agent",
        tree={"header.Blacklist": {"scope": REQUEST, "names": ["User-Agent", "X-Forwarded-For"]}},
        headers=(("User-Agent", "mine"), ("X-Forwarded-For", "192.0.2.1")),
    ),
    Case(
        name="copy",
        tree={"header.Copy": {"scope": REQUEST, "from": "X-One", "to": "X-Other"}},
        headers=(("X-One", "1"), ("X-One", "2"), ("X-Other", "old")),
        sent=(("X-One", "1"), ("X-One", "2"), ("X-Other", "1")),
    ),
    Case(
        name="copy-missing",
        tree={"header.Copy": {"scope": REQUEST, "from": "X-None", "to": "X-Other"}},
        headers=(("X-Other", "old"),),
        sent=(("X-Other", ""),),
    ),
    Case(
        name="copy-host",
        tree={"header.Copy": {"scope": REQUEST, "from": "Host", "to": "X-Seen-Host"}},
        sent=(("X-Seen-Host", "copy-host.example"),),
    ),
    Case(
        name="id-there",
        tree={"header.Id": {"scope": REQUEST, "header": "X-Trace"}},
        headers=(("X-Trace", "stays"),),
        sent=(("X-Trace", "stays"),),
    ),
    Case(
        name="filter-any-of-many",
        tree=filtered("header.Filter", name="X-Env", value="prod"),
        headers=(("X-Env", "dev"), ("X-Env", "prod")),
        sent=(("X-Env", "dev"), ("X-Env", "prod"), *THEN),
    ),
    Case(
        name="filter-else",
        tree=filtered("header.Filter", name="X-Env", value="prod"),
        headers=(("X-Env", "PROD"),),
        sent=(("X-Env", "PROD"), *ELSE),
    ),
    Case(
        name="filter-presence",
        tree=filtered("header.Filter", name="X-Env"),
        headers=(("X-Env", "anything"),),
        sent=(("X-Env", "anything"), *THEN),
    ),
    Case(
        name="regexfilter",
        tree={
            "header.RegexFilter": {
                "scope": BOTH,
                "header": "X-Version",
                "regex": "-rc[0-9]+$",
                "modifier": put("X-Early", "yes", BOTH),
            }
        },
        headers=(("X-Version", "2-rc1"),),
        sent=(("X-Early", "yes"), ("X-Version", "2-rc1")),
        got=with_text(("X-Early", "yes")),
    ),
    Case(
        name="comment",
        tree={"header.Modifier": {"scope": REQUEST, "@comment": "why", "name": "X-A", "value": "1"}},
        sent=(("X-A", "1"),),
    ),
    Case(name="scope-empty", tree={"header.Modifier": {"scope": [], "name": "X-A", "value": "1"}}),
    Case(
        name="scope-omitted",
        tree={"header.Modifier": {"name": "X-A", "value": "1"}},
        sent=(("X-A", "1"),),
        got=with_text(("X-A", "1")),
    ),
    Case(
        name="hop-by-hop",
        tree=put("Connection", "X-Inner"),
        headers=(("X-Inner", "1"), ("Proxy-Authorization", "Basic x"), ("X-Stays", "2")),
        sent=(("X-Stays", "2"),),
    ),
    Case(
        name="verifier",
        tree=group({"header.Verifier": {"scope": REQUEST, "name": "Authorization"}}, put("X-A", "1")),
        sent=(("X-A", "1"),),
    ),
]
GROUPS = [
    Case(
        name="group-scope",
        tree=group(put("X-A", "1", BOTH), put("X-B", "1", RESPONSE)),
        sent=(("X-A", "1"),),
    ),
    Case(
        name="group-whole",
        tree=group(
            put("X-Planet", "saturn", BOTH),
            {"body.Modifier": {"scope": REQUEST, "contentType": "application/json", "body": "eyJiIjoyfQ=="}},
            {
                "header.RegexFilter": {
                    "scope": REQUEST,
                    "header": "X-Moon",
                    "regex": "^tit",
                    "modifier": put("X-New", "a value"),
                }
            },
            scope=BOTH,
            aggregateErrors=True,
        ),
        headers=(("X-Moon", "titan"),),
        sent=(
            ("Content-Type", "application/json"),
            ("X-Moon", "titan"),
            ("X-New", "a value"),
            ("X-Planet", "saturn"),
        ),
        sent_body='{"b":2}',
        got=with_text(("X-Planet", "saturn")),
    ),
    Case(
        name="priority",
        tree={
            "priority.Group": {
                "scope": REQUEST,
                "modifiers": [
                    {"priority": 0, "modifier": put("X-Last", "lowest")},
                    {"priority": 9, "modifier": put("X-Last", "highest")},
                    {"priority": 5, "modifier": {"header.Append": {"name": "X-Order", "value": "second"}}},
                    {"priority": 5, "modifier": {"header.Append": {"name": "X-Order", "value": "first"}}},
                ],
            }
        },
        sent=(("X-Last", "lowest"), ("X-Order", "first"), ("X-Order", "second")),
        got=with_text(),
    ),
    Case(
        name="nested",
        tree={
            "header.Filter": {
                "scope": REQUEST,
                "name": "X-Env",
                "value": "prod",
                "modifier": group(put("X-1", "a"), {"header.Blacklist": {"names": ["X-Env"]}}),
                "else": {
                    "url.Filter": {"scope": REQUEST, "host": "nested.*", "modifier": put("X-2", "b")},
                },
            }
        },
        headers=(("X-Env", "dev"),),
        sent=(("X-2", "b"), ("X-Env", "dev")),
    ),
]
COOKIES = [
    Case(
        name="cookie",
        tree={
            "cookie.Modifier": {
                "scope": BOTH,
                "name": "consent",
                "value": "given",
                "path": "/shop",
                "domain": "shop.example",
                "expires": "2031-02-03T04:05:06.789Z",
                "secure": True,
                "httpOnly": False,
                "maxAge": 3600,
            }
        },
        headers=(("Cookie", "b=1"),),
        sent=(("Cookie", "b=1; consent=given"),),
        got=with_text(
            (
                "Set-Cookie",
                f"consent=given; Path=/shop; Domain=shop.example; Expires={EXPIRES}; Max-Age=3600; Secure",
            )
        ),
    ),
    Case(
        name="cookie-twice",
        tree={"cookie.Modifier": {"scope": REQUEST, "name": "k", "value": "new"}},
        headers=(("Cookie", "k=old"),),
        sent=(("Cookie", "k=old; k=new"),),
    ),
    Case(
        name="cookie-quoted",
        tree={"cookie.Modifier": {"scope": BOTH, "name": "q", "value": "x y,z"}},
        sent=(("Cookie", 'q="x y,z"'),),
        got=with_text(("Set-Cookie", 'q="x y,z"')),
    ),
    Case(
        name="cookie-filter",
        tree=filtered("cookie.Filter", name="consent", value="given"),
        headers=(("Cookie", "consent=refused;"),),
        sent=(("Cookie", "consent=refused;"), *ELSE),
    ),
    Case(
        name="cookie-filter-presence",
        tree=filtered("cookie.Filter", name="consent"),
        headers=(("Cookie", "a=1; consent=any"),),
        sent=(("Cookie", "a=1; consent=any"), *THEN),
    ),
]
URLS = [
    Case(
        name="url-modifier",
        tree={
            "url.Modifier": {
                "scope": REQUEST,
                "scheme": "http",
                "host": "elsewhere.example:8081",
                "path": "/new/place",
                "query": "on=true",
            }
        },
        url="https://url-modifier.example/old?gone=1",
        leaves_for="elsewhere.example:8081",
        loses_tls=True,
        target="/new/place?on=true",
        host="url-modifier.example",
    ),
    Case(
        name="url-filter-host",
        tree=filtered("url.Filter", host="*.wild.example"),
        url="https://www.wild.example/",
        sent=THEN,
    ),
    Case(
        name="url-filter-path",
        tree=filtered("url.Filter", path="/exact"),
        url="http://url-filter-path.example/exact/not",
        sent=ELSE,
    ),
    Case(
        name="url-filter-query",
        tree=filtered("url.Filter", query="b=2&a=1"),
        url="http://url-filter-query.example/?a=1&b=2",
        sent=THEN,
    ),
    Case(
        name="url-regexfilter",
        tree=filtered("url.RegexFilter", regex=".*regexfilter.ex.*"),
        url="http://url-regexfilter.example:8080/a",
        sent=THEN,
    ),
    Case(
        name="url-regexfilter-query",
        tree=filtered("url.RegexFilter", regex="[?&]trace=on"),
        url="http://url-regexfilter-query.example/p?trace=on",
        sent=THEN,
    ),
    Case(
        name="querystring",
        tree={"querystring.Modifier": {"scope": REQUEST, "name": "size", "value": "9"}},
        url="http://querystring.example/p?unit=cm&size=1&size=2",
        target="/p?size=9&unit=cm",
    ),
    Case(
        name="querystring-encoded-again",
        tree={"querystring.Modifier": {"scope": REQUEST, "name": "n", "value": "c d&e"}},
        url="http://querystring-encoded-again.example/p?z=1&a=%20y&bare&semi;colon=1&plus=a+b",
        target="/p?a=+y&bare=&n=c+d%26e&plus=a+b&z=1",
    ),
    Case(
        name="querystring-filter",
        tree=filtered("querystring.Filter", name="page"),
        url="http://querystring-filter.example/?page=any",
        sent=THEN,
    ),
]
PORTS = [
    Case(
        name="port",
        tree={"port.Modifier": {"scope": REQUEST, "port": 8081}},
        url="http://port.example:1234/a",
        leaves_for="port.example:8081",
        host="port.example:1234",
    ),
    Case(
        name="port-default",
        tree={"port.Modifier": {"scope": REQUEST, "defaultForScheme": True}},
        url="https://port-default.example:8443/",
        leaves_for="port-default.example:443",
        host="port-default.example:8443",
    ),
    Case(
        name="port-filter-response",
        tree={
            "port.Filter": {
                "scope": RESPONSE,
                "port": 8081,
                "modifier": put("Way", "then", RESPONSE),
            }
        },
    ),
]
BODIES = [
    Case(
        name="body",
        tree={
            "body.Modifier": {
                "scope": BOTH,
                "@comment": "sets a body",
                "contentType": "application/json",
                "body": "eyJiIjoyfQ==",
            }
        },
        headers=(("Content-Encoding", "gzip"),),
        answer=(200, TEXT, "something longer"),
        sent=(("Content-Type", "application/json"),),
        sent_body='{"b":2}',
        got=(("Content-Type", "application/json"),),
        got_body='{"b":2}',
    ),
    Case(
        name="body-range",
        tree={"body.Modifier": {"scope": RESPONSE, "contentType": "text/plain", "body": "YWJjZGVmZ2hpag=="}},
        headers=(("Range", "bytes=2-5"),),
        sent=(("Range", "bytes=2-5"),),
        status=206,
        got=with_text(("Content-Range", "bytes 2-5/10")),
        got_body="cdef",
    ),
    Case(name="status", tree={"status.Modifier": {"scope": RESPONSE, "statusCode": 451}}, status=451),
    Case(name="status-omitted-scope", tree={"status.Modifier": {"statusCode": 418}}, status=418),
]
CASES = [*HEADERS, *GROUPS, *COOKIES, *URLS, *PORTS, *BODIES]

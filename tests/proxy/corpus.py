"""Generated configurations and requests: small vocabularies, so that rules and requests often meet."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from clientcreds_proxy.proxy.explaining.imagined import Imagined
from clientcreds_proxy.rules.url import parse_url

HOSTS = ("api.test", "www.api.test", "a.b.api.test", "bücher.test", "other.test", "localhost", "127.0.0.1")
PATTERNS = ("api.test", "*.api.test", "**.test", "BÜCHER.test.", "localhost", "127.0.0.1", "api.test:8443")
PATHS = (
    "/",
    "/v1/a",
    "/v1/b?t=1",
    "/v2/b",
    "/v2/c",
    "/v1/a",
    "/v1/a/",
    "/v2/b/c",
    "/v2/%62",
    "/v2/../v1",
    "/v1//a",
    "/v1/x%2Fy",
    "/v1/a?t=1&t=2",
)
PATH_PATTERNS = ("/", "/**", "/v1/**", "/v1/*", "/v2/{id}", "/v2/b/**", "/**", "/v1/a")
METHODS = ("GET", "POST", "DELETE", "OPTIONS", "TRACE", "get")
PORTS = (80, 443, 8443)
HEADERS = (
    ("Accept", "*/*"),
    ("Authorization", "Bearer mine"),
    ("Authorization", "Bearer mine"),
    ("X-Token", "mine"),
    ("Cookie", "a=b"),
    ("Connection", "keep-alive, X-Hop, Authorization"),
    ("X-Hop", "1"),
    ("X-Hop", "2"),
    ("Proxy-Connection", "keep-alive"),
    ("Proxy-Authorization", "Basic Og=="),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Origin", "https://elsewhere.test"),
    ("Access-Control-Request-Method", "GET"),
    ("Host", "api.test"),
    ("Host", "API.TEST.:8443"),
    ("X-A", "from the client"),
)
MODIFIERS = (
    {"header.Modifier": {"scope": ["request", "response"], "name": "X-A", "value": "modified"}},
    {"header.Append": {"scope": ["request"], "name": "X-A", "value": "appended"}},
    {"header.Blacklist": {"scope": ["request"], "names": ["X-Hop", "Cookie"]}},
    {"header.Copy": {"scope": ["request"], "from": "Accept", "to": "X-B"}},
    {"header.Modifier": {"scope": ["request"], "name": "Authorization", "value": "modified"}},
    {"querystring.Modifier": {"scope": ["request"], "name": "t", "value": "3"}},
    {"url.Modifier": {"scope": ["request"], "path": "/moved"}},
    {"cookie.Modifier": {"scope": ["request"], "name": "c", "value": "d"}},
    {
        "header.Filter": {
            "scope": ["request"],
            "name": "X-A",
            "value": "from the client",
            "modifier": {"header.Modifier": {"scope": ["request"], "name": "X-C", "value": "c"}},
        }
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What one seed gives."""

    chance: random.Random

    def configuration(self, token_url: str) -> str:
        """A file that loads, unless a modifier leads away from its rule."""
        keys = {
            "version": 1,
            "unmatched": self._one(("pass", "pass", "block")),
            "intercept": self._one(("ruled", "ruled", "all")),
            "allowed_clients": self._one((*[["127.0.0.0/8"]] * 5, ["127.0.0.1"])),
            "token_sources": {
                "plain": {"token_url": token_url, "client_id": "app", "client_secret": "s3cr3t"},
                "keyed": {
                    "token_url": token_url,
                    "client_id": "app",
                    "client_secret": "s3cr3t",
                    "attach": {"header": "X-Token", "scheme": ""},
                    "api_headers": {"X-Api-Key": "k3y"},
                },
            },
            "rules": [self._rule(f"r{number}") for number in range(self.chance.randint(1, 8))],
        }
        return yaml.safe_dump(keys, allow_unicode=True)

    def request(self) -> Imagined:
        """A request that a client could send."""
        scheme = self._one(("http", "https"))
        port = self._one(("", "", "", ":8443", ":443", ":80"))
        return Imagined(
            method=self._one((*METHODS, *["GET"] * 4)),
            url=parse_url(
                f"{scheme}://{self._one((*HOSTS, 'api.test', 'www.api.test'))}{port}{self._one(PATHS)}"
            ),
            headers=tuple(_once_only(self.chance.sample(HEADERS, self.chance.randint(0, 3)))),
            client_address=self._one((*["127.0.0.1"] * 5, "127.0.0.2")),
        )

    def _rule(self, name: str) -> dict[str, object]:
        match: dict[str, object] = {"host": self.chance.sample(PATTERNS, self.chance.randint(1, 2))}
        self._perhaps(match, "path", self.chance.sample(PATH_PATTERNS, 2), 0.5)
        self._perhaps(match, "methods", self.chance.sample(METHODS[:4], 2), 0.3)
        self._perhaps(match, "scheme", self._one(("http", "https")), 0.2)
        self._perhaps(match, "query", {"t": ["1", "2"]}, 0.1)
        if not any(":" in host for host in match["host"]):  # type: ignore[attr-defined]
            self._perhaps(match, "port", self._one((8443, "any", [80, 443])), 0.4)
        rule: dict[str, object] = {"name": name, "match": match}
        self._perhaps(rule, "token_source", self._one(("plain", "keyed")), 0.8)
        self._perhaps(rule, "modifiers", self.chance.sample(MODIFIERS, self.chance.randint(1, 3)), 0.5)
        self._perhaps(rule, "attach", {"when_present": self._one(("keep", "refuse", "refuse"))}, 0.4)
        if "token_source" in rule:
            self._perhaps(rule, "forward_headers", {"X-A": "grp", "X-Nothing": "gone"}, 0.2)
        self._perhaps(rule, "allowed_clients", self._one((["127.0.0.2"], ["10.0.0.0/8", "127.0.0.1"])), 0.15)
        for key in ("upgrade_to_https", "allow_plain_http", "allow_cross_site"):
            self._perhaps(rule, key, True, 0.3)
        for key in ("allow_encoded_slash", "allow_empty_segments"):
            self._perhaps(rule, key, True, 0.3)
        return rule

    def _perhaps(self, keys: dict[str, object], key: str, value: object, probability: float) -> None:
        if self.chance.random() < probability:
            keys[key] = value

    def _one[T](self, values: Sequence[T]) -> T:
        return self.chance.choice(values)


def _once_only(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without a second Host, which mitmproxy itself refuses."""
    hosts = [header for header in headers if header[0] == "Host"]
    return [header for header in headers if header not in hosts[1:]]

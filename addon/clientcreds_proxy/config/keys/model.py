"""The keys of a configuration file and of its rules. Those of a token source: `model_source.py`.

pydantic checks one value at a time here; a model never leaves this room. The texts below the keys are the
descriptions of the JSON Schema, so that an editor shows them.
"""

from typing import Annotated, Literal

from pydantic import Field, Tag

from clientcreds_proxy.config.keys import fields
from clientcreds_proxy.config.keys.model_keys import BY_WAY, INLINE, NAMED, Keys
from clientcreds_proxy.config.keys.model_source import SourceAttach, TokenSource
from clientcreds_proxy.config.keys.model_store import Store


class Match(Keys):
    """Which requests a rule is for: those that fit all that is said here."""

    host: fields.Hosts
    """Host of the API: api.example.com, *.example.com (one more label), **.example.com (one or more), or an
    IP address. With a port, as in api.example.com:8443, that port alone. One or a list."""
    path: fields.Paths = []
    """Path without query: /a/b, /a/* (any one segment), /a/** (any number of them). One or a list. Absent:
    every path."""
    methods: fields.Methods = []
    """HTTP methods, one or a list. Absent: every method."""
    scheme: fields.Schemes = []
    """http or https. Absent: both, but a token never leaves over plain http unless the rule allows it."""
    port: fields.Ports = []
    """A port, a list of ports, or any. Absent: the scheme's default port."""
    query: dict[str, fields.QueryValues] = {}
    """Query parameters that must be there, each with one of these values. Other parameters are free."""


class Attach(SourceAttach):
    """Where the token goes."""

    when_present: Literal["replace", "keep", "refuse"] = "replace"
    """What becomes of the client's own header: replace it, keep it (and fetch no token), or refuse the
    request."""


class Rule(Keys):
    """What happens to the requests it matches. The first rule that matches wins."""

    name: fields.Name
    """Name of the rule in logs and answers, unique over all files."""
    match: Match
    """Which requests this rule is for."""
    token_source: Annotated[
        Annotated[fields.Name, Tag(NAMED)] | Annotated[TokenSource, Tag(INLINE)], BY_WAY
    ] = ""
    """Where the token comes from: a name of token_sources, or a token source written here in full. Absent:
    no token, only modifiers."""
    attach: Attach = Attach()
    """Where the token goes, where that differs from the token source's attach."""
    claims: fields.Claims = ""
    """What the token must say, in Traefik's language: Equals(`grp`, `admin`) && !Contains(`areas`, `x`)."""
    forward_headers: fields.ForwardHeaders = {}
    """Headers for the API, each with the path of the claim that it carries. Empty where the claim is
    missing; the client's own header of that name is always removed."""
    username_claim: fields.Claim = ""
    """Path of the claim that the log shows as client_username."""
    modifiers: fields.Trees = []
    """Martian modifiers, as KrakenD has them: one tree, or a list of them that runs in order."""
    upgrade_to_https: bool = False
    """The application speaks http:// to the proxy, the proxy speaks TLS to the API."""
    on_unauthorized: Literal["retry", "pass"] = "retry"
    """What happens when the API answers 401: retry once with a new token, or pass the answer on."""
    on_token_failure: Literal["refuse", "pass_without_token"] = "refuse"
    """What happens when there is no token to be had: refuse the request, or pass it on without a token."""
    allowed_clients: fields.Clients = []
    """Who may use this rule: networks (127.0.0.0/8), or users of mitmproxy's proxyauth (user:alice)."""
    allow_plain_http: bool = False
    """Send the token over unencrypted http, to hosts other than loopback too."""
    allow_cross_site: bool = False
    """Let web pages of other sites use this rule."""
    allow_encoded_slash: bool = False
    """Take %2F in a path as a character of its segment (GitLab, RabbitMQ)."""
    allow_empty_segments: bool = False
    """Let paths with // pass."""


class Status(Keys):
    """The status server."""

    listen: fields.Listen | None = "127.0.0.1:8082"
    """Loopback address and port that it listens on."""


class Log(Keys):
    """The log."""

    format: Literal["text", "json"] = "text"
    """One line of text, or one JSON object, for each ruled request."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages to log."""


class IncludedFile(Keys):
    """A file that `include` names: token sources and rules only."""

    version: fields.Version
    """Version of the file's format."""
    token_sources: dict[fields.Name, TokenSource] = {}
    """Where tokens come from, by name."""
    rules: list[Rule] = []
    """The rules, in the order they are tried. The first one that matches wins."""


class MainFile(IncludedFile):
    """The configuration of clientcreds."""

    unmatched: Literal["pass", "block"] = "pass"
    """What happens to requests that no rule matches: pass them on as they are, or block them (403)."""
    intercept: Literal["ruled", "all"] = "ruled"
    """Which TLS connections are decrypted: those to hosts that have a rule, or all."""
    allowed_clients: fields.Clients = ["127.0.0.0/8", "::1/128"]
    """Who may use the proxy: networks (10.0.0.0/8), or users of mitmproxy's proxyauth (user:alice)."""
    status: Status | None = Status()
    """The page and the numbers about the running proxy. null switches them off."""
    log: Log = Log()
    """How the log is written, and how much of it."""
    stores: dict[fields.Name, Store] = {}
    """Where several processes share their tokens, by name."""
    include: Annotated[list[fields.Text], Field(min_length=1)] = []
    """Further files with token sources and rules, as patterns relative to this file: [team/*.yaml]. Their
    rules follow this file's, sorted by path."""

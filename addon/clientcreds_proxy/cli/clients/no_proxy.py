"""`NO_PROXY`: which hosts a client calls directly. No two clients read it alike, so it is written for all.

What all read is a bare name or one with a leading dot (`example.com` stands for its subdomains, too);
`*.example.com`, `host:443` and networks are read by some.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network

from clientcreds_proxy.rules.host import is_loopback
from clientcreds_proxy.rules.model import Rule
from clientcreds_proxy.rules.pattern import HostPattern

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_JAVA_LOOPBACK = {"localhost": "localhost", "127.0.0.1": "127.*", "::1": "[::1]"}
_PORT = re.compile(r"(?<=[^:]):\d+$")


def entries(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What the user has in either spelling, each entry once."""
    words = re.split(r"[,\s]+", f"{environ.get('no_proxy', '')},{environ.get('NO_PROXY', '')}")
    return tuple(dict.fromkeys(word for word in words if word))


def completed(own: Sequence[str], *, loopback_is_ruled: bool) -> tuple[str, ...]:
    """The user's entries and this machine, which has nothing to gain from a proxy; unless a rule is for it.

    Then those of the user's that name it go, too: `localhost` stands in many a profile without a thought.
    """
    kept = [entry for entry in own if not (loopback_is_ruled and is_loopback(_name_of(entry)))]
    dotted = [entry[1:] for entry in kept if entry.startswith("*.")]
    return tuple(dict.fromkeys([*kept, *dotted, *(() if loopback_is_ruled else LOOPBACK)]))


def rules_loopback(rules: Iterable[Rule]) -> bool:
    """Whether a rule is for a host of this machine."""
    return any(is_loopback(pattern.base) for rule in rules for pattern in rule.match.hosts)


def hidden_rules(no_proxy: Sequence[str], rules: Iterable[Rule]) -> tuple[tuple[str, str], ...]:
    """Each entry that makes clients go round the proxy, and the rule that they miss."""
    return tuple(
        (entry, rule.name)
        for rule in rules
        for entry in no_proxy
        if any(hides(entry, _one_of(pattern)) for pattern in rule.match.hosts)
    )


def hides(entry: str, host: str) -> bool:
    """Whether some client, reading this entry, calls `host` without the proxy."""
    name = _name_of(entry)
    if name == "*":
        return True
    try:
        return ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        return host == name or host.endswith(f".{name}")


def for_java(no_proxy: Sequence[str]) -> str:
    """The same as `http.nonProxyHosts` has it: patterns with one `*`, no networks."""
    patterns: list[str] = []
    for entry in no_proxy:
        name = _name_of(entry)
        if entry in _JAVA_LOOPBACK:
            patterns.append(_JAVA_LOOPBACK[entry])
        elif "/" not in name and "|" not in name:
            patterns += [name] if name == "*" or _is_address(name) else [name, f"*.{name}"]
    return "|".join(dict.fromkeys(patterns))


def _name_of(entry: str) -> str:
    """The host that an entry is about: without a leading `*.` or `.`, and without a port."""
    bare = _PORT.sub("", entry) if entry.count(":") == 1 or "]" in entry else entry
    return bare.strip("[]").removeprefix("*.").removeprefix(".").lower()


def _one_of(pattern: HostPattern) -> str:
    return pattern.base if pattern.kind == "exact" else f"any.{pattern.base}"


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

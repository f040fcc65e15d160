"""What may stand in a header that a modifier writes, removes or looks for.

Each check gives the problem in words, or None. A text is quoted where it is one of the names below alone:
any other may come from a secret.
"""

import re

from clientcreds_proxy.martian.problem import shown

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a tab is allowed inside a value

_FRAMING = frozenset({"content-length", "transfer-encoding"})
_CREDENTIALS_OF_THE_PROXY = frozenset({"proxy-authorization", "proxy-connection"})
# RFC 9110 §7.6.1 and §10.1.1: this proxy answers `Expect: 100-continue` itself and waits for no answer to it.
_OF_ONE_CONNECTION = frozenset(
    {"connection", "expect", "keep-alive", "proxy-authenticate", "te", "trailer", "upgrade"}
)


def is_token(name: str) -> bool:
    """Whether this can be the name of a header, or of a cookie."""
    return _TOKEN.fullmatch(name) is not None


def name_problem(name: str) -> str | None:
    """Why this is no header's name."""
    if is_token(name):
        return None
    return "not a header's name, expected letters, digits and hyphens"


def write_problem(name: str) -> str | None:
    """Why no modifier may write this header."""
    key = name.lower()
    if key in _CREDENTIALS_OF_THE_PROXY or key in _OF_ONE_CONNECTION:
        return f"{shown(name)} belongs to one connection, the proxy writes it itself: a modifier can't"
    return removal_problem(name) or name_problem(name)


def removal_problem(name: str) -> str | None:
    """Why no modifier may remove this header."""
    if name.lower() in _FRAMING:
        return f"{shown(name)} says where the body ends, the proxy writes it itself: a modifier can't"
    return name_problem(name)


def single_problem(name: str) -> str | None:
    """Why no modifier may add this header, or fill it with something of its own: Host on top of that."""
    if name.lower() == "host":
        return "a request has exactly one 'Host': header.Modifier replaces it"
    return write_problem(name)


def copy_problem(name: str) -> str | None:
    """Why no modifier may copy this header."""
    if name.lower() in _CREDENTIALS_OF_THE_PROXY:
        return f"{shown(name)} is meant for this proxy alone and never reaches the API, not as a copy either"
    return name_problem(name)


def value_problem(value: str) -> str | None:
    """Why this can't be the value of a header."""
    if _CONTROL.search(value):
        return "a header's value has no line break or other control character"
    return None


def text_problem(text: str) -> str | None:
    """Why this text can't be written as UTF-8, the encoding of all that modifiers write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "this text holds half of a surrogate pair, which is no character"
    return None

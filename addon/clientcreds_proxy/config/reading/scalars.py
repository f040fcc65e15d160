"""What a plain scalar means by YAML 1.2's core schema: `no` and `12:30:45` are texts, `010` is ten."""

import re

_NULL = re.compile(r"(?:~|null|Null|NULL)?")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_PREFIXED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_PLAIN_TEXT = re.compile(r"(?![tTfFnN])[A-Za-z/$*]")  # most scalars: no other pattern can match


def plain_value(text: str) -> object:
    """A plain scalar by YAML 1.2 §10.3.2 (core schema)."""
    if _PLAIN_TEXT.match(text):
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    return _number(text)


def _number(text: str) -> object:
    if _DECIMAL.fullmatch(text) and len(text) <= 20:  # a longer one is a float below: no setting needs it
        return int(text)
    if _PREFIXED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) or _SPECIAL_FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text

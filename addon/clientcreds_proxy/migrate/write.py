"""The new file's text: readable, in a stable order, with comments. Secrets are references by now."""

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from clientcreds_proxy.config.reading.scalars import plain_value
from clientcreds_proxy.errors import Problem
from clientcreds_proxy.migrate.draft import Draft, Rule, Source, Value, one_or_many
from clientcreds_proxy.migrate.notes import Kind
from clientcreds_proxy.migrate.vault import Reference, Vault

_PLAIN_INSIDE = re.compile(
    r"[A-Za-z0-9_./](?:[A-Za-z0-9_./@%+=~*()-]|:(?=[A-Za-z0-9]))*(?: [A-Za-z0-9_./@%+=~*()-]+)*"
)
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@%+=~*():-]*(?: [A-Za-z0-9_./@%+=~*()-]+)*")
_REFERENCE = re.compile(r"\$\{env:\w+\}|urn:k8s:secret:[\w.-]+:[\w.-]+")
_UNPRINTABLE = re.compile('[\\x00-\\x1f"\\\\\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')
_WIDTH = 110
_NO_RULES = "rules: []  # take the brackets away with the first # of a rule"


def write(draft: Draft, *, gateway: str, file: str) -> str:
    """The whole file."""
    body = [
        "version: 1",
        *_block("token_sources", draft.sources, draft.vault),
        *_stores(draft),
        *_block("rules", draft.rules, draft.vault),
    ]
    if not any(rule.off is None for rule in draft.rules):
        body = [_NO_RULES if line == "rules:" else line for line in body]
    head = ["# yaml-language-server: $schema=./schema.json", *_comment(list(_head(draft, gateway, file)))]
    return "\n".join([*head, *body]) + "\n"


def _head(draft: Draft, gateway: str, file: str) -> Iterator[str]:
    yield f"Made by `clientcreds import {gateway}` from {_printable(file)}."
    variables, mounted = draft.vault.variables.values(), draft.vault.mounted
    if variables:
        yield ""
        yield "No secret stands in this file. Environment variables to set, and what belongs into each:"
        yield from (f"  {each.name}: {each.what}" for each in variables)
    if mounted:
        yield ""
        yield "Kubernetes secrets to mount as files NAME/KEY below $CLIENTCREDS_K8S_SECRETS:"
        yield from (f"  {_printable(f'{name}/{key}')}" for name, key in mounted)
    if draft.remarks:
        yield ""
        yield "Different here:"
        yield from (f"- {remark}" for remark in draft.remarks)
    titles: dict[Kind, str] = {"lost": "Not carried over:", "note": "To look at:"}
    for kind, title in titles.items():
        if found := draft.notes.of(kind):
            yield ""
            yield title
            for each in found:
                yield from _finding(each)


def _finding(problem: Problem) -> Iterator[str]:
    """A finding; where its path fills the line, the message goes below it."""
    if len(problem.path) < _WIDTH // 2:
        yield f"- {problem.path}: {problem.message}"
    else:
        yield f"- {problem.path}:"
        yield f"  {problem.message}"


def _block(title: str, entries: Sequence[Source | Rule], vault: Vault) -> Iterator[str]:
    if not entries:
        if title == "rules":
            yield "rules: []"
        return
    yield ""
    off = title != "rules" and all(entry.off is not None for entry in entries)
    yield f"# {title}:" if off else f"{title}:"
    for number, entry in enumerate(entries):
        if number:
            yield ""
        why = [] if entry.off is None else [f"switched off: {entry.off}"]
        yield from _indented(_comment([f"from {entry.at.where}", *why, *entry.comments]))
        lines = _rule(entry, vault) if isinstance(entry, Rule) else _source(entry, vault)
        yield from _indented(lines if entry.off is None else (f"# {line}".rstrip() for line in lines))


def _source(source: Source, vault: Vault) -> Iterator[str]:
    yield f"{scalar(source.name)}:"
    yield from _indented(_mapping(source.keys, vault))


def _rule(rule: Rule, vault: Vault) -> Iterator[str]:
    match = rule.match
    keys: dict[str, Value] = {"host": one_or_many(match.hosts or ("FILL.IN.example",))}
    for key, values in (("path", match.paths), ("methods", match.methods), ("scheme", match.schemes)):
        if values:
            keys[key] = list(values) if key == "methods" else one_or_many(values)
    if match.query:
        keys["query"] = {name: one_or_many(values) for name, values in match.query.items()}
    whole: dict[str, Value] = {"name": rule.name, "match": keys}
    if rule.source is not None:
        whole["token_source"] = rule.source.name
    lines = list(_mapping({**whole, **rule.keys}, vault))
    yield f"- {lines[0]}"
    yield from _indented(lines[1:])


def _stores(draft: Draft) -> Iterator[str]:
    if draft.stores:
        yield ""
        yield "stores:"
        yield from _indented(_mapping(dict(draft.stores), draft.vault))


def _mapping(keys: dict[str, Value], vault: Vault) -> Iterator[str]:
    for key, value in keys.items():
        yield from _member(f"{scalar(key)}:", value, vault)


def _member(start: str, value: Value, vault: Vault) -> Iterator[str]:
    """`start` with the value behind it, or below it where it is long."""
    if isinstance(value, str) and "\n" in value and vault.masked(value) == value and _block_fits(value):
        yield f"{start} |" + ("" if value.endswith("\n") else "-")
        yield from _indented(value.removesuffix("\n").split("\n"))
        return
    flow = _flow(value, vault)
    if not isinstance(value, dict | list) or not value or _is_short(value, flow):
        yield f"{start} {flow}"
        return
    yield start
    if isinstance(value, dict):
        yield from _indented(_mapping(value, vault))
        return
    for item in value:
        yield from _indented(_item(item, vault))


def _item(item: Value, vault: Vault) -> Iterator[str]:
    if isinstance(item, dict) and item:
        first, *others = _mapping(item, vault)
        yield f"- {first}"
        yield from _indented(others)
    else:
        yield f"- {_flow(item, vault)}"


def _is_short(value: Value, flow: str) -> bool:
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return len(flow) <= 70 and not any(isinstance(each, dict | list) and each for each in nested)


def _flow(value: Value, vault: Vault, *, inside: bool = False) -> str:
    """A value on one line; `inside` of brackets more texts need quotes."""
    if isinstance(value, dict):
        members = (f"{scalar(key)}: {_flow(member, vault, inside=True)}" for key, member in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(item, vault, inside=True) for item in value)}]"
    if isinstance(value, str):
        value = vault.masked(value)
    if isinstance(value, Reference):
        return value.text if _REFERENCE.fullmatch(value.text) and not inside else scalar(value.text)
    return scalar(value, inside=inside) if isinstance(value, str) else _number(value)


def _number(value: float | None) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            return f"{value:.15g}"


def scalar(text: str, *, inside: bool = True) -> str:
    """A text as YAML writes it: plain where that is safe, else quoted."""
    plain = _PLAIN_INSIDE if inside else _PLAIN
    if plain.fullmatch(text) and not text.endswith(":") and plain_value(text) == text:
        return text
    return '"' + _UNPRINTABLE.sub(_escaped, text) + '"'


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    return f"\\{character}" if character in '"\\' else f"\\u{ord(character):04x}"


def _block_fits(text: str) -> bool:
    """Whether a literal block gives exactly this text: PEM does."""
    lines = text.removesuffix("\n").split("\n")
    return all(line and line[0] != " " and not _UNPRINTABLE.search(line) for line in lines)


def _comment(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        text = _printable(line)
        if not text:
            yield "#"
        elif max(map(len, text.split())) > _WIDTH // 2:  # a path, which is not to stand alone
            yield f"# {text}"
        else:
            start = " " * (len(text) - len(text.lstrip(" -")))
            parts = wrap(
                text, _WIDTH, subsequent_indent=start, break_long_words=False, break_on_hyphens=False
            )
            yield from (f"# {part}" for part in parts)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" if line else line for line in lines)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)

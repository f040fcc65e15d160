"""Writes docs/oauth.md: every statement of docs/oauth.toml with the tests that name it in their docstring."""

import ast
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATEMENTS = ROOT / "docs" / "oauth.toml"
PAGE = ROOT / "docs" / "oauth.md"
TESTS = ROOT / "tests"

# Groups I, K, L, M are about resource metadata, JWTs, introspection and the cache: no part of this page.
ID = re.compile(r"\b[A-HJ][0-9]{2}\b")

HEAD = """\
# OAuth 2.0, statement by statement

What a client of the client-credentials grant and a proxy that attaches its tokens must do, and the tests
that fail when it is no longer so. Where this project promises something else, the promise stands here as
`contract: …`, and the statement leaves the count.

**{shown} of {counted} shown**, {otherwise} decided otherwise.

Written by `./scripts/checklist` from [oauth.toml](oauth.toml) and the docstrings of the tests.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One line of the list."""

    id: str
    says: str
    source: str = "practice"
    contract: str | None = None  # what this project promises instead
    why_not: str | None = None  # why no test shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Statements about one thing."""

    title: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One test, and the statements that it shows."""

    name: str
    path: Path
    ids: frozenset[str]


def read_groups(text: str) -> tuple[Group, ...]:
    """The list, in the order of the file."""
    return tuple(
        Group(
            title=members.pop("title"),
            statements=tuple(Statement(id=name, **values) for name, values in members.items()),
        )
        for members in tomllib.loads(text).values()
    )


def find_tests(folder: Path) -> tuple[Proof, ...]:
    """All tests below a folder whose docstring names a statement, sorted by path."""
    return tuple(test for path in sorted(folder.rglob("test_*.py")) for test in _tests_of(path))


def _tests_of(path: Path) -> Iterator[Proof]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            ids = frozenset(ID.findall(ast.get_docstring(node) or ""))
            if ids:
                yield Proof(name=node.name, path=path, ids=ids)


def showing(tests: Sequence[Proof], statement: Statement) -> tuple[Proof, ...]:
    """The tests that show this statement."""
    return tuple(test for test in tests if statement.id in test.ids)


def counted(groups: Sequence[Group]) -> tuple[Statement, ...]:
    """All statements but those that the contract decides otherwise."""
    return tuple(one for group in groups for one in group.statements if one.contract is None)


def page(groups: Sequence[Group], tests: Sequence[Proof]) -> str:
    """The page as Markdown."""
    count = counted(groups)
    every = sum(len(group.statements) for group in groups)
    parts = [
        HEAD.format(
            shown=sum(bool(showing(tests, statement)) for statement in count),
            counted=len(count),
            otherwise=every - len(count),
        )
    ]
    parts += [_table(group, tests) for group in groups]
    return "\n".join(parts)


def _table(group: Group, tests: Sequence[Proof]) -> str:
    lines = [f"## {group.title}", "", "| | statement | from | shown by |", "|---|---|---|---|"]
    lines += [
        f"| {one.id} | {one.says} | {one.source} | {_shown_by(one, showing(tests, one))} |"
        for one in group.statements
    ]
    return "\n".join(lines) + "\n"


def _shown_by(statement: Statement, tests: Sequence[Proof]) -> str:
    links = [f"[{test.name}](../{test.path.relative_to(ROOT).as_posix()})" for test in tests]
    if statement.contract is not None:
        links.insert(0, f"contract: {statement.contract}")
    elif not links:
        links.append(f"not shown: {statement.why_not}")
    return "<br>".join(links)


def main() -> None:
    """Write the page."""
    groups: Sequence[Group] = read_groups(STATEMENTS.read_text())
    PAGE.write_text(page(groups, find_tests(TESTS)))


if __name__ == "__main__":
    main()

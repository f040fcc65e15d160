"""docs/oauth.md: what the checklist asks for, and which tests show it."""

from collections import Counter
from pathlib import Path

import pytest

from scripts.checklist import (
    PAGE,
    ROOT,
    STATEMENTS,
    TESTS,
    Group,
    Proof,
    Statement,
    counted,
    find_tests,
    page,
    read_groups,
)

GROUPS = read_groups(STATEMENTS.read_text())
SHOWING = find_tests(TESTS)
SHOWN = {name for test in SHOWING for name in test.ids}
EVERY = [statement for group in GROUPS for statement in group.statements]


def test_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text() == page(GROUPS, SHOWING), "run ./scripts/checklist"


def test_list_is_complete() -> None:
    """As many as the checklist has in each of its groups, numbered without a gap."""
    sizes = {"A": 27, "B": 27, "C": 12, "D": 18, "E": 16, "F": 7, "G": 5, "H": 10, "J": 10}

    assert Counter(statement.id for statement in EVERY) == Counter(
        f"{group}{number:02}" for group, size in sizes.items() for number in range(1, size + 1)
    )


def test_at_least_95_percent_are_shown() -> None:
    count = counted(GROUPS)

    assert sum(statement.id in SHOWN for statement in count) >= 0.95 * len(count)


def test_no_test_names_a_statement_that_does_not_exist() -> None:
    known = {statement.id for statement in EVERY}

    assert {test.name: test.ids - known for test in SHOWING if test.ids - known} == {}


def test_what_is_not_shown_says_why() -> None:
    for statement in EVERY:
        is_open = statement.contract is None and statement.id not in SHOWN
        assert (statement.why_not is not None) == is_open, statement.id


def test_tests_are_found_by_their_docstrings(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "test_one.py").write_text('''
async def test_a() -> None:
    """A01, B02: not M03, RFC 8414 or ES256; see C04."""

def test_b() -> None:
    assert "A05"

def helper() -> None:
    """A06."""
''')
    (tmp_path / "making.py").write_text('def test_c() -> None:\n    """A07."""\n')

    assert find_tests(tmp_path) == (
        Proof(name="test_a", path=tmp_path / "inner" / "test_one.py", ids=frozenset({"A01", "B02", "C04"})),
    )


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        (
            Statement(id="A01", says="It is.", source="RFC 1"),
            "| A01 | It is. | RFC 1 | [test_a](../tests/test_x.py) |",
        ),
        (
            Statement(id="A02", says="It is.", why_not="nobody looks"),
            "| A02 | It is. | practice | not shown: nobody looks |",
        ),
        (
            Statement(id="A01", says="It is.", contract="it is not."),
            "| A01 | It is. | practice | contract: it is not.<br>[test_a](../tests/test_x.py) |",
        ),
        (
            Statement(id="A03", says="It is.", contract="it is not."),
            "| A03 | It is. | practice | contract: it is not. |",
        ),
    ],
)
def test_row_says_what_shows_a_statement(statement: Statement, row: str) -> None:
    tests = [Proof(name="test_a", path=ROOT / "tests" / "test_x.py", ids=frozenset({"A01"}))]

    assert row in page([Group(title="It", statements=(statement,))], tests).splitlines()

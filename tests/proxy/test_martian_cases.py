"""Contract section 7: what KrakenD's modifiers did when they were measured, through the real proxy.

docs/martian.md says where we differ, and why.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from tests.proxy.harness import mitmdump
from tests.proxy.martian_cases import Case, Outside, outside
from tests.proxy.martian_table import CASES

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def world(
    authority: trustme.CA, trusted: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Outside]:
    folder = tmp_path_factory.mktemp("cases") / "proxy"
    folder.mkdir()
    async with outside(CASES, folder=folder, authority=authority, trusted=trusted) as world:
        yield world


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_case_is_reproduced(world: Outside, case: Case) -> None:
    await world.try_out(case)


WRONG = {
    "{header.Append: {name: Host, value: x}}": "Host",
    '{header.Append: {name: Content-Length, value: "1"}}': "Content-Length",
    "{header.Modifier: {name: Content-Length, value: abc}}": "Content-Length",
    '{header.Set: {name: X-A, value: "1"}}': "unknown modifier",
    "{header.RegexFilter: {header: X-A, regex: '(?<=a)b', modifier: {header.Id: {}}}}": "regular expression",
    "{status.Modifier: {scope: [request], statusCode: 400}}": "has no request phase",
    "{url.Modifier: {scope: [request, response], host: h}}": "has no response phase",
    "{port.Modifier: {scope: [request]}}": "one of",
    "{port.Modifier: {defaultForScheme: true, remove: true}}": "one of",
}


async def test_trees_that_can_not_work_are_refused_at_start_with_their_places(folder: Path) -> None:
    rules = "".join(
        f"  - name: r{number}\n    match: {{host: api.example}}\n    modifiers: {tree}\n"
        for number, tree in enumerate(WRONG)
    )

    async with mitmdump(f"version: 1\nrules:\n{rules}", folder=folder, listens_at=None) as proxy:
        assert await proxy.process.wait() == 1
        await proxy.said("rules.yaml:", times=len(WRONG))

    for number, expected in enumerate(WRONG.values()):
        line = next(line for line in proxy.lines if f"rules[{number}].modifiers" in line)
        assert f"rules.yaml:{5 + 3 * number}:" in line
        assert expected in line

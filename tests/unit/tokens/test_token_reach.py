"""How long a store that does not answer is waited for, and how it comes back."""

import asyncio
from dataclasses import dataclass, field

import pytest

from clientcreds_proxy.tokens.stores.backend import StoreDown
from clientcreds_proxy.tokens.stores.reach import AT_A_TIME, Reach
from tests.unit.tokens.making import settle

pytestmark = pytest.mark.anyio


@dataclass
class Place:
    """A place that answers or does not, and what is told of it."""

    failure: StoreDown | None = None
    silent: bool = False
    asked: int = 0
    looked: list[str] = field(default_factory=list)
    told: list[str | None] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    resumes: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.reach = Reach(self.look, self.told.append, pause=self.pause)

    async def look(self, name: str) -> None:
        self.looked.append(name)
        await self._answer()

    async def command(self) -> str:
        self.asked += 1
        await self._answer()
        return "answer"

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.resumes.wait()
        self.resumes.clear()

    async def ask(self) -> str:
        return await self.reach.ask("n", self.command)

    async def _answer(self) -> None:
        if self.silent:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def place() -> Place:
    return Place()


async def test_answer_comes_back(place: Place) -> None:
    assert await place.ask() == "answer"
    assert place.told == []


async def test_silence_is_waited_for_once(place: Place) -> None:
    place.silent = True
    begin = asyncio.get_running_loop().time()

    for _ in range(3):
        with pytest.raises(StoreDown, match="no answer within 200 ms"):
            await place.ask()

    assert asyncio.get_running_loop().time() - begin < 0.4
    assert place.asked == 1
    assert place.told == ["no answer within 200 ms"]
    await place.reach.aclose()


async def test_many_that_wait_at_once_are_one_change_of_state(place: Place) -> None:
    place.silent = True

    outcomes = await asyncio.gather(*(place.ask() for _ in range(50)), return_exceptions=True)

    assert all(isinstance(outcome, StoreDown) for outcome in outcomes)
    assert place.asked == AT_A_TIME
    assert len(place.told) == 1
    await place.reach.aclose()


async def test_cancelled_question_ends_its_command(place: Place) -> None:
    place.silent = True
    before = asyncio.all_tasks()
    asking = asyncio.ensure_future(place.ask())
    await settle()

    asking.cancel()
    await settle()

    assert asking.cancelled()
    assert asyncio.all_tasks() == before


async def test_looks_become_rarer_until_it_answers(place: Place) -> None:
    place.failure = StoreDown("refused")
    with pytest.raises(StoreDown):
        await place.ask()
    for _ in range(5):
        await settle()
        place.resumes.set()
    await settle()
    assert place.pauses == [1, 2, 4, 8, 8, 8]

    place.failure = None
    place.resumes.set()
    await settle()

    assert place.told == ["refused", None]
    assert place.looked == ["n"] * 6
    assert await place.ask() == "answer"


async def test_warming_up_finds_it_down(place: Place) -> None:
    place.failure = StoreDown("refused")

    await place.reach.warm_up("w", place.command)

    assert place.reach.why == "refused"
    assert place.told == ["refused"]
    await place.reach.aclose()


async def test_warming_up_tells_nothing_of_one_that_answers(place: Place) -> None:
    await place.reach.warm_up("w", place.command)

    assert place.asked == 1
    assert place.told == []
    await place.reach.aclose()


async def test_closed_it_is_not_asked(place: Place) -> None:
    await place.reach.aclose()

    with pytest.raises(StoreDown, match="it is closed"):
        await place.ask()


async def test_closing_keeps_the_reason_of_one_that_is_down(place: Place) -> None:
    place.failure = StoreDown("refused")
    await place.reach.warm_up("w", place.command)

    await place.reach.aclose()

    assert place.reach.why == "refused"

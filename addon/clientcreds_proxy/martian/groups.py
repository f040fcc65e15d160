"""Martian's groups: `fifo.Group` runs in the order of the file, `priority.Group` by priority."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from clientcreds_proxy.errors import ModifierFailed
from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.message import Request, Response
from clientcreds_proxy.martian.modifier import Modifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Modifiers that run one after the other, each on what the one before it left."""

    declared: tuple[Modifier, ...]
    for_requests: tuple[Modifier, ...]  # in running order
    for_responses: tuple[Modifier, ...]
    aggregate_errors: bool = False  # the others run although one failed; the failure stands all the same

    @property
    def changes_requests(self) -> bool:
        """Whether any of them does."""
        return bool(self.for_requests)

    @property
    def changes_responses(self) -> bool:
        """Whether any of them does."""
        return bool(self.for_responses)

    def modify_request(self, request: Request) -> Request:
        """The request as the last one leaves it."""
        return self._run(request, (member.modify_request for member in self.for_requests))

    def modify_response(self, response: Response, request: Request) -> Response:
        """The response as the last one leaves it."""

        def step(member: Modifier) -> Callable[[Response], Response]:
            return lambda before: member.modify_response(before, request)

        return self._run(response, (step(member) for member in self.for_responses))

    def children(self) -> Iterator[Modifier]:
        """All members, also those that run in no phase."""
        return iter(self.declared)

    def _run[M](self, message: M, steps: Iterable[Callable[[M], M]]) -> M:
        failures: list[str] = []
        for step in steps:
            try:
                message = step(message)
            except ModifierFailed as failure:
                if not self.aggregate_errors:
                    raise
                failures.append(str(failure))
        if failures:
            raise ModifierFailed("\n".join(failures))
        return message


def group(
    declared: Iterable[Modifier], running: Iterable[Modifier], *, aggregate_errors: bool = False
) -> Group:
    """A group of these modifiers; in each phase only those run that can change something in it."""
    order = tuple(running)
    return Group(
        declared=tuple(declared),
        for_requests=tuple(member for member in order if member.changes_requests),
        for_responses=tuple(member for member in order if member.changes_responses),
        aggregate_errors=aggregate_errors,
    )


def _fifo(fields: Fields) -> Modifier:
    members = [fields.tree.modifier(node, path, fields.phases) for path, node in fields.entries("modifiers")]
    return group(members, members, aggregate_errors=fields.flag("aggregateErrors"))


def _priority(fields: Fields) -> Modifier:
    members = [
        _member(Fields(node, path, fields.tree, fields.phases)) for path, node in fields.entries("modifiers")
    ]
    # Martian puts a member before those of the same priority: the last one declared runs first.
    ranked = sorted(enumerate(members), key=_rank, reverse=True)
    return group((modifier for _, modifier in members), (modifier for _, (_, modifier) in ranked))


def _rank(member: tuple[int, tuple[int, Modifier]]) -> tuple[int, int]:
    place, (priority, _) = member
    return priority, place


def _member(fields: Fields) -> tuple[int, Modifier]:
    priority, modifier = fields.whole_number("priority"), fields.child("modifier")
    fields.refuse_unknown()
    return priority, modifier


KINDS = (Kind(name="fifo.Group", build=_fifo), Kind(name="priority.Group", build=_priority))

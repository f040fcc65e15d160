"""`chain` Middlewares, which stand for others: a route that names one uses all of them."""

from collections.abc import Iterable, Iterator

from clientcreds_proxy.migrate.at import At

Key = tuple[str, str]  # namespace and name


def name_of(resource: At) -> Key:
    """A resource's namespace and name."""
    metadata = resource.at("metadata")
    return metadata.at("namespace").text(), metadata.at("name").text()


class Chains:
    """All of a file."""

    def __init__(self, resources: Iterable[At]) -> None:
        self._links: dict[Key, tuple[tuple[Key, At], ...]] = {}
        for resource in resources:
            chain = resource.at("spec", "chain")
            if chain.given:
                name = name_of(resource)
                self._links[name] = tuple(_named(chain.at("middlewares"), name[0]))
                chain.finish()
                resource.at("spec").finish()

    def __contains__(self, name: Key) -> bool:
        return name in self._links

    def used(self, references: At, namespace: str) -> Iterator[tuple[Key, At]]:
        """Every Middleware that these references lead to, in order, with the reference that names it."""
        for name, reference in _named(references, namespace):
            yield from self._behind(name, reference, frozenset())

    def _behind(self, name: Key, reference: At, passed: frozenset[Key]) -> Iterator[tuple[Key, At]]:
        if name not in self._links:
            yield name, reference
        elif name in passed:
            reference.lost("this chain leads to itself")
        else:
            for other, link in self._links[name]:
                yield from self._behind(other, link, passed | {name})


def _named(references: At, namespace: str) -> Iterator[tuple[Key, At]]:
    for reference in references.items():
        yield (reference.at("namespace").text() or namespace, reference.at("name").text()), reference
        reference.finish()

"""The token sources and rules of all files, put together: names are unique, and lead somewhere."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from difflib import get_close_matches

from pydantic import ValidationError

from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.building.rule import build_modifiers, build_rule
from clientcreds_proxy.config.building.source import build_source
from clientcreds_proxy.config.building.store import build_store
from clientcreds_proxy.config.keys import checks
from clientcreds_proxy.config.keys import model as keys
from clientcreds_proxy.config.keys.messages import problems
from clientcreds_proxy.config.keys.model_keys import Keys
from clientcreds_proxy.config.keys.model_source import TokenSource
from clientcreds_proxy.config.keys.model_store import Store
from clientcreds_proxy.config.preset import filled
from clientcreds_proxy.config.reading.part import Part
from clientcreds_proxy.rules.model import Rule
from clientcreds_proxy.rules.shadow import shadowed
from clientcreds_proxy.tokens.model import SourceSpec, StoreSpec


class Assembly:
    """Stores, sources and rules so far, added in this order: what is named must be there."""

    def __init__(self) -> None:
        self.specs: dict[str, SourceSpec] = {}
        self.rules: list[Rule] = []
        self.unreadable: dict[str, str] = {}  # by source: why a reference in it gives no value
        self._models: dict[str, TokenSource | None] = {}  # None: it has problems
        self._stores: dict[str, StoreSpec | None] = {}  # None: it has problems
        self._rule_names: set[str] = set()
        self._places: dict[int, Place] = {}  # of the rules, by their id()

    def add_stores(self, part: Part) -> None:
        """Add the `stores` of the main file."""
        stores = part.values.get("stores")
        for name, value in stores.items() if isinstance(stores, dict) else ():
            place = part.place.at("stores", name)
            _check_name(name, place)
            model = _validated(Store, value, place)
            self._stores[name] = None if model is None else build_store(name, model, place)

    def add_sources(self, part: Part) -> None:
        """Add the `token_sources` of a file."""
        sources = part.values.get("token_sources")
        for name, value in sources.items() if isinstance(sources, dict) else ():
            place = part.place.at("token_sources", name)
            if name in self._models:
                place.problem("another file has a token source of this name")
                continue
            _check_name(name, place)
            self._note_unreadable(name, place)
            self._check_store(value, place.at("store"))
            self._models[name] = model = _validated(TokenSource, filled(value, place), place)
            if model is not None:
                self.specs[name] = self._built(name, model, place)

    def add_rules(self, part: Part) -> None:
        """Add the `rules` of a file."""
        rules = part.values.get("rules")
        for index, value in enumerate(rules if isinstance(rules, list) else ()):
            self._add_rule(value, part.place.at("rules", index))

    def warn_of_shadowed(self) -> None:
        """Warn of the rules that can never win."""
        for rule, by in shadowed(self.rules):
            named = self._places[id(by)].at("name")
            taker = "an earlier rule" if named.is_reference else f"rule {by.name!r}"
            self._places[id(rule)].warn(f"can never match: {taker} takes all its requests first")

    def _add_rule(self, value: object, place: Place) -> None:
        written = value if isinstance(value, dict) else {}
        self._check_names(written, place)
        self._check_store(written.get("token_source"), place.at("token_source", "store"))
        modifiers = build_modifiers(written.get("modifiers", []), place.at("modifiers"))
        inline = filled(written.get("token_source"), place.at("token_source"))
        whole = {**written, "token_source": inline} if isinstance(inline, dict) else value
        model = _validated(keys.Rule, whole, place)
        if model is None:
            return
        source = self._source(model, place.at("token_source"))
        if source is not None or not model.token_source:
            for rule in build_rule(model, place, source=source, modifiers=modifiers):
                self.rules.append(rule)
                self._places[id(rule)] = place

    def _check_names(self, written: Mapping[str, object], place: Place) -> None:
        """Note a name that is taken, and the name of a source that isn't there, whatever else is wrong."""
        name, source = written.get("name"), written.get("token_source")
        if isinstance(name, str):
            if name in self._rule_names:
                place.at("name").problem("another rule has this name; expected one unique over all files")
            self._rule_names.add(name)
        if isinstance(source, str) and source not in self._models:
            place.at("token_source").problem(f"no token source of this name{_nearest(source, self._models)}")

    def _source(self, model: keys.Rule, place: Place) -> tuple[str, TokenSource] | None:
        """The name and the keys of the rule's source; None where it has none, or none that is usable."""
        given = model.token_source
        if isinstance(given, TokenSource):
            name = self._free_name(model.name)
            self._note_unreadable(name, place)
            self._models[name] = given
            self.specs[name] = self._built(name, given, place)
            return name, given
        found = self._models.get(given)
        return (given, found) if found else None

    def _built(self, name: str, model: TokenSource, place: Place) -> SourceSpec:
        spec, store = build_source(name, model, place), self._store(name, model.store, place.at("store"))
        if store is not None and model.dpop:
            place.at("store").problem(
                "with dpop tokens are bound to a key of this process; expected no store"
            )
        return replace(spec, store=store)

    def _store(self, name: str, given: str | Store, place: Place) -> StoreSpec | None:
        if isinstance(given, Store):
            return build_store(name, given, place)
        return self._stores.get(given)

    def _check_store(self, source: object, place: Place) -> None:
        """Note the name of a store that isn't there, whatever else is wrong with the source."""
        name = source.get("store") if isinstance(source, dict) else None
        if isinstance(name, str) and name and name not in self._stores:
            place.problem(f"no store of this name{_nearest(name, self._stores)}")

    def _note_unreadable(self, name: str, place: Place) -> None:
        why = place.report.unreadable(place.path)
        if why is not None:
            self.unreadable[name] = why

    def _free_name(self, name: str) -> str:
        """The rule's name for the source inside it, unless a source or another rule's has it already."""
        while name in self._models:
            name += " (rule)"
        return name


def _nearest(given: str, names: Collection[str]) -> str:
    close = get_close_matches(given, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _check_name(name: str, place: Place) -> None:
    try:
        checks.name(name)
    except ValueError as error:
        place.problem(f"not a name: {error}")


def _validated[Model: Keys](model: type[Model], value: object, place: Place) -> Model | None:
    try:
        return model.model_validate(value, context=place.files)
    except ValidationError as error:
        for path, message, quotes in problems(error, model):
            at = place.at(*path)
            note = at.foreign if quotes else at.problem
            note(message)
    return None

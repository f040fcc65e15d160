"""The token sources and rules of all files, put together: names are unique, and lead somewhere."""

from collections.abc import Mapping
from difflib import get_close_matches

from pydantic import ValidationError

from clientcreds_proxy.config import checks
from clientcreds_proxy.config import model as keys
from clientcreds_proxy.config.messages import problems
from clientcreds_proxy.config.model_source import Keys, TokenSource
from clientcreds_proxy.config.part import Part
from clientcreds_proxy.config.place import Place
from clientcreds_proxy.config.preset import filled
from clientcreds_proxy.config.rule import build_modifiers, build_rule
from clientcreds_proxy.config.source import build_source
from clientcreds_proxy.rules.model import Rule
from clientcreds_proxy.rules.shadow import shadowed
from clientcreds_proxy.tokens.model import SourceSpec


class Assembly:
    """Sources and rules so far. First all files' sources are added, then all files' rules."""

    def __init__(self) -> None:
        self.specs: dict[str, SourceSpec] = {}
        self.rules: list[Rule] = []
        self.unreadable: dict[str, str] = {}  # by source: why a reference in it gives no value
        self._models: dict[str, TokenSource | None] = {}  # None: it has problems
        self._rule_names: set[str] = set()
        self._places: dict[int, Place] = {}  # of the rules, by their id()

    def add_sources(self, part: Part) -> None:
        """Add the `token_sources` of a file."""
        sources = part.values.get("token_sources")
        for name, value in sources.items() if isinstance(sources, dict) else ():
            place = part.place.at("token_sources", name)
            if name in self._models:
                place.problem("another file has a token source of this name")
                continue
            try:
                checks.name(name)
            except ValueError as error:
                place.problem(f"not a name: {error}")
            self._note_unreadable(name, place)
            self._models[name] = model = _validated(TokenSource, filled(value, place), place)
            if model is not None:
                self.specs[name] = build_source(name, model, place)

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
            place.at("token_source").problem(f"no token source of this name{self._nearest(source)}")

    def _source(self, model: keys.Rule, place: Place) -> tuple[str, TokenSource] | None:
        """The name and the keys of the rule's source; None where it has none, or none that is usable."""
        given = model.token_source
        if isinstance(given, TokenSource):
            name = self._free_name(model.name)
            self._note_unreadable(name, place)
            self._models[name] = given
            self.specs[name] = build_source(name, given, place)
            return name, given
        found = self._models.get(given)
        return (given, found) if found else None

    def _note_unreadable(self, name: str, place: Place) -> None:
        why = place.report.unreadable(place.path)
        if why is not None:
            self.unreadable[name] = why

    def _free_name(self, name: str) -> str:
        """The rule's name for the source inside it, unless a source or another rule's has it already."""
        while name in self._models:
            name += " (rule)"
        return name

    def _nearest(self, given: str) -> str:
        close = get_close_matches(given, self._models, n=1)
        return f"; did you mean {close[0]!r}?" if close else ""


def _validated[Model: Keys](model: type[Model], value: object, place: Place) -> Model | None:
    try:
        return model.model_validate(value, context=place.files)
    except ValidationError as error:
        for path, message, quotes in problems(error, model):
            at = place.at(*path)
            note = at.foreign if quotes else at.problem
            note(message)
    return None

"""Secrets of the source file. None of them is written down again: a reference to a variable stands for it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from clientcreds_proxy.migrate.at import At

_SECRET_NAME = re.compile(
    r"secret|passw|passphrase|token|api_?key|subscription_?key|authorization|credential|cookie|assertion|"
    r"signature|private|^(?:x_)?(?:key|auth|code|pin)$",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"(?:bearer|basic|token|apikey)\s+\S|eyJ[\w-]+\.[\w-]+\.", re.IGNORECASE)
_NO_SECRETS = re.compile(r"_type$|_url$", re.IGNORECASE)
_MASKABLE = 6  # characters: a shorter text is found by chance inside others


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A text of the new file that is written as it stands: `${env:NAME}`, `urn:k8s:secret:NAME:KEY`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An environment variable that the new file names."""

    name: str
    what: str  # where in the source file its value is found
    value: str | None = field(repr=False)  # None: the source file does not hold it


class Vault:
    """Gives each secret its variable; equal secrets share one."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.mounted: dict[tuple[str, str], str | None] = {}  # Kubernetes' secrets by name and key
        self._mounted_values: dict[str, Reference] = {}
        self._left_out: set[str] = set()
        self._by_content: dict[str, str] = {}

    def keep(self, value: str, at: At, *hint: str) -> Reference:
        """A reference for a secret that stands in the source file."""
        return self._reference(f"value {value}", value, at.where, hint)

    def ask(self, what: str, *hint: str) -> Reference:
        """A reference for a secret that the source file only names, as `what`."""
        return self._reference(f"name {what}", None, what, hint)

    def variable(self, name: str, at: At) -> Reference:
        """A reference to a variable that the source file names itself."""
        found = Variable(name=name, what=at.where, value=None)
        self.variables.setdefault(name, found)
        return Reference(text=f"${{env:{name}}}")

    def mount(self, name: str, key: str, value: str | None, *, secret: bool) -> Reference:
        """A reference to a key of a Kubernetes secret, whose value may be known."""
        if self.mounted.get((name, key)) is None:
            self.mounted[name, key] = value
        reference = Reference(text=f"urn:k8s:secret:{name}:{key}")
        if secret and value:
            self._mounted_values[value] = reference
        return reference

    def learn(self, value: str) -> None:
        """Remember a secret that is left out, so that it does not slip in by another way."""
        if value:
            self._left_out.add(value)

    def masked(self, text: str) -> str | Reference:
        """`text`, or a reference that gives it: where there is a secret in it, or what looks like one."""
        if text.lstrip()[:8].lower() == "urn:k8s:":
            return self._reference(f"value {text}", text, "a text that begins with urn:k8s:", ("text",))
        if text in self._mounted_values:
            return self._mounted_values[text]
        parts: list[str] = []
        end = 0
        for found in self._found_in(text):
            known = self._reference(
                f"value {found.group()}", found.group(), "a secret of the old file", ("secret",)
            )
            parts += [literal(text[end : found.start()]), known.text]
            end = found.end()
        whole = "".join([*parts, literal(text[end:])])
        return Reference(text=whole) if whole != text else text

    def _found_in(self, text: str) -> Iterator[re.Match[str]]:
        """Every secret in `text`, the longest first: the whole of it, or one that is long enough."""
        inside = [
            each for each in self._secrets() if each == text or (len(each) >= _MASKABLE and each in text)
        ]
        longest_first = map(re.escape, sorted(inside, key=len, reverse=True))
        return re.finditer("|".join(longest_first), text) if inside else iter(())

    def holds(self, name: str) -> bool:
        """Whether a name that is to be shown has a secret in it."""
        plain = slug(name)
        return any(_shows(plain, slug(secret)) for secret in self._secrets())

    def _secrets(self) -> list[str]:
        known = [each.value for each in self.variables.values() if each.value]
        return [*known, *self._mounted_values, *self._left_out]

    def _reference(self, content: str, value: str | None, what: str, hint: tuple[str, ...]) -> Reference:
        if content not in self._by_content:
            name = self._free_name([word for word in hint if not _shows(slug(word), slug(value or ""))])
            self._by_content[content] = name
            self.variables[name] = Variable(name=name, what=what, value=value)
        return Reference(text=f"${{env:{self._by_content[content]}}}")

    def _free_name(self, hint: Sequence[str]) -> str:
        words = [slug(word).replace("-", "_").upper() for word in hint]
        base = "_".join(filter(None, words))[:80].strip("_") or "SECRET"
        base = base if base[0].isalpha() else f"C_{base}"
        name, number = base, 1
        while name in self.variables:
            number += 1
            name = f"{base}_{number}"
        return name


def _shows(plain: str, secret: str) -> bool:
    return bool(secret) and (secret == plain or (len(secret) >= _MASKABLE and secret in plain))


def literal(text: str) -> str:
    """`text` as it stands for itself among references."""
    return text.replace("${", "$${")


def slug(text: str) -> str:
    """`text` in small letters and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def looks_secret(name: str, value: str = "") -> bool:
    """Whether a parameter or header of this name, or with this value, carries a secret. In doubt it does."""
    if _CREDENTIALS.match(value.strip()):
        return True
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return bool(_SECRET_NAME.search(plain)) and not _NO_SECRETS.search(plain)

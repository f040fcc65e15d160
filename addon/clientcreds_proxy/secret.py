"""`Secret`: a value that prints as `***` and leaves only through `.reveal()`.

How a configuration refers to a secret (`${env:…}` and its like) is read in `config/reading/references.py`.
"""

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that no log, `repr` or traceback shows."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The value, for the two or three places where bytes are built from it."""
        return self._value

    @property
    def fingerprint(self) -> str:
        """First 8 hex digits of its SHA-256: enough to tell two tokens apart, useless to a thief."""
        return hashlib.sha256(self._value.encode()).hexdigest()[:8]

    def __str__(self) -> str:
        return "***"

    def __repr__(self) -> str:
        return "Secret(***)"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

"""One part of a file while it is being built into a value of the core: where it stands, whom to tell."""

from dataclasses import dataclass

from clientcreds_proxy.config.building.pem import PemFiles
from clientcreds_proxy.config.reading.report import Report
from clientcreds_proxy.config.reading.yaml import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A value of a file: its path, and what building it needs."""

    path: Keys
    report: Report
    files: PemFiles  # relative to the file

    def at(self, *keys: str | int) -> "Place":
        """A value inside this one."""
        return Place(path=(*self.path, *keys), report=self.report, files=self.files)

    def problem(self, message: str) -> None:
        """Note what is wrong here."""
        self.report.problem(self.path, message)

    def foreign(self, message: str) -> None:
        """Note what is wrong here, in words that may quote the value."""
        self.report.foreign(self.path, message)

    def warn(self, message: str) -> None:
        """Note what works and should still be looked at."""
        self.report.warn(self.path, message)

    @property
    def is_reference(self) -> bool:
        """Whether the value comes from a reference."""
        return self.report.is_reference(self.path)

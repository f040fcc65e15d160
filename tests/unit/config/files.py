"""Configurations written into a folder, and what loading them gives."""

from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from clientcreds_proxy.config.load import Config, attempt, load
from clientcreds_proxy.errors import Problem

SOURCE = "token_url: https://idp.example.com/token, client_id: app, client_secret: '${env:SECRET}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A folder with a main file `c.yaml`."""

    folder: Path
    environ: dict[str, str] = field(default_factory=lambda: {"SECRET": "s3cret", "PATH": "/usr/bin:/bin"})

    @property
    def main(self) -> Path:
        """The main file."""
        return self.folder / "c.yaml"

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file of the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dedent(text).encode() if isinstance(text, str) else text)
        path.chmod(0o600)  # as a file of secrets should be
        return path

    def load(self, text: str) -> Config:
        """Load `text` as the main file."""
        return load(self.write("c.yaml", text), environ=self.environ)

    def problems(self, text: str | bytes) -> list[str]:
        """What is wrong with `text` as the main file: `LINE:COLUMN: path: message` each."""
        return self._lines(attempt(self.write("c.yaml", text), environ=self.environ).problems)

    def warnings(self, text: str) -> list[str]:
        """What loading `text` warns of, without the secret written in full in it."""
        return self._lines(self.load(text).warnings)

    def _lines(self, problems: tuple[Problem, ...]) -> list[str]:
        return [str(problem).replace(f"{self.folder}/", "").removeprefix("c.yaml:") for problem in problems]


def with_source(keys: str) -> str:
    """A file with one source `s` that has these keys besides its own, one per line."""
    indented = "".join(f"    {line}\n" for line in dedent(keys).strip().splitlines())
    return (
        "version: 1\ntoken_sources:\n  s:\n    token_url: https://idp.example.com/token\n    client_id: app\n"
        f"{indented}rules: []\n"
    )


def with_rule(keys: str, *, match: str = "host: api.example.com", source: bool = True) -> str:
    """A file with one rule `r` that has these keys besides its own, from line 6 on, one per line."""
    indented = "".join(f"    {line}\n" for line in dedent(keys).strip().splitlines())
    uses = "    token_source: s\n" if source else ""
    return (
        f"version: 1\ntoken_sources: {{s: {{{SOURCE}}}}}\nrules:\n  - name: r\n    match: {{{match}}}\n"
        f"{indented}{uses}"
    )


def pairs(table: str) -> list[tuple[str, str]]:
    """The rows of a table: what is written, and in the next line, indented, what is said about it."""
    lines = table.strip().splitlines()
    return [(written, said.strip()) for written, said in zip(lines[::2], lines[1::2], strict=True)]


def fits(said: str, expected: str) -> bool:
    """Whether a message is the expected one, which may end in `…`."""
    return said == expected or (expected.endswith("…") and said.startswith(expected.removesuffix("…")))

"""How the demo's transcript looks on a terminal."""

import textwrap
from collections.abc import Mapping, Sequence

from clientcreds_proxy.demo.request import Answer

# The others (Server, Date, Etag …) say nothing about the proxy.
TELLING_HEADERS = ("Content-Type", "WWW-Authenticate", "Proxy-Status", "Retry-After")

BOLD, DIM, RED, GREEN, CYAN = "1", "2", "31", "32", "36"


class Page:
    """Prints at once, with colour where `colour` says so."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._scenes = 0

    def title(self, text: str) -> None:
        """A line by itself."""
        self._print(f"{self._paint(text, BOLD)}\n")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Names and values, below each other."""
        width = max(map(len, facts))
        self._print("\n".join(f"  {name:<{width}}  {value}" for name, value in facts.items()))

    def scene(self, text: str) -> None:
        """What comes next, with its number."""
        self._scenes += 1
        self._print(f"\n{self._paint(f'{self._scenes}. {text}', BOLD)}\n")

    def command(self, command: str) -> None:
        """A command as one types it."""
        self._indented(f"$ {command}", CYAN)

    def text(self, text: str) -> None:
        """Plain lines."""
        self._indented(text)

    def answer(self, answer: Answer) -> None:
        """Its status line, the headers that tell something, and the body."""
        headers = [f"{name}: {answer.headers[name]}" for name in TELLING_HEADERS if name in answer.headers]
        self._indented("\n".join([answer.status_line, *headers]), DIM)
        self._print("")
        self._indented(answer.body.rstrip())

    def good(self, text: str) -> None:
        """An expectation that holds."""
        self._indented(f"✓ {text}", GREEN)

    def bad(self, text: str) -> None:
        """What differed."""
        self._indented(f"✗ {text}", RED)

    def log(self, lines: Sequence[str]) -> None:
        """The end of what the proxy logged."""
        self._print("\n   the proxy's log:")
        self._indented("\n".join(lines[-20:]), DIM)

    def _indented(self, text: str, *styles: str) -> None:
        self._print(self._paint(textwrap.indent(text, "   "), *styles))

    def _paint(self, text: str, *styles: str) -> str:
        return f"\033[{';'.join(styles)}m{text}\033[0m" if self._colour and styles else text

    def _print(self, text: str) -> None:
        print(text, flush=True)

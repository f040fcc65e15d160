"""Variables as each shell, Docker, systemd and the `java` command read them. Pure: texts in, lines out."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence


def written(shell: str, variables: Mapping[str, str]) -> list[str]:
    """One line for each variable, and for systemd the heading that they stand below."""
    heading = ["[Service]"] if shell == "systemd" else []
    return heading + [_LINES[shell](name, value) for name, value in variables.items()]


def argument_lines(options: Sequence[str]) -> list[str]:
    """Options for `java @FILE`, and for `java $(…)` where no path has a space."""
    return [
        '"' + option.replace("\\", "\\\\") + '"' if re.search(r"[\s#]", option) else option
        for option in options
    ]


def _sh(name: str, value: str) -> str:
    # The semicolon is for `eval $(…)` without quotes, which makes one line of all.
    return f"export {name}={shlex.quote(value)};"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}';"


def _powershell(name: str, value: str) -> str:
    quoted = re.sub(
        "(['\u2018\u2019\u201a\u201b])", r"\1\1", value
    )  # it takes typographic quotes for plain ones
    return f"$env:{name} = '{quoted}'"


def _docker(name: str, value: str) -> str:
    return f"{name}={value}"  # no quotes: they would be part of the value


def _systemd(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'Environment="{name}={quoted}"'


_LINES: dict[str, Callable[[str, str], str]] = {
    "sh": _sh,
    "fish": _fish,
    "powershell": _powershell,
    "docker": _docker,
    "systemd": _systemd,
}

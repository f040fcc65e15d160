"""The files that `include` names."""

import glob
import os
from pathlib import Path

from clientcreds_proxy.config.reading.part import Part, read_part
from clientcreds_proxy.config.reading.references import References


def included(main: Part, references: References) -> tuple[list[Part], list[Path]]:
    """The included files, sorted by path, and the folders in which further ones could appear.

    What is no pattern is passed over: it is told where the main file's keys are checked.
    """
    patterns = main.values.get("include")
    found: dict[str, str] = {}  # by where links lead: two patterns may spell a file's path differently
    folders: list[Path] = []
    root = main.path.parent
    for index, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
        if not isinstance(pattern, str) or not pattern or "\0" in pattern:
            continue
        # Path.glob would take hidden files as well, such as an editor's.
        names = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207
        matches = [str(Path(name)) for name in names if _is_other(main, name)]  # `./a.yaml` is `a.yaml`
        place = main.place.at("include", index)
        if glob.has_magic(pattern):
            folders += _folders(root, pattern, matches)
            if not matches:
                place.warn("no file matches this pattern")
        elif not matches:
            place.problem("no such file; relative paths count from this file")
        for name in sorted(matches):
            found.setdefault(os.path.realpath(root / name), name)
    return [read_part(root / name, references) for name in sorted(found.values())], folders


def _is_other(main: Part, name: str) -> bool:
    path = main.path.parent / name
    return not path.is_dir() and os.path.realpath(path) != os.path.realpath(main.path)


def _folders(root: Path, pattern: str, matches: list[str]) -> list[Path]:
    """Where the pattern's fixed beginning leads, and where files were found."""
    fixed = root
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed /= part
    return [fixed, *(root / name for name in {str(Path(match).parent) for match in matches})]

"""What holds for every test."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


@pytest.fixture(scope="session", autouse=True)
def signals_as_on_a_terminal() -> None:
    """A shell script's background ignores Ctrl-C, and so would all that a test starts."""
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def the_process_as_it_was() -> Iterator[None]:
    """A test that changes its process fails itself, not another that comes after it in some other run."""
    before = _state()
    yield
    assert _state() == before


def _state() -> dict[str, object]:
    umask = os.umask(0)
    os.umask(umask)
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {
        "environment": environment,
        "folder": Path.cwd(),
        "log level": logging.getLogger().level,
        "logs off": logging.root.manager.disable,
        "umask": umask,
        "signals": [signal.getsignal(number) for number in _SIGNALS],
    }

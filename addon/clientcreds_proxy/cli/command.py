"""A command run as `env` and `timeout` run one: its input, output and terminal are ours.

It stays in our process group. So what the terminal sends (Ctrl-C, Ctrl-Z, a new size) reaches it without us,
and job control works on both of us. Other signals are passed on.
"""

import asyncio
import errno
import os
import signal
from asyncio.subprocess import Process, create_subprocess_exec
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from signal import Signals

NOT_EXECUTABLE, NOT_FOUND, SIGNALLED = 126, 127, 128

_FATAL = (Signals.SIGTERM, Signals.SIGHUP, Signals.SIGINT, Signals.SIGQUIT)
_OTHERS = (Signals.SIGUSR1, Signals.SIGUSR2, Signals.SIGWINCH)
_FROM_TERMINAL = (Signals.SIGINT, Signals.SIGQUIT, Signals.SIGWINCH)


class CannotRun(Exception):
    """The command can't be started: why, and the exit code that a shell has for it."""

    def __init__(self, command: str, error: OSError) -> None:
        super().__init__(f"{command or repr(command)}: {error.strerror}")
        is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        self.exit_code = NOT_FOUND if is_missing else NOT_EXECUTABLE


class Attendant:
    """Starts a command and stands between it and the signals that come for it."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._task: asyncio.Task[int] | None = None
        self._came_early: Signals | None = None

    def attend(self, work: Coroutine[None, None, int]) -> int:
        """The exit code that `work` gives, which calls `run`; a signal before that ends it."""
        with asyncio.Runner() as runner:
            self._catch(runner.get_loop())
            self._task = runner.get_loop().create_task(work)
            try:
                return runner.run(_result(self._task))
            except asyncio.CancelledError:
                return SIGNALLED + (self._came_early or Signals.SIGTERM)

    async def run(self, words: Sequence[str], environ: Mapping[str, str]) -> int:
        """Run the command to its end: its exit code, or as a shell has it, 128 and the signal's number.

        `CannotRun` where it can't be started.
        """
        try:
            if not words[0]:  # which Python looks for as a file of each directory in PATH
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            # Descriptors that whoever called us has left open are the command's; ours close by themselves.
            self._process = await create_subprocess_exec(*words, env=environ, close_fds=False)
        except OSError as error:
            raise CannotRun(words[0], error) from error
        code = await self._process.wait()
        return SIGNALLED - code if code < 0 else code

    def _catch(self, loop: asyncio.AbstractEventLoop) -> None:
        signal.signal(Signals.SIGCHLD, signal.SIG_DFL)  # ignored, it would keep the exit code from us
        for number in (*_FATAL, *_OTHERS):
            # What `nohup` and `trap ''` ignore stays ignored, for the command as well.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._take, number)

    def _take(self, number: Signals) -> None:
        if self._process is None:
            if number in _FATAL and self._task is not None:
                self._came_early = number
                self._task.cancel()
        elif self._process.returncode is None and not (number in _FROM_TERMINAL and _in_foreground()):
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


async def _result(task: "asyncio.Task[int]") -> int:
    return await task


def _in_foreground() -> bool:
    """Whether the terminal sends its signals to our process group, and so to the command itself."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)

"""The configuration at work: opened once, followed while the proxy runs, exchanged as a whole.

A change is read beside the old configuration and takes its place only when it is good. Tokens stay: they lie
under keys that hold all that shapes them, so an unchanged source finds its token again.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from clientcreds_proxy.config.load import Config, attempt
from clientcreds_proxy.errors import ConfigError, SecretUnavailable
from clientcreds_proxy.observe.events import CallersEvents, tell, tell_of_store
from clientcreds_proxy.observe.log import AccessLine, Log
from clientcreds_proxy.observe.record import Record
from clientcreds_proxy.observe.status import Reload
from clientcreds_proxy.proxy.house.supply import Supply
from clientcreds_proxy.proxy.serving import start
from clientcreds_proxy.tokens.model import SourceEvent, SourceSpec, SourceWarning
from clientcreds_proxy.tokens.source import Reread
from clientcreds_proxy.tokens.stores.store import StoreEvent

LOOK_SECONDS = 1.0


class House:
    """One configuration after the other, the tokens that outlive them, and the log."""

    def __init__(self, path: Path, manner: start.Manner = start.AS_SCRIPT) -> None:
        """Read the configuration; raises a `ConfigError`."""
        first = attempt(path)
        if first.config is None:
            raise ConfigError(first.problems)
        self.path = path
        self._manner = manner
        self._files = first.files
        self._signature = _signature(first.files)
        self._unreadable: Mapping[str, str] = {}  # by token source, since the last reading
        self._callers_events = CallersEvents()
        self._supply = Supply(
            observer=self._tell, warn=self._warn, tell_of_store=self._tell_of_store, reread=self._reread
        )
        self._follower: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[bool] | None = None
        self.record = Record()
        self.loaded = self.record.now()  # when the configuration in force was read
        self.last_reload: Reload | None = None
        self.policy = self._supply.policy_of(first.config)
        self.log = self._log_of(first.config)

    def follow(self) -> None:
        """Say what is open and look for changes from now on; needs a running event loop."""
        self._say_what_is_open()
        self._supply.open_stores(self.policy)
        self._follower = asyncio.get_running_loop().create_task(self._look())

    async def reload(self) -> bool:
        """Read the file, its includes and its secrets again; whether that gave a good configuration.

        Asked for twice at a time, it reads once.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read_again())
        reading = self._reading
        try:
            return await asyncio.shield(reading)
        finally:
            if reading.done() and self._reading is reading:
                self._reading = None

    async def reload_now(self) -> tuple[str, ...]:
        """Read everything again as it is now; the problems that kept the old configuration in force."""
        if self._reading is not None:  # begun before: it may not have seen what changed
            await asyncio.wait((self._reading,))
        await self.reload()
        return self.last_reload.problems if self.last_reload else ()

    def purge(self, name: str | None) -> tuple[str, ...]:
        """Drop the token and the remembered failures of a source, or of all; KeyError: no such source."""
        chosen = self.policy.sources if name is None else {name: self.policy.sources[name]}
        for each, source in chosen.items():
            source.purge()
            if each in self.policy.callers:
                self.policy.callers[each].purge()
            self.log.event("info", "token dropped: somebody asked for it", {"token_source": each})
        return tuple(chosen)

    def access(self, line: AccessLine) -> None:
        """Log a request that is over, and count it."""
        self.log.access(line)
        self.record.access(line)

    async def aclose(self) -> None:
        """End what runs in the background."""
        for task in (self._follower, self._reading):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._supply.aclose()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                path = start.config_path()
                if path != self.path or _signature(self._files) != self._signature:
                    self.path = path
                    await self.reload()
            except Exception as error:  # noqa: BLE001 - following must not end
                self.log.event("error", "the configuration can't be followed", {"error": str(error)})

    async def _read_again(self) -> bool:
        # In a thread, for a `${cmd:…}` may take 10 s; it gets a path and gives back frozen values.
        before = _signature(self._files)
        read = await asyncio.to_thread(attempt, self.path)
        is_news = (before, read.files, read.config) != (self._signature, self._files, self.policy.config)
        # What changed while it was read is seen at the next look: the older signature stands for it.
        self._signature = before if read.files == self._files else _signature(read.files)
        self._files = read.files
        self._unreadable = read.unreadable
        if read.config is None:
            return self._stay([str(problem) for problem in read.problems])
        if not is_news:  # secrets were read once more, and are the same
            self.last_reload = Reload(time=self.record.now(), problems=())
            return True
        policy = self._supply.policy_of(read.config, self.policy)
        try:
            start.check_options(policy)
        except start.StartError as error:
            return self._stay([str(error)])
        kept = {name for name, source in policy.sources.items() if source is self.policy.sources.get(name)}
        self.record.forget_warnings(but_of=kept)
        self.policy = policy
        self.log = self._log_of(read.config)
        self.loaded = self.record.now()
        self.last_reload = Reload(time=self.loaded, problems=())
        self._supply.keep_only(policy)
        self._say_what_is_open()
        return True

    def _stay(self, reasons: list[str]) -> bool:
        self.last_reload = Reload(time=self.record.now(), problems=tuple(reasons))
        for reason in reasons:
            self.log.event("error", reason)
        self.log.event("error", "the configuration was not changed: the old rules stay in force")
        return False

    def _reread(self, name: str) -> Reread:
        async def reread() -> SourceSpec | None:
            if self._reading is not None:  # begun before: it may have seen the secret that was refused
                await asyncio.wait((self._reading,))
            await self.reload()
            if name in self._unreadable:
                raise SecretUnavailable(self._unreadable[name])
            return self.policy.config.sources.get(name)

        return reread

    def _tell(self, event: SourceEvent) -> None:
        event = self._callers_events.as_news(event)
        tell(self.log, event)
        self.record.fetched(event)

    def _tell_of_store(self, event: StoreEvent) -> None:
        tell_of_store(self.log, event)

    def distrusted(self, said: str, client: str) -> None:
        """Log that a client refuses our CA."""
        self.log.event("warning", said, {"client": client})
        self.record.note(said)

    def _warn(self, warning: SourceWarning) -> None:
        self.log.event("warning", warning.message, {"token_source": warning.source})
        self.record.warned(warning)

    def _say_what_is_open(self) -> None:
        config = self.policy.config
        for warning in config.warnings:
            self.log.event("warning", str(warning))
        sizes = {"rules": len(config.rules), "token_sources": len(config.sources)}
        self.log.event("info", f"the rules are those of {self.path}", sizes)

    def _log_of(self, config: Config) -> Log:
        return start.log_of(config.log, self._manner)


def _signature(files: tuple[Path, ...]) -> tuple[object, ...]:
    """What changes when a file does, or the symbolic link that leads to it, or a folder gets another file."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[int, int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    # The ctime tells of a new mode, and of a copy that brought its mtime along (`cp -p`, `rsync -t`).
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_size

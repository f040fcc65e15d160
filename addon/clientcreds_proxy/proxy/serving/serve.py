"""The proxy as a mitmproxy of our own making, without a script file: `clientcreds serve`, `web` and `run`.

The addon takes its place in the chain once every option is known and before a port opens, so what keeps it
from starting is an exception, a `StartError` or a `ConfigError`, and nobody has connected yet. It listens on
127.0.0.1 unless told otherwise, and calls mitmproxy's addons by table.
"""

import asyncio
import logging
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from mitmproxy import exceptions, hooks, optmanager
from mitmproxy.addonmanager import Loader
from mitmproxy.addons import errorcheck, termlog
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.tools import cmdline, main
from mitmproxy.tools.dump import DumpMaster

from clientcreds_proxy.config.load import Config
from clientcreds_proxy.errors import ClientcredsError
from clientcreds_proxy.observe.log import Level
from clientcreds_proxy.proxy.addon import ClientCreds
from clientcreds_proxy.proxy.serving import authority, listen, start
from clientcreds_proxy.proxy.serving.authority import AuthorityError
from clientcreds_proxy.proxy.serving.start import Manner, StartError


class WrongUsage(ClientcredsError):
    """An argument that mitmproxy's command line does not know."""


def serve(arguments: Sequence[str]) -> None:
    """Run mitmdump with our addon until it is told to end; raises what keeps it from starting.

    A `SystemExit` too: for `--options`, and for an option's value that mitmproxy does not take.
    """
    main.run(ServeMaster, strict(cmdline.mitmdump), arguments, _filters)


def strict(make: Callable[[Options], ArgumentParser]) -> Callable[[Options], ArgumentParser]:
    """The command line of mitmproxy, with a `WrongUsage` for what is not in it, not exit code 1."""

    def parser(options: Options) -> ArgumentParser:
        made = make(options)
        made.error = _wrong  # type: ignore[method-assign]
        understand = made.parse_args

        def parse(arguments: Sequence[str]) -> Any:
            given = understand(arguments)
            _check_settings(given, options)
            return given

        made.parse_args = parse  # type: ignore[method-assign,assignment]
        return made

    return parser


def _check_settings(given: Any, options: Options) -> None:
    """Refuse a `--set` that names no option: mitmproxy would wait for a script that has it."""
    unknown = {text.partition("=")[0] for text in given.setoptions} - set(options.keys())
    if unknown and not given.scripts:
        raise WrongUsage(f"--set names no option: {', '.join(sorted(unknown))}")


def _filters(arguments: Any) -> dict[str, str]:
    """What a filter on the command line means to mitmdump. `serve team.yaml` does not mean one."""
    for word in arguments.filter_args or ():
        if Path(word).is_file():
            raise WrongUsage(f"{word} is a file, and stands where mitmdump expects a filter: --config {word}")
    text = " ".join(arguments.filter_args or ())
    names = ("save_stream_filter", "readfile_filter", "dumper_filter") if text else ()
    return dict.fromkeys(names, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A proxy that listens."""

    port: int  # of the first mode
    config: Config  # that it started with
    confdir: str  # where mitmproxy's CA is
    ended: "asyncio.Task[None]"  # done when the proxy ends by itself


@asynccontextmanager
async def serving(
    *,
    config: Path,
    options: Mapping[str, object] | None = None,
    settings: Sequence[str] = (),
    manner: Manner = start.AS_SCRIPT,
    log_level: Level = "info",
) -> AsyncIterator[Serving]:
    """A proxy in this event loop; raises a `StartError` or a `ConfigError` where it can't start.

    It takes a free port unless told otherwise: by the `config.yaml` beside mitmproxy's CA, by `options`,
    which are mitmproxy's, or by `settings`, the same as `--set` has them. What mitmproxy logs from
    `log_level` on goes where the manner says.
    """
    with quiet(log_level):
        master = QuietMaster(Options(), manner)
        wanted = {"listen_port": 0, "clientcreds_config": str(config), **(options or {})}
        verbosity = "warn" if log_level == "warning" else log_level
        try:
            _configure(master.options, {**wanted, "termlog_verbosity": verbosity}, settings)
        except (exceptions.OptionsError, KeyError) as error:
            raise StartError(f"clientcreds: {error}") from error
        running = asyncio.get_running_loop().create_task(master.run())
        try:
            await asyncio.wait((running, master.check.started), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running  # raises the reason
                raise StartError("clientcreds: mitmproxy ended while it started")
            yield Serving(
                port=master.port,
                config=master.addon.house.policy.config,
                confdir=master.options.confdir,
                ended=running,
            )
        finally:
            master.shutdown()  # type: ignore[no-untyped-call]
            await asyncio.gather(running, return_exceptions=True)


def _configure(options: Options, wanted: Mapping[str, object], settings: Sequence[str]) -> None:
    confdir = str(wanted.get("confdir", options.confdir))
    names = ("config.yaml", "config.yml")
    optmanager.load_paths(options, *(Path(confdir).expanduser() / name for name in names))
    options.update(**wanted)
    options.set(*settings)


@contextmanager
def quiet(level: Level) -> Iterator[None]:
    """Let through what mitmproxy logs from this level on, and nothing of its libraries but warnings."""
    levels: dict[str, int | str] = {
        "": level.upper(),
        **dict.fromkeys(("tornado", "asyncio", "hpack", "quic"), logging.WARNING),
    }
    before = {name: logging.getLogger(name).level for name in levels}
    _set_levels(levels)
    try:
        yield
    finally:
        _set_levels(before)


def _set_levels(levels: Mapping[str, int | str]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


class StartCheck(errorcheck.ErrorCheck):
    """mitmproxy's look at its log while it starts. An error in it is an exception here, not the end."""

    name = "errorcheck"

    def __init__(self, master: Master) -> None:
        super().__init__()
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._master = master

    async def shutdown_if_errored(self) -> None:
        """Raise what was logged as an error."""
        await asyncio.sleep(0)  # for what is logged by other tasks
        if self.logger.has_errored:
            self._master.should_exit.set()  # the addons' `done` looks whether the proxy ends
            said = "\n".join(self.logger.format(record) for record in self.logger.has_errored)
            raise StartError(f"clientcreds: {said}")

    def finish(self) -> None:
        """The proxy has started."""
        super().finish()  # type: ignore[no-untyped-call]
        if not self.started.done():
            self.started.set_result(None)

    def keep_from(self, handler: logging.Handler) -> None:
        """Let a log show no error until the proxy has started: who starts it shows them."""
        handler.addFilter(lambda record: self.started.done() or record.levelno < logging.ERROR)


class OwnMaster(Master):
    """What our masters have in common, to stand before one of mitmproxy's."""

    check: StartCheck
    addon: ClientCreds

    def prepare(self, manner: Manner = start.AS_SCRIPT) -> None:
        """Add our options, with defaults that the command line overrides, and our look at the start."""
        self._manner = replace(manner, stop=_raise)
        start.add_options(Loader(self))
        self.options.update(listen_host=listen.LOOPBACK, clientcreds_fast_dispatch="true")
        theirs = self.addons.get("errorcheck")
        theirs.finish()
        self.addons.remove(theirs)
        self.check = StartCheck(self)
        self.addons.add(self.check)
        if self._termlog_addon is not None:
            self.check.keep_from(self._termlog_addon.logger)

    async def run(self) -> None:
        """Take the addon in, then do what mitmproxy does."""
        try:
            self.addon = ClientCreds(self._manner)
            self._take_in(self.addon)
            self._check_authority()
            await super().run()
        except OSError as error:  # mitmweb's own port
            raise StartError(f"clientcreds: {error.strerror}") from error
        except ClientcredsError:
            if not start.is_running():  # mitmproxy ends its addons only if it got that far
                self.should_exit.set()
                await self.done()
            raise

    def _check_authority(self) -> None:
        """Refuse a CA that mitmproxy itself would find broken only once it listens, with a traceback."""
        try:
            authority.check(self.options)
        except AuthorityError as error:
            raise StartError(f"clientcreds: {error}; --set confdir=DIR names another folder") from error

    def _take_in(self, addon: ClientCreds) -> None:
        for script in map(Path, self.options.scripts):
            if script.name == "clientcreds.py" and (script.parent / "clientcreds_proxy").is_dir():
                raise StartError(f"clientcreds: the addon is in this proxy already: leave out -s {script}")
        chain = self.addons.chain
        chain.insert(chain.index(self.addons.get("scriptloader")) + 1, self.addons.register(addon))
        self.addons.invoke_addon_sync(addon, hooks.ConfigureHook(set(self.options.keys())))


class ServeMaster(OwnMaster, DumpMaster):
    """mitmdump with our addon."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.prepare()


class QuietMaster(OwnMaster, DumpMaster):
    """mitmdump that prints no flows, and logs to where it is told."""

    def __init__(self, options: Options, manner: Manner) -> None:
        super().__init__(options, with_termlog=False, with_dumper=False)
        self._termlog_addon = termlog.TermLog(manner.log_to)
        self.addons.add(self._termlog_addon)
        self.prepare(manner)

    @property
    def port(self) -> int:
        """That it listens on."""
        return int(self.addons.get("proxyserver").listen_addrs()[0][1])


def _wrong(message: str) -> NoReturn:
    raise WrongUsage(message)


def _raise(why: ClientcredsError) -> NoReturn:
    raise why

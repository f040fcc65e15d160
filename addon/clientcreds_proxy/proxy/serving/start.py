"""How the addon starts: its options, and every reason not to start, told in one readable message.

As a script it ends the process on the spot, in `configure`: mitmproxy's own ways (an OptionsError, an error
in the log) would add a traceback, and listen for a moment. A master of ours (`serve.py`) is given the reason
as an exception.
"""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol, TextIO

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import mode_specs

from clientcreds_proxy.config.find import find
from clientcreds_proxy.config.load import Log as LogSettings
from clientcreds_proxy.errors import ClientcredsError
from clientcreds_proxy.observe.log import LEVELS, Level, Log
from clientcreds_proxy.proxy.facts import normal_or_nowhere
from clientcreds_proxy.proxy.house.policy import Policy
from clientcreds_proxy.proxy.serving import listen

RULED_FLOWS = "~comment ^clientcreds"


class StartError(ClientcredsError):
    """The proxy does not start: options that would expose a token, a port that is taken."""


class Stop(Protocol):
    """How a start ends that can't succeed."""

    def __call__(self, why: ClientcredsError, /) -> NoReturn:
        """Raise it, or end the process."""
        ...


def add_options(loader: Loader) -> None:
    """Name our options. All are texts, so that what is wrong with a value is for us to tell."""
    loader.add_option(
        "clientcreds_config",
        str,
        "",
        "The rules: a YAML file. Default: $CLIENTCREDS_CONFIG, clientcreds.yaml here, config/rules.yaml.",
    )
    loader.add_option(
        "clientcreds_fast_dispatch",
        str,
        "false",
        "true: find the hooks of mitmproxy's addons by a table. Faster; see docs/configuration.md.",
    )
    # mitmproxy's root logger is at DEBUG: these would print token URLs, and a line for every retry
    for name in ("httpx", "httpcore", "stamina"):
        logging.getLogger(name).setLevel(logging.ERROR)


def take_settings() -> None:
    """Let our options have what `--set` and mitmproxy's config.yaml say; raises a `StartError`.

    mitmproxy would do so right after `load`, and run without us where it can't: an option that is set twice,
    or to nothing, or to `true` instead of a text.
    """
    try:
        ctx.options.process_deferred()
    except (exceptions.OptionsError, TypeError) as error:
        raise StartError(f"clientcreds: {error}") from error


def config_path() -> Path:
    """The file that the options, the environment or the working directory name."""
    return find(ctx.options.clientcreds_config or None, environ=os.environ)


def wants_fast_dispatch() -> bool:
    """What the option says; raises a `StartError` for anything but true and false."""
    said = str(ctx.options.clientcreds_fast_dispatch)
    if said not in ("true", "false"):
        raise StartError(f"clientcreds: clientcreds_fast_dispatch={said}: expected true or false")
    return said == "true"


def or_stop[T](step: Callable[[], T], stop: Stop) -> T:
    """What `step` gives, or the end of mitmproxy, if it is only starting, in the way of `stop`."""
    try:
        return step()
    except ClientcredsError as error:
        if is_running():
            raise exceptions.OptionsError(str(error)) from error
        stop(error)


def exit_at_once(why: ClientcredsError) -> NoReturn:
    """The end of the process, with the reason on stderr and nothing else."""
    print(why, file=sys.stderr)  # noqa: T201 - the log is not there yet
    sys.stdout.flush()
    sys.stderr.flush()
    # No `sys.exit`: the port is open already, and mitmproxy would serve, without us and with tracebacks,
    # whoever connects while it shuts down.
    os._exit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What a master of ours chooses about the addon. The defaults are a script's."""

    stop: Stop = exit_at_once
    log_to: TextIO | None = None  # None: stdout
    in_words: bool = False  # the log is for whoever waits for a command: warnings and refusals, in words
    lasts: bool = True  # False: for one command. No status server, and its end waits for no request


AS_SCRIPT = Manner()


def is_running() -> bool:
    """Whether mitmproxy has started: then nothing of ours may end it."""
    return bool(ctx.master.addons.get("proxyserver").is_running)


def check_options(policy: Policy) -> None:
    """Raise a `StartError` where mitmproxy's options would expose a token."""
    beyond = listen.beyond_loopback()
    if beyond and not (policy.config.names_clients or ctx.options.proxyauth):
        raise StartError(
            f"clientcreds: listening on {', '.join(beyond)} lets other machines use the tokens of this one; "
            "say who may in allowed_clients, set mitmproxy's proxyauth, or listen on 127.0.0.1"
        )
    _check_callers(policy)
    for mode in listen.modes():
        if not isinstance(mode, mode_specs.ReverseMode):
            continue
        host, port = mode.address[0], mode.address[1]
        if not policy.covers(normal_or_nowhere(host), port):
            continue
        for option, why in _REVERSE.items():
            if getattr(ctx.options, option):
                raise StartError(
                    f"clientcreds: {option} can't be used in reverse mode to {host}:{port}, "
                    f"which has rules: {why}"
                )


def _check_callers(policy: Policy) -> None:
    for name, spec in policy.config.sources.items():
        if ctx.options.proxyauth and spec.caller and "proxy_authorization" in spec.caller.places:
            raise StartError(
                f"clientcreds: proxyauth can't be used beside token_sources.{name}.caller.from: "
                "proxy_authorization: both want the same credentials of a client"
            )


_REVERSE = {
    "keep_host_header": "the request would name another server than the one it goes to",
    "upstream_auth": "it would overwrite the header that the rule attaches",
}


def show_ruled_flows_only() -> None:
    """Let mitmdump print ruled flows alone, unless the user chose a filter."""
    if "dumper_filter" in ctx.options and not ctx.options.dumper_filter:
        ctx.options.update(dumper_filter=RULED_FLOWS)


def log_of(settings: LogSettings, manner: Manner) -> Log:
    """The log that the configuration asks for, or the one in words."""
    if manner.in_words:
        return Log(lambda line, _: print(line, file=manner.log_to, flush=True), form="words", level="warning")
    return Log(log_writer(manner.log_to), form=settings.format, level=settings.level)


def log_writer(out: TextIO | None) -> Callable[[str, Level], None]:
    """Where the log's lines go: `out` (None: stdout) as they are, or the console, which owns the terminal."""
    if type(ctx.master).__module__.startswith("mitmproxy.tools.console"):
        return lambda line, level: logging.getLogger("clientcreds").log(_LOGGING[level], line)
    return partial(_write_line, out)


def _write_line(out: TextIO | None, line: str, level: Level) -> None:
    verbosity = ctx.options.termlog_verbosity if "termlog_verbosity" in ctx.options else "info"  # `-q`: error
    least = {"warn": "warning", "alert": "warning"}.get(verbosity, verbosity)
    if LEVELS.index(level) >= LEVELS.index(least if least in LEVELS else "info"):
        print(line, file=out, flush=True)


_LOGGING: dict[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

"""mitmproxy's hooks by a table, instead of a search through some forty addons at every event.

That search is about half of what a request costs mitmproxy. The table holds the same calls in the same order,
with the same meaning of `AddonHalt` and of an exception, and is made anew when an addon comes or goes, or an
option changes. It leaves out those addons of mitmproxy whose option gives them nothing to do. An addon that
exchanges a hook of its own while it runs is not noticed: hence `clientcreds_fast_dispatch`.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, safecall
from mitmproxy.addons import (
    anticache,
    anticomp,
    blocklist,
    dumper,
    maplocal,
    mapremote,
    modifybody,
    modifyheaders,
    proxyauth,
    save,
    savehar,
    stickyauth,
    stickycookie,
    upstream_auth,
)

Calls = list[Callable[..., Awaitable[None] | None]]

# Each does nothing about any flow while its option is unset, and looks that up for every one.
_IDLE_WITHOUT = {
    anticache.AntiCache: "anticache",
    anticomp.AntiComp: "anticomp",
    blocklist.BlockList: "block_list",
    dumper.Dumper: "flow_detail",
    maplocal.MapLocal: "map_local",
    mapremote.MapRemote: "map_remote",
    modifybody.ModifyBody: "modify_body",
    modifyheaders.ModifyHeaders: "modify_headers",
    proxyauth.ProxyAuth: "proxyauth",
    save.Save: "save_stream_file",
    savehar.SaveHar: "hardump",
    stickyauth.StickyAuth: "stickyauth",
    stickycookie.StickyCookie: "stickycookie",
    upstream_auth.UpstreamAuth: "upstream_auth",
}
_OF_THE_ADDON = frozenset({"load", "configure", "running", "done"})  # events that are about no flow


class TableDispatch(AddonManager):
    """An `AddonManager` that remembers which addon has which hook."""

    table: dict[str, list[Calls]]  # by event; for each addon of the chain that has it

    async def trigger_event(self, event: hooks.Hook) -> None:
        """Call the hooks of an event, addon by addon."""
        arguments = event.args()
        for calls in self._calls_of(event):
            try:
                for call in calls:
                    waiting = call(*arguments)
                    if waiting is not None and inspect.isawaitable(waiting):
                        await waiting
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                with safecall():  # mitmproxy's words for it in the log, and on to the next addon
                    raise

    def trigger(self, event: hooks.Hook) -> None:
        """Call the hooks of an event that can't wait: a line in mitmproxy's log is one, mostly nobody's."""
        if self._calls_of(event):
            super().trigger(event)

    def register(self, addon: Any) -> Any:
        """Take an addon in."""
        self.table.clear()
        try:
            return super().register(addon)  # type: ignore[no-untyped-call]
        finally:
            self.table.clear()

    def add(self, *addons: Any) -> None:
        """Put addons at the end of the chain."""
        try:
            super().add(*addons)  # type: ignore[no-untyped-call]
        finally:
            self.table.clear()

    def remove(self, addon: Any) -> None:
        """Take an addon out."""
        self.table.clear()
        try:
            super().remove(addon)  # type: ignore[no-untyped-call]
        finally:
            self.table.clear()

    def clear(self) -> None:
        """Take all addons out."""
        super().clear()  # type: ignore[no-untyped-call]
        self.table.clear()

    def options_changed(self, updated: set[str]) -> None:  # noqa: ARG002 - mitmproxy's signature
        """One of them may give an addon something to do."""
        self.table.clear()

    def _calls_of(self, event: hooks.Hook) -> list[Calls]:
        rows = self.table.get(event.name)
        if rows is None:
            awake = (addon for addon in self.chain if event.name in _OF_THE_ADDON or not self._is_idle(addon))
            found = ([call for _, call in self._iter_hooks(addon, event)] for addon in awake)
            rows = self.table[event.name] = [calls for calls in found if calls]
        return rows

    def _is_idle(self, addon: Any) -> bool:
        option = _IDLE_WITHOUT.get(type(addon))
        return option is not None and not getattr(self.master.options, option)


def use_table(addons: AddonManager, *, wanted: bool) -> None:
    """Dispatch by table from the next event on, or as mitmproxy does."""
    if wanted and type(addons) is AddonManager:
        addons.__class__ = TableDispatch
        addons.table = {}  # type: ignore[attr-defined]
        addons.master.options.changed.connect(addons.options_changed)  # type: ignore[attr-defined]
    elif not wanted and isinstance(addons, TableDispatch):
        addons.__class__ = AddonManager  # type: ignore[assignment]

"""mitmproxy's hooks by a table, instead of a search through some forty addons at every event.

That search is about half of what a request costs mitmproxy. The table holds the same calls in the same order,
with the same meaning of `AddonHalt` and of an exception, and is made anew when an addon comes or goes. An
addon that exchanges a hook of its own while it runs is not noticed: hence `clientcreds_fast_dispatch`.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy import exceptions, hooks
from mitmproxy.addonmanager import AddonManager, safecall

Calls = list[Callable[..., Awaitable[None] | None]]


class TableDispatch(AddonManager):
    """An `AddonManager` that remembers which addon has which hook."""

    table: dict[str, list[Calls]]  # by event; for each addon of the chain that has it

    async def trigger_event(self, event: hooks.Hook) -> None:
        """Call the hooks of an event, addon by addon."""
        rows = self.table.get(event.name)
        if rows is None:
            rows = self.table[event.name] = self._rows(event)
        for calls in rows:
            try:
                for call in calls:
                    waiting = call(*event.args())
                    if waiting is not None and inspect.isawaitable(waiting):
                        await waiting
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                with safecall():  # mitmproxy's words for it in the log, and on to the next addon
                    raise

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

    def _rows(self, event: hooks.Hook) -> list[Calls]:
        found = ([call for _, call in self._iter_hooks(addon, event)] for addon in self.chain)
        return [calls for calls in found if calls]


def use_table(addons: AddonManager, *, wanted: bool) -> None:
    """Dispatch by table from the next event on, or as mitmproxy does."""
    if wanted and type(addons) is AddonManager:
        addons.__class__ = TableDispatch
        addons.table = {}  # type: ignore[attr-defined]
    elif not wanted and isinstance(addons, TableDispatch):
        addons.__class__ = AddonManager  # type: ignore[assignment]

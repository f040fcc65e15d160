"""What mitmproxy would log of every request with a rule, and that says nothing: that its body streams."""

import logging

from mitmproxy import ctx

_LOGGER = "mitmproxy.proxy.server"
_STREAMS = ("Streaming response from ", "Streaming request to ")


class Hush(logging.Filter):
    """Keeps those lines out of the log, unless the user asked for streaming."""

    def install(self) -> None:
        """From now on."""
        logging.getLogger(_LOGGER).addFilter(self)

    def uninstall(self) -> None:
        """No longer."""
        logging.getLogger(_LOGGER).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is one to log."""
        return not str(record.msg).startswith(_STREAMS) or ctx.options.stream_large_bodies is not None

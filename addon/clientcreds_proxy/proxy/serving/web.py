"""`clientcreds web`: mitmweb with our addon."""

from collections.abc import Sequence

from mitmproxy.options import Options
from mitmproxy.tools import cmdline, main, web

from clientcreds_proxy.proxy.serving.serve import OwnMaster, strict


def serve_web(arguments: Sequence[str]) -> None:
    """Run mitmweb with our addon until it is told to end; raises what keeps it from starting."""
    main.run(WebMaster, strict(cmdline.mitmweb), arguments)


class WebMaster(OwnMaster, web.master.WebMaster):
    """mitmweb with our addon."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.prepare()
        self.options.update(store_streamed_bodies=True)  # or its page has no body of a ruled request

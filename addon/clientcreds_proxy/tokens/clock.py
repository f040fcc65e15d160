"""The real clock."""

import time  # noqa: TID251 - this is the one place that reads it

from clientcreds_proxy.tokens.model import Instant

# monotonic() stands still while a Linux machine sleeps; where BOOTTIME is missing it is the best there is.
_BOOT = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """This machine's two clocks."""

    def now(self) -> Instant:
        """The present moment on both."""
        boot = time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)
        return Instant(boot=boot, wall=time.time())

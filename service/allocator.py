"""How much memory the C library keeps for threads: set once, before a service starts any."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_ARENA_MAX: Final = -8
"""`mallopt`'s name for it, in glibc's <malloc.h>."""

ARENAS: Final = 2
"""glibc makes eight for each processor and gives none back that is used anywhere: of threads that take turns,
each leaves holes in its own. Python's lock lets one thread work at a time, so that few wait for an arena."""


def bound_arenas() -> None:
    """Have all threads share two arenas; where another C library is, nothing happens."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)

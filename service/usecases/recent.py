"""What was made of the last tuples of kept objects: the same documents in another preview."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Part = TypeVar("Part")
Value = TypeVar("Value")


class Recent(Generic[Part, Value]):
    """The last results of a function of tuples, for any number of threads.

    Tuples are compared, which takes some microseconds where they hold the very same objects.
    """

    def __init__(self, make: Callable[..., Value], most: int) -> None:
        self._make, self._most = make, most
        self._held: OrderedDict[Hashable, tuple[tuple[Part, ...], Value]] = OrderedDict()
        self._guard = threading.Lock()

    def of(self, parts: tuple[Part, ...], *told: Hashable) -> Value:
        """Return what the function makes of these, and of whatever else it is told."""
        if not parts:
            return self._make(parts, *told)
        key = len(parts), parts[0], parts[-1], told
        known = self._held.get(key)
        if known is None or known[0] != parts:
            known = parts, self._make(parts, *told)
        with self._guard:
            self._held[key] = known
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return known[1]

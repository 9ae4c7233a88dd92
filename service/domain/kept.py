"""What is worked out of a value once and then kept with it: values that thousands of sums look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

Holder = TypeVar("Holder")
Value = TypeVar("Value")


class kept(Generic[Holder, Value]):  # noqa: N801 - a decorator, as `property` is one
    """A property of an unchangeable object, worked out when it is first asked for.

    Found in the object's dictionary from then on. `functools.cached_property` takes a lock each first time
    (before Python 3.12), which thousands of objects feel; here, two threads may work it out both.
    """

    def __init__(self, make: Callable[[Holder], Value]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, holder: None, owner: type[Holder]) -> Self: ...
    @overload
    def __get__(self, holder: Holder, owner: type[Holder]) -> Value: ...
    def __get__(self, holder: Holder | None, owner: type[Holder]) -> Value | Self:
        """Work it out."""
        if holder is None:
            return self
        value = holder.__dict__[self._name] = self._make(holder)
        return value


def once(holder: object, make: Callable[[Any], Value]) -> Value:
    """Return what a function makes of an unchangeable object, made once: for those who know more."""
    made: dict[Any, Value] = holder.__dict__
    try:
        return made[make]
    except KeyError:
        value = made[make] = make(holder)
        return value


class Keepsake(list[Value]):
    """A list that nobody changes, with a dictionary for what is made of it `once`."""


class KeptObject(dict[str, Value]):
    """The same of a JSON object."""

"""Seats: the numbered places of the processes on one data folder, each a lock on a file.

A seat whose lock is free belongs to nobody, or to a process that died: its work is taken up by whoever comes.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MAX_SEATS = 256


@dataclass(frozen=True, slots=True)
class Seat:
    """A place that a process holds by a lock on a file."""

    name: str
    handle: IO[str]


@contextmanager
def taken(data: Path) -> Iterator[tuple[str, list[Seat]]]:
    """Take the first free seat; yield its name and all seats whose process died.

    A dead seat stays locked until its work is taken up, so that no two processes take up the same.
    """
    folder = data / "seats"
    folder.mkdir(parents=True, exist_ok=True)
    dead: list[Seat] = []
    mine: Seat | None = None
    for number in range(1, MAX_SEATS):
        path = folder / str(number)
        known = path.exists()
        handle = path.open("a")
        if not _lock(handle):
            handle.close()
        elif mine is None:
            mine = Seat(f"seat-{number}", handle)
        else:
            dead.append(Seat(f"seat-{number}", handle))
        if not known and mine is not None:
            break
    if mine is None:
        raise RuntimeError(f"all {MAX_SEATS} seats in {folder} are taken")
    try:
        yield mine.name, dead
    finally:
        for seat in (mine, *dead):
            seat.handle.close()


def held_free(data: Path, held: ExitStack, *, but: str) -> list[str]:
    """Lock every seat that nobody sits on until the stack ends; return their names."""
    others = [path for path in (data / "seats").iterdir() if _name(path) != but]
    return [_name(path) for path in others if _lock(held.enter_context(path.open("a")))]


def any_dead(data: Path, names: Iterable[str]) -> bool:
    """Whether nobody sits on one of these seats any more."""
    with ExitStack() as held:
        there = {_name(path): path for path in (data / "seats").glob("*")}
        return any(
            name not in there or _lock(held.enter_context(there[name].open("a"))) for name in set(names)
        )


def _name(path: Path) -> str:
    return f"seat-{path.name}"


def _lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

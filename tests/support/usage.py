"""What a process and all those below it take: processor time and memory, from Linux's /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _TIMES = 1, slice(11, 15)
"""Fields of /proc/PID/stat behind the name; times: its own and those of children it has waited for."""


def family(pid: int) -> Iterator[int]:
    """Yield a process and all below it that are there now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(entry.name))
        if fields:
            parents[int(entry.name)] = int(fields[_PARENT])
    found = [pid]
    for member in found:
        found.extend(child for child, parent in parents.items() if parent == member)
    yield from found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and all below it, those that have ended included."""
    return sum(sum(map(int, _fields(one)[_TIMES])) for one in family(pid)) / _TICKS


def resident_megabytes(pid: int) -> float:
    """Return the memory a process holds now, what it shares with others counted in part (PSS)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) / 1024


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []

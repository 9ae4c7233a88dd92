"""What a process may take that reads or draws anybody's file: memory, processor time, files."""

from __future__ import annotations

import resource
import time

from ingest.limits import Limits


def confine(limits: Limits) -> None:
    """Bound what this process may take; nothing raises these bounds again."""
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.written_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        _bound(kind, bound, bound)
    # Past the first bound the kernel sends SIGXCPU, which tells the parent why; past the second it kills. The
    # first is this file's own: what others took before it in this process, up to as much again, is added.
    used = round(time.process_time())
    _bound(resource.RLIMIT_CPU, used + limits.cpu_seconds, 2 * limits.cpu_seconds + 5)


def _bound(kind: int, soft: int, hard: int) -> None:
    before = resource.getrlimit(kind)[1]
    highest = hard if before == resource.RLIM_INFINITY else min(hard, before)
    resource.setrlimit(kind, (min(soft, highest), highest))

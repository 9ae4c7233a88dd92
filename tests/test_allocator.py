"""Threads share few arenas of the C library."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from service import allocator

ROOT = Path(__file__).resolve().parents[1]

ARENAS_OF_TWELVE_THREADS = """
import ctypes, sys, threading
from service import allocator
if sys.argv[1] == "bound":
    allocator.bound_arenas()
libc = ctypes.CDLL(None)
together = threading.Barrier(12)
def work():
    together.wait()
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for one in threads: one.start()
for one in threads: one.join()
libc.fopen.restype = ctypes.c_void_p
told = ctypes.c_void_p(libc.fopen(b"told.xml", b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
print(open("told.xml").read().count("<heap nr="))
"""


def arenas(folder: Path, how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", ARENAS_OF_TWELVE_THREADS, how],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not glibc")
def test_threads_share_two_arenas(tmp_path: Path) -> None:
    assert arenas(tmp_path, "bound") <= allocator.ARENAS < arenas(tmp_path, "as it comes")


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: pytest.fail("loaded"))
    allocator.bound_arenas()

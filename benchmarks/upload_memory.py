"""What memory an upload takes, small and large: python benchmarks/upload_memory.py [MEGABYTES]."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.process import ServiceProcess

MEGABYTE = 1 << 20


def peak_megabytes(pid: int) -> float:
    """Return the most resident memory the process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def pieces(megabytes: int) -> Iterator[bytes]:
    """Yield so many different megabytes; what they hold is refused after it is stored."""
    for number in range(megabytes):
        yield number.to_bytes(8, "big") * (MEGABYTE // 8)


def main(largest: int) -> None:
    """Upload 1 MB, then the largest, to one service, and print its peak memory after each."""
    with tempfile.TemporaryDirectory() as folder, ServiceProcess(Path(folder), "--no-worker") as server:
        assert server.process is not None
        print(f"{'upload':>10}  {'seconds':>8}  {'peak MB':>8}")
        print(f"{'none':>10}  {'':>8}  {peak_megabytes(server.process.pid):8.1f}")
        for megabytes in (1, largest):
            began = time.perf_counter()
            httpx.post(
                f"{server.url}/v1/documents?filename={megabytes}.bin", content=pieces(megabytes), timeout=600
            ).raise_for_status()
            took = time.perf_counter() - began
            print(f"{megabytes:7} MB  {took:8.2f}  {peak_megabytes(server.process.pid):8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)

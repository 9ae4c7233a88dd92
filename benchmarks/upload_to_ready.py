"""Documents from upload to ready, against a plain loop: python benchmarks/upload_to_ready.py [FOLDER].

The loop reads each PDF with pypdf and counts each page with tiktoken, in one process of its own, and stores
nothing; its imports and its vocabulary are loaded before its clock starts. Ours are the service, to which the
files are uploaded over HTTP, several at once, until it says that all are ready, and `unabridged add` from its
start to its end. Both hash, store, read, count and commit, on a new store each round. Rounds alternate, so
that whatever else runs on the machine slows all of them; the ratios are what to quote.
"""

from __future__ import annotations

import json
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.process import ServiceProcess, environment
from tests.support.usage import cpu_seconds

ROOT = Path(__file__).parents[1]
REPORTS = ROOT.parent / "shared/samples/us-agency-reports"
ROUNDS = 3
AT_ONCE = 4
POLL_SECONDS = 0.05


def plain(folder: Path) -> None:
    """Print the seconds, processor seconds, pages and tokens of the plain loop."""
    from pypdf import PdfReader  # noqa: PLC0415 - only the process of the loop loads these

    from ingest.tokens import encoder  # noqa: PLC0415

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    encode = encoder().encode_ordinary
    began, used = time.perf_counter(), time.process_time()
    pages = tokens = 0
    for path in sorted(folder.glob("*.pdf")):
        for page in PdfReader(path).pages:
            pages += 1
            tokens += len(encode(page.extract_text()))
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    print(json.dumps({"seconds": seconds, "processor": processor, "pages": pages, "tokens": tokens}))


def loop(folder: Path) -> dict[str, Any]:
    """Run the plain loop in a process of its own."""
    command = [sys.executable, __file__, "--loop", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, env=environment(ROOT))
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def served(folder: Path) -> tuple[float, float]:
    """Return the seconds from the first upload until all is ready, and the service's processor seconds."""
    paths = sorted(folder.glob("*.pdf"))
    with tempfile.TemporaryDirectory() as data, ServiceProcess(Path(data)) as server:
        assert server.process is not None
        time.sleep(1)  # a service is there before its documents are
        used = cpu_seconds(server.process.pid)
        with httpx.Client(base_url=server.url, timeout=600, trust_env=False) as client:
            began = time.perf_counter()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                uploaded = list(pool.map(lambda path: _upload(client, path), paths))
            for document_id in uploaded:
                _wait(client, document_id)
            seconds = time.perf_counter() - began
        return seconds, cpu_seconds(server.process.pid) - used


def added(folder: Path) -> tuple[float, float]:
    """Return the seconds and processor seconds of `unabridged add`, everything included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as data:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "service", "add", *map(str, sorted(folder.glob("*.pdf")))],
            env=environment(Path(data)),
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _upload(client: httpx.Client, path: Path) -> str:
    with path.open("rb") as file:
        reply = client.post("/v1/documents", files={"file": (path.name, file)}).raise_for_status()
    return str(reply.json()["data"][0]["id"])


def _wait(client: httpx.Client, document_id: str) -> None:
    while (status := client.get(f"/v1/documents/{document_id}").json()["status"]) != "ready":
        assert status != "failed"
        time.sleep(POLL_SECONDS)


def _show(name: str, pages: int, seconds: float, processor: float) -> None:
    rate = f"{pages / seconds:.0f} pages/s"
    print(f"  {name:16}  {seconds:6.2f} s  {rate:>12}  {processor:6.2f} processor seconds", flush=True)


def main(folder: Path) -> None:
    """Print what each round took, and the medians."""
    ratios: dict[str, list[float]] = {"upload to ready": [], "unabridged add": []}
    for number in range(1, ROUNDS + 1):
        measured = loop(folder)
        pages, seconds = measured["pages"], measured["seconds"]
        print(f"round {number}: {pages:,} pages, {measured['tokens']:,} tokens")
        _show("pypdf + tiktoken", pages, seconds, measured["processor"])
        for name, run in (("upload to ready", served), ("unabridged add", added)):
            took, processor = run(folder)
            ratios[name].append(seconds / took)
            _show(name, pages, took, processor)
    for name, values in ratios.items():
        span = f"({min(values):.1f} to {max(values):.1f})"
        print(f"{name}: {statistics.median(values):.1f} times as fast {span}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--loop"]:
        plain(Path(sys.argv[2]))
    else:
        chosen = REPORTS if REPORTS.is_dir() else ROOT / "examples" / "apollo"
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else chosen)

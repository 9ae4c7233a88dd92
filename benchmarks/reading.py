"""The whole way of documents against a plain loop: python benchmarks/reading.py [FOLDER].

The loop reads each PDF with pypdf and counts its text with tiktoken, in one process, and stores nothing.
Ours is `unabridged add` from its start: hashed, stored, read page by page in child processes, counted and
committed. Both read the same files in one run; the ratio is what to quote.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pypdf import PdfReader

from ingest.tokens import encoder

ROOT = Path(__file__).parents[1]


def plain(paths: list[Path]) -> tuple[float, int, int]:
    """Return the seconds, pages and tokens of the plain loop."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    encode = encoder().encode_ordinary
    began = time.perf_counter()
    pages = tokens = 0
    for path in paths:
        for page in PdfReader(path).pages:
            pages += 1
            tokens += len(encode(page.extract_text()))
    return time.perf_counter() - began, pages, tokens


def whole(folder: Path) -> float:
    """Return the seconds of `unabridged add` on a new store."""
    with tempfile.TemporaryDirectory() as data:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "service", "add", str(folder), "--corpus", "benchmark"],
            env={**os.environ, "UNABRIDGED_DATA": data},
            cwd=ROOT,
            check=True,
        )
        return time.perf_counter() - began


def main(folder: Path) -> None:
    """Print both and their ratio."""
    paths = sorted(folder.glob("*.pdf"))
    seconds, pages, tokens = plain(paths)
    rate = f"({pages / seconds:.0f} pages/s)"
    print(f"pypdf + tiktoken: {pages:,} pages, {tokens:,} tokens in {seconds:.1f} s {rate}")
    ours = whole(folder)
    print(f"unabridged add:   {ours:.1f} s ({pages / ours:.0f} pages/s), {seconds / ours:.1f} times as fast")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples" / "apollo")

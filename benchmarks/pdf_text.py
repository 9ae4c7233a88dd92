"""Text of PDFs, pages a second and how right: python benchmarks/pdf_text.py [FOLDER].

Text alone, nothing cleaned, counted or stored, no process apart: pypdf against ours, file by file in turn, so
that a busy machine slows both; then ours in two processes at once. Ratios are what to quote. Words are held
against pypdf's, pdf_oxide's and, where `pdftotext` is installed, poppler's.
"""

from __future__ import annotations

import logging
import multiprocessing
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pdf_oxide
from pypdf import PdfReader

from ingest.formats import PDF, pdf
from ingest.normalize import normalize

ROOT = Path(__file__).parents[1]
ROUNDS = 3
_BROKEN = re.compile(r"(?<=\w)[-\u2010\xad]\s*\n\s*(?=\w)")
_WORD = re.compile(r"\w+")


def ours(path: Path) -> list[str]:
    """Return the pages' texts."""
    reading = pdf.open_document(path, PDF)
    try:
        return [page.text for page in reading.pages()]
    finally:
        reading.close()


def pypdfs(path: Path) -> list[str]:
    """Return the pages' texts as pypdf reads them."""
    return [page.extract_text() for page in PdfReader(path).pages]


def popplers(path: Path) -> list[str]:
    """Return the pages' texts as poppler reads them."""
    program = shutil.which("pdftotext") or "pdftotext"
    done = subprocess.run([program, str(path), "-"], capture_output=True, check=True)
    return done.stdout.decode().split("\f")[:-1]


def oxides(path: Path) -> list[str]:
    """Return the pages' texts as pdf_oxide reads them."""
    document = pdf_oxide.PdfDocument(str(path))
    return [str(document.extract_text(index)) for index in range(document.page_count())]


def timed(read: Callable[[Path], list[str]], path: Path) -> float:
    """Return the seconds that one reading takes."""
    began = time.perf_counter()
    read(path)
    return time.perf_counter() - began


def one_process(paths: list[Path]) -> tuple[float, float]:
    """Return pypdf's seconds and ours; each file in turn, ours the median of some rounds."""
    slow = quick = 0.0
    for path in paths:
        rounds = [timed(ours, path) for _ in range(ROUNDS // 2)]
        slow += timed(pypdfs, path)
        rounds += [timed(ours, path) for _ in range(ROUNDS - len(rounds))]
        quick += sorted(rounds)[ROUNDS // 2]
    return slow, quick


def two_processes(paths: list[Path]) -> tuple[float, float]:
    """Return our seconds for all files with one process and with two, started before the clock runs."""
    by_size = sorted(paths, key=lambda path: -path.stat().st_size)
    rounds = []
    with multiprocessing.Pool(1) as single, multiprocessing.Pool(2) as double:
        for pool in (single, double):
            pool.map(ours, by_size[-2:], chunksize=1)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            single.map(ours, by_size, chunksize=1)
            between = time.perf_counter()
            double.map(ours, by_size, chunksize=1)
            rounds.append((between - began, time.perf_counter() - between))
    one, two = (min(seconds) for seconds in zip(*rounds, strict=True))
    return one, two


def words(text: str) -> Counter[str]:
    """Return the words of a page; one broken at a line end is one."""
    return Counter(_WORD.findall(_BROKEN.sub("", normalize(text)).casefold()))


def most(counts: list[Counter[str]]) -> Counter[str]:
    """Return the words of a page as most of three readers have them: each reader has faults of its own."""
    return (counts[0] & counts[1]) | (counts[0] & counts[2]) | (counts[1] & counts[2])


def word_f1s(paths: list[Path], readers: Mapping[str, Callable[[Path], list[str]]]) -> dict[str, float]:
    """Return the F1 of our words, page by page, against each reader's, and against most of three."""
    common: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path in paths:
        texts = zip(ours(path), *(read(path) for read in readers.values()), strict=True)
        for mine, *others in (map(words, page) for page in texts):
            theirs = dict(zip(readers, others, strict=True))
            if len(others) == len(("poppler", "pypdf", "pdf_oxide")):
                theirs["most of the three"] = most(others)
            common.update({name: (mine & found).total() for name, found in theirs.items()})
            total.update({name: mine.total() + found.total() for name, found in theirs.items()})
    return {name: 2 * common[name] / total[name] for name in total}


def main(folder: Path) -> None:
    """Print speed and truth."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    pdf_oxide.disable_logging()
    paths = sorted(folder.glob("*.pdf"))
    pages = sum(len(ours(path)) for path in paths)
    slow, quick = one_process(paths)
    print(f"{pages:,} pages of {len(paths)} files")
    print(f"pypdf {pages / slow:.0f} pages/s, ours {pages / quick:.0f} pages/s: {slow / quick:.1f} times")
    one, two = two_processes(paths)
    print(f"two processes: {pages / two:.0f} pages/s, {one / two:.2f} times one")
    readers = {"pypdf": pypdfs, "pdf_oxide": oxides}
    if shutil.which("pdftotext"):
        readers = {"poppler": popplers, **readers}
    for name, found in word_f1s(paths, readers).items():
        print(f"word F1 against {name}: {found:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples" / "apollo")

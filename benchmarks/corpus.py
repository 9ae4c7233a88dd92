"""A large corpus in one go: python benchmarks/corpus.py [--documents N] [--pages N].

Makes so many PDFs of so many pages each (the same ones every time), uploads all of them to one service as
fast as it takes them, and waits until all are ready: pages a second, memory of the service and of its reading
processes over time, size of the store. Then what the meter and a preview cost on that corpus, and removal.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.support.process import ServiceProcess
from tests.support.usage import cpu_seconds, family, resident_megabytes

AT_ONCE = 4
RUNS = 9
LINES = 42
"""On a page: about 450 tokens."""
FIGURES = 0.3
"""The share of lines that end with one."""
WAIT_SECONDS = 3600.0
MEGABYTE = 1 << 20

_BEGINNINGS = ("con", "per", "trans", "inter", "pro", "re", "sub", "ad", "in", "ob", "de", "pre", "ex", "com")
_MIDDLES = ("form", "port", "ject", "duct", "struct", "vers", "tain", "fer", "pend", "gress", "spect", "mit")
_ENDS = ("s", "ed", "ing", "ion", "or", "able", "ive", "ment", "al", "ance", "ation", "er", "ity", "ful")
_SHORT = (
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
)


def main(documents: int, pages: int) -> None:
    """Print the measurements."""
    with tempfile.TemporaryDirectory() as folder, ServiceProcess(Path(folder) / "data") as server:
        assert server.process is not None
        began = time.perf_counter()
        paths = list(make(Path(folder), documents, pages))
        size = sum(path.stat().st_size for path in paths)
        print(f"{documents:,} documents of {pages} pages, {size / MEGABYTE:.0f} MB, ", end="")
        print(f"made in {time.perf_counter() - began:.0f} s")
        with httpx.Client(base_url=server.url, timeout=600, trust_env=False) as client:
            run = Run(client, server.process.pid, Path(folder) / "data", paths, documents * pages)
            corpus_id = run.ingest()
            run.price(corpus_id)
            run.remove(corpus_id)


def make(folder: Path, documents: int, pages: int) -> Iterator[Path]:
    """Write so many PDFs of so many pages; the same numbers make the same files."""
    lines = _lines(random.Random(0))  # noqa: S311 - made-up text
    for number in range(documents):
        dice = random.Random(number)  # noqa: S311 - made-up text
        heads = (f"Report {number}, page {page}" for page in range(1, pages + 1))
        texts = ([head, *dice.choices(lines, k=LINES)] for head in heads)
        path = folder / f"report-{number:05}.pdf"
        path.write_bytes(pdf(texts))
        yield path


def _lines(dice: random.Random) -> list[str]:
    """Lines of words whose frequencies fall as those of a language do, and of figures."""
    long = [start + middle + end for start in _BEGINNINGS for middle in _MIDDLES for end in _ENDS]
    dice.shuffle(long)
    words = [*_SHORT, *long]
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    lines = [" ".join(dice.choices(words, cum_weights=weights, k=12)) for _ in range(5_000)]
    return [f"{line}, {dice.randrange(100_000):,}." if dice.random() < FIGURES else line for line in lines]


def pdf(pages: Iterator[list[str]]) -> bytes:
    """Return a PDF of these pages' lines."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", font]
    kids = []
    for lines in pages:
        shown = " T*\n".join(f"({line}) Tj" for line in lines)
        content = zlib.compress(f"BT /F1 9 Tf 16 TL 40 760 Td\n{shown}\nET".encode("latin-1"), 1)
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % (len(objects) + 2)
        )
        head = b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(content)
        objects.append(head + content + b"\nendstream")
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(kids)}] >>".encode()
    return _with_table(objects)


def _with_table(objects: list[bytes]) -> bytes:
    """Return the file of these objects, its table of their places at the end."""
    parts = [b"%PDF-1.7\n"]
    place, places = len(parts[0]), []
    for number, body in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % place)
        parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        place += len(parts[-1])
    table = b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, b"".join(places))
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, place)
    return b"".join([*parts, table, trailer])


@dataclass(frozen=True, slots=True)
class Run:
    """One service and the files it gets."""

    client: httpx.Client
    pid: int
    data: Path
    paths: list[Path]
    pages: int

    def ingest(self) -> str:
        """Upload everything, wait until it is ready, and return the corpus it is in."""
        corpus_id: str = self.client.post("/v1/corpora", json={"name": "Large"}).json()["id"]
        used, began = cpu_seconds(self.pid), time.perf_counter()
        print("  ready   seconds  service MB  readers MB  database MB   log MB")
        self._report("0 %", began)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sent = [pool.submit(self._upload, path, corpus_id) for path in self.paths]
            uploaded = pool.submit(_time_after, sent)
            self._wait(began)
            took = time.perf_counter() - began
            stored = uploaded.result() - began
        rate = f"{self.pages / took:.0f} pages/s"
        print(f"all uploaded after {stored:.1f} s, all ready after {took:.1f} s: {rate}")
        print(f"processor time of the service: {cpu_seconds(self.pid) - used:.1f} s")
        return corpus_id

    def price(self, corpus_id: str) -> None:
        """Print what the meter, a preview and an upload of known bytes cost."""
        question = {"question": "What changed between the years?"}
        asked: dict[str, Callable[[], httpx.Response]] = {
            "meter": lambda: self.client.get(f"/v1/corpora/{corpus_id}/meter"),
            "preview": lambda: self.client.post(f"/v1/corpora/{corpus_id}/plans", json=question),
            "known bytes": lambda: self._upload(self.paths[0], corpus_id),
        }
        for name, ask in asked.items():
            times = []
            for _ in range(RUNS):
                began = time.perf_counter()
                ask().raise_for_status()
                times.append((time.perf_counter() - began) * 1000)
            print(f"{name}: {statistics.median(times):.0f} ms")

    def remove(self, corpus_id: str) -> None:
        """Print what the removal of everything takes."""
        began = time.perf_counter()
        ids = [document["id"] for document in self._documents(None)]
        while ids:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for reply in pool.map(lambda one: self.client.delete(f"/v1/documents/{one}"), ids):
                    reply.raise_for_status()
            ids = [document["id"] for document in self._documents(None)]
        self.client.delete(f"/v1/corpora/{corpus_id}").raise_for_status()
        print(f"removed in {time.perf_counter() - began:.1f} s")
        self._report("none", began)

    def _upload(self, path: Path, corpus_id: str) -> httpx.Response:
        where = {"filename": path.name, "corpus_id": corpus_id}
        return self.client.post("/v1/documents", params=where, content=path.read_bytes()).raise_for_status()

    def _wait(self, began: float) -> None:
        """Wait until everything is ready; report at each tenth."""
        ready, told, last = 0, 0, None
        while ready < len(self.paths):
            assert time.perf_counter() - began < WAIT_SECONDS
            time.sleep(0.5)
            for document in self._documents(last):
                assert document["status"] != "failed", document
                if document["status"] != "ready":
                    break
                ready, last = ready + 1, document["id"]
            tenth = 10 * ready // len(self.paths)
            if tenth > told:
                told = tenth
                self._report(f"{10 * tenth} %", began)

    def _documents(self, after: str | None) -> list[dict[str, str]]:
        where = {"limit": 1000} | ({} if after is None else {"after": after})
        found: list[dict[str, str]] = self.client.get("/v1/documents", params=where).json()["data"]
        return found

    def _report(self, ready: str, began: float) -> None:
        own, *below = [resident_megabytes(pid) for pid in family(self.pid)]
        database, log = (
            (self.data / f"unabridged.db{end}").stat().st_size / MEGABYTE for end in ("", "-wal")
        )
        seconds = time.perf_counter() - began
        sizes = f"{own:10.0f}  {sum(below):10.0f}  {database:11.1f}  {log:7.1f}"
        print(f"{ready:>7}  {seconds:8.1f}  {sizes}", flush=True)


def _time_after(sent: list[Future[httpx.Response]]) -> float:
    """Return when all of these had been done."""
    for one in sent:
        one.result()
    return time.perf_counter()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=2_000)
    parser.add_argument("--pages", type=int, default=50)
    chosen = parser.parse_args()
    main(chosen.documents, chosen.pages)

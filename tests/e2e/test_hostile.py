"""Hostile uploads beside ordinary ones: a real service answers all along, and each file gets its due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx

from tests.support import hostile_packages, hostile_pdfs, hostile_texts, pdfs
from tests.support.process import ServiceProcess

WAIT_SECONDS = 120.0
MAX_GROWTH = 300 << 20
"""Bytes by which the service's own memory may grow; its reading processes have a limit of their own."""
ORDINARY = 12

ENDLESS = {
    "tree.pdf": hostile_pdfs.wide_tree,
    "deep.html": hostile_texts.deep_inline,
    "attributes.html": hostile_texts.many_attributes,
}
"""End by the clock alone, after twenty seconds each."""

# Name → maker and the codes that it may fail with. A kind of file that is read by now gets a line here.
AHEAD: dict[str, tuple[Callable[[Path], Path], set[str]]] = {
    "zeros.pdf": (hostile_pdfs.zeros, {"reader_crashed", "timed_out"}),
    "nested.pdf": (hostile_pdfs.nested_zeros, {"reader_crashed", "timed_out"}),
    "part.docx": (hostile_packages.zero_part, {"too_large"}),
    "laughs.xlsx": (hostile_packages.laughing, {"damaged_document"}),
}
BEHIND: dict[str, tuple[Callable[[Path], Path], set[str]]] = {
    "itself.pdf": (hostile_pdfs.form_in_itself, {"reader_crashed", "timed_out"}),
    "string.xlsx": (hostile_packages.repeated_string, {"too_large"}),
    "groups.rtf": (hostile_texts.deep_groups, {"damaged_document"}),
}


@dataclass(slots=True)
class Watch:
    """What was seen of the service while files were read."""

    health: list[float] = field(default_factory=list)  # seconds to each answer
    memory: list[int] = field(default_factory=list)  # bytes


@contextmanager
def watching(server: ServiceProcess) -> Iterator[Watch]:
    """Ask for the service's health, and look at its memory, until the block ends."""
    watch, over = Watch(), Event()

    def look() -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not over.wait(0.1):
                began = time.monotonic()
                assert client.get("/healthz").status_code == httpx.codes.OK
                watch.health.append(time.monotonic() - began)
                watch.memory.append(memory(server))

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield watch
        finally:
            over.set()
        looking.result()


def memory(server: ServiceProcess) -> int:
    """The resident memory of the service's own process, in bytes."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) << 10


def upload(url: str, path: Path) -> str:
    with path.open("rb") as file:
        reply = httpx.post(f"{url}/v1/documents?filename={path.name}", content=file, timeout=60)
    assert reply.status_code == httpx.codes.ACCEPTED, reply.text
    document_id: str = reply.json()["data"][0]["id"]
    return document_id


def read(url: str, document_id: str) -> dict[str, Any]:
    """Return the document once it is ready or failed."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        document: dict[str, Any] = httpx.get(f"{url}/v1/documents/{document_id}", timeout=30).json()
        if document["status"] in {"ready", "failed"}:
            return document
        time.sleep(0.05)
    raise AssertionError(f"{document_id} is still not read")


def ordinary(folder: Path) -> list[Path]:
    """Small files as users send them."""
    paths = []
    for number in range(ORDINARY // 2):
        text = folder / f"note-{number}.txt"
        text.write_text(f"Note {number} says <|endoftext|> and goes on.\n" * 50, encoding="utf-8")
        paths += [text, pdfs.text_pdf(folder / f"letter-{number}.pdf", [[f"Letter {number}"]] * 3)]
    return paths


def test_hostile_uploads_fail_alone(tmp_path: Path) -> None:
    """With one reader, which the first three files would keep to themselves for a minute."""
    usual = ordinary(tmp_path)
    with ServiceProcess(tmp_path / "data", provider="offline", extractors="1") as server:
        url = server.url
        read(url, upload(url, pdfs.text_pdf(tmp_path / "first.pdf", [["First"]])))
        before = memory(server)
        with watching(server) as watch:
            endless = [upload(url, make(tmp_path / name)) for name, make in ENDLESS.items()]
            bad = {name: upload(url, make(tmp_path / name)) for name, (make, _) in AHEAD.items()}
            good = [upload(url, path) for path in usual]
            bad |= {name: upload(url, make(tmp_path / name)) for name, (make, _) in BEHIND.items()}
            for document_id in good:
                check_ordinary(url, read(url, document_id))
            last = httpx.get(f"{url}/v1/documents/{endless[-1]}", timeout=30).json()
            assert last["status"] == "processing", "the others did not have to wait for it"
            check_refused(read(url, endless[0]), {"timed_out"})
            for name, (_, codes) in {**AHEAD, **BEHIND}.items():
                check_refused(read(url, bad[name]), codes)
        after = read(url, upload(url, pdfs.text_pdf(tmp_path / "last.pdf", [["Last"]])))
        assert after["status"] == "ready"
    assert max(watch.health) < 10
    assert max(watch.memory) - before < MAX_GROWTH
    assert "Traceback" not in server.log()


def check_ordinary(url: str, document: dict[str, Any]) -> None:
    """An ordinary file is read whole; its own count is that of its pages and what stands around them."""
    assert document["status"] == "ready", document
    pages = httpx.get(f"{url}/v1/documents/{document['id']}/pages", timeout=30).json()["data"]
    assert len(pages) == document["pages"]
    assert 0 < sum(page["tokens"] for page in pages) < document["tokens"]


def check_refused(document: dict[str, Any], codes: set[str]) -> None:
    """A hostile file failed, with a code and a sentence that says what to do."""
    assert document["status"] == "failed", document
    assert document["error"]["code"] in codes, document
    assert "upload" in document["error"]["detail"].lower()

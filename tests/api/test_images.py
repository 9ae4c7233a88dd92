"""Pictures of pages over REST: what is shown, what is said instead, and that others need not wait."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from PIL import Image

from service.domain.documents import Document, DocumentStatus, Progress
from service.store import documents
from service.usecases.context import LOCAL, new_id
from tests.support import pdfs, sheets
from tests.support.server import Server
from tests.support.shapes import PROBLEM, fits

SENTENCE = "The harbour opened in 1871 and was closed again."


@pytest.fixture(scope="module")
def ledger(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a PDF of two pages."""
    path = pdfs.text_pdf(tmp_path_factory.mktemp("pdf") / "ledger.pdf", [[SENTENCE], ["A second page."]])
    document = server.add("ledger.pdf", path.read_bytes())
    assert document["status"] == "ready"
    return str(document["id"])


def image(server: Server, document_id: str, page: int | str = 1, **query: str | int) -> httpx.Response:
    return server.client.get(f"/v1/documents/{document_id}/pages/{page}/image", params=query)


def is_marked(response: httpx.Response) -> bool:
    data = Image.open(io.BytesIO(response.content)).convert("RGB").tobytes()
    return any(data[at] - data[at + 2] > 90 for at in range(0, len(data), 3))


def is_problem(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    fits(response.json(), PROBLEM)


def test_a_page_comes_as_a_picture(server: Server, ledger: str) -> None:
    response = image(server, ledger)
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"].startswith("private")
    assert "x-quote-found" not in response.headers
    assert Image.open(io.BytesIO(response.content)).size == (1000, 1414)
    assert not is_marked(response)


def test_the_quote_is_marked(server: Server, ledger: str) -> None:
    response = image(server, ledger, quote="opened in 1871", width=400)
    assert (response.status_code, response.headers.get("x-quote-found")) == (200, "true")
    assert Image.open(io.BytesIO(response.content)).width == 400
    assert is_marked(response)


@pytest.mark.skipif(not sheets.HAS_OCR, reason="Tesseract is not here")
def test_an_image_is_read_and_its_quote_marked(server: Server) -> None:
    content = io.BytesIO()
    sheets.sheet([SENTENCE]).save(content, "PNG")
    document = server.add("photo.png", content.getvalue())
    assert (document["status"], document["media_type"]) == ("ready", "image/png")
    assert server.client.get(f"/v1/documents/{document['id']}/pages/1").json()["text"] == SENTENCE
    response = image(server, document["id"], quote="opened in 1871", width=600)
    assert (response.status_code, response.headers["x-quote-found"]) == (200, "true")
    assert is_marked(response)


def test_a_quote_of_another_page_is_not(server: Server, ledger: str) -> None:
    response = image(server, ledger, 2, quote="opened in 1871")
    assert (response.status_code, response.headers.get("x-quote-found")) == (200, "false")
    assert not is_marked(response)


def test_a_known_picture_is_not_sent_again(server: Server, ledger: str) -> None:
    path = f"/v1/documents/{ledger}/pages/1/image"
    tag = server.client.get(path, params={"quote": "1871"}).headers["etag"]
    again = server.client.get(path, params={"quote": "1871"}, headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for query in ("", "?quote=1912", "?quote=1871&width=999", "?quote="):
        response = server.client.get(path + query, headers={"If-None-Match": tag})
        assert (response.status_code, response.headers["etag"] != tag) == (200, True)


@pytest.mark.parametrize("page", ["0", "-1", "3", "9" * 30])
def test_a_page_that_is_not_there(server: Server, ledger: str, page: str) -> None:
    is_problem(image(server, ledger, page), 404, "not_found")


def test_a_document_that_is_not_there(server: Server) -> None:
    is_problem(image(server, "doc_nobody"), 404, "not_found")


def test_a_format_without_pages_to_look_at(server: Server, harbour: str) -> None:
    response = image(server, harbour, quote="1871")
    is_problem(response, 422, "no_image")
    assert "harbour.txt can't be drawn" in response.json()["detail"]


def test_a_document_that_is_still_read(server: Server) -> None:
    waiting = Document(
        id=new_id("doc"),
        tenant=LOCAL,
        sha256="5" * 64,
        filename="waiting.pdf",
        media_type="application/pdf",
        bytes=1,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=datetime.now(UTC),
    )
    with server.context.db.write() as tx:
        documents.add(tx, waiting)
    is_problem(image(server, waiting.id), 409, "document_not_ready")


def test_a_document_that_could_not_be_read(server: Server) -> None:
    failed = server.add("broken.pdf", b"%PDF-1.7\nnothing else, for its picture")
    is_problem(image(server, failed["id"]), 409, "document_failed")


def spoilt(server: Server, name: str, content: bytes) -> str:
    """The id of a document that was read and whose stored file then went bad."""
    document = server.add(name, content)
    assert document["status"] == "ready"
    with server.context.blobs.as_path(document["sha256"]) as path:
        path.write_bytes(b"%PDF-1.7\nno longer what it was")
    return str(document["id"])


def test_a_file_that_cannot_be_drawn(server: Server, tmp_path: Path) -> None:
    content = pdfs.text_pdf(tmp_path / "a.pdf", [["Soon to be spoilt."]]).read_bytes()
    response = image(server, spoilt(server, "spoilt.pdf", content), quote="Soon")
    is_problem(response, 422, "no_image")
    assert str(tmp_path) not in response.text


def test_a_file_that_was_lost(server: Server, tmp_path: Path) -> None:
    content = pdfs.text_pdf(tmp_path / "a.pdf", [["Soon to be lost."]]).read_bytes()
    document = server.add("lost.pdf", content)
    assert document["sha256"] == hashlib.sha256(content).hexdigest()
    server.context.blobs.delete(document["sha256"])
    is_problem(image(server, document["id"]), 404, "not_found")


@pytest.mark.parametrize("width", ["0", "99", "3001", "-1", "wide", "1e3", "9" * 40])
def test_the_width_is_bounded(server: Server, ledger: str, width: str) -> None:
    is_problem(image(server, ledger, width=width), 422, "invalid_request")


def test_a_quote_of_more_than_pages_is_refused(server: Server, ledger: str) -> None:
    is_problem(image(server, ledger, quote="x" * 10_001), 422, "invalid_request")


def test_a_quote_holds_no_nul(server: Server, ledger: str) -> None:
    is_problem(image(server, ledger, quote="1871\0"), 422, "invalid_request")


@pytest.mark.parametrize("quote", [".*", "(?:", "[a-", "\\", "…", "", "\ufffe", "%00", "x" * 10_000])
def test_a_hostile_quote_is_not_there(server: Server, ledger: str, quote: str) -> None:
    response = image(server, ledger, quote=quote)
    assert (response.status_code, response.headers.get("x-quote-found")) == (200, "false")


def test_bytes_that_are_no_text(server: Server, ledger: str) -> None:
    response = server.client.get(f"/v1/documents/{ledger}/pages/1/image?quote=%ff%fe%ed%a0%80")
    assert (response.status_code, response.headers.get("x-quote-found")) == (200, "false")


def test_many_pictures_keep_nobody_waiting(server: Server, ledger: str) -> None:
    """While pictures are drawn, other requests are answered between them."""
    done = threading.Event()

    def drawn(number: int) -> int:
        return image(server, ledger, quote=f"harbour {number}", width=2000).status_code

    def longest_wait() -> float:
        longest = 0.0
        while not done.is_set():
            began = time.monotonic()
            assert server.client.get(f"/v1/documents/{ledger}").status_code == 200
            longest = max(longest, time.monotonic() - began)
        return longest

    with ThreadPoolExecutor(13) as pool:
        waiting = pool.submit(longest_wait)
        began = time.monotonic()
        assert set(pool.map(drawn, range(12))) == {200}
        took = time.monotonic() - began
        done.set()
        assert waiting.result() < took / 2


def test_a_deleted_document_has_no_pictures(server: Server, tmp_path: Path) -> None:
    content = pdfs.text_pdf(tmp_path / "a.pdf", [["Soon to be deleted."]]).read_bytes()
    document = server.add("deleted.pdf", content)
    tag = image(server, document["id"]).headers["etag"]
    server.client.delete(f"/v1/documents/{document['id']}")
    path = f"/v1/documents/{document['id']}/pages/1/image"
    is_problem(server.client.get(path, headers={"If-None-Match": tag}), 404, "not_found")

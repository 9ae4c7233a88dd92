"""Documents over REST: the contract's fields, pages, events, original bytes, deletion."""

from __future__ import annotations

import hashlib

import pytest

from ingest import count_tokens
from service.domain import packing
from service.domain.documents import PageText
from tests.support.server import Server, sent_events
from tests.support.shapes import DOCUMENT, LISTING, PAGE, PAGE_TEXT, PROBLEM, fits


def test_upload_is_accepted_and_read(server: Server) -> None:
    content = "Über den Hafen.\nEröffnet 1871.\n".encode()
    response = server.upload("hafen.txt", content)
    assert response.status_code == 202
    fits(response.json(), {**LISTING, "data": [DOCUMENT]})
    sent = response.json()["data"][0]
    assert (sent["sha256"], sent["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    document = server.read(sent["id"])
    fits(document, DOCUMENT)
    assert document["status"] == "ready"
    assert document["ready_at"] >= document["created_at"]
    assert document["progress"]["done"] == document["progress"]["total"] == document["pages"] == 1


def test_named_documents_are_listed_at_once(server: Server) -> None:
    ids = [str(server.add(f"named{n}.txt", f"Named {n}".encode())["id"]) for n in range(3)]
    named = [ids[2], "doc_nobody", ids[0], ids[2]]
    found = server.client.get("/v1/documents", params={"id": named}).json()
    assert [one["id"] for one in found["data"]] == [ids[2], ids[0]]
    assert found["data"][1] == server.client.get(f"/v1/documents/{ids[0]}").json()
    assert server.client.get("/v1/documents", params={"id": ids[:1] * 101}).status_code == 422


def test_same_bytes_are_the_same_document(server: Server) -> None:
    first = server.add("one.txt", b"The same bytes twice.")
    again = server.upload("other-name.txt", b"The same bytes twice.").json()["data"][0]
    assert first["duplicate"] is False
    assert again["duplicate"] is True
    assert (again["id"], again["filename"], again["status"]) == (first["id"], "one.txt", "ready")


def test_pages_hold_what_is_packed(server: Server) -> None:
    text = 'A tag of ours: <page n="9"> and <|endoftext|>.\n\nSecond paragraph.\n'
    document = server.add("tags.md", text.encode())
    listing = server.client.get(f"/v1/documents/{document['id']}/pages").json()
    fits(listing, {"data": [PAGE]})
    assert len(listing["data"]) == document["pages"]
    total = count_tokens(packing.wrapper(1, "tags.md"))
    for page in listing["data"]:
        shown = server.client.get(f"/v1/documents/{document['id']}/pages/{page['number']}").json()
        fits(shown, PAGE_TEXT)
        block = packing.frame(PageText(shown["number"], shown["tokens"], shown["text"], None))
        assert packing.defuse(shown["text"]) == shown["text"]
        assert page["tokens"] == shown["tokens"] == count_tokens(block)
        assert page["chars"] == len(shown["text"])
        total += page["tokens"]
    assert document["tokens"] == total
    assert document["chars"] == sum(page["chars"] for page in listing["data"])


@pytest.mark.parametrize("number", [0, -1, 2, 10**12, 10**30])
def test_page_that_is_not_there(server: Server, harbour: str, number: int) -> None:
    response = server.client.get(f"/v1/documents/{harbour}/pages/{number}")
    assert response.status_code == 404
    fits(response.json(), PROBLEM)


def test_content_is_the_original_bytes(server: Server) -> None:
    content = bytes(range(9, 127)) * 30_000
    document = server.upload('a "quoted"; näme.txt', content).json()["data"][0]
    response = server.client.get(f"/v1/documents/{document['id']}/content")
    assert response.content == content
    assert response.headers["content-disposition"].startswith("attachment;")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "%C3%A4" in response.headers["content-disposition"]


def test_content_that_was_lost(server: Server) -> None:
    document = server.add("lost.txt", b"Lost by the disk.")
    server.context.blobs.delete(document["sha256"])
    response = server.client.get(f"/v1/documents/{document['id']}/content")
    assert response.status_code == 404
    fits(response.json(), PROBLEM)


def test_events_end_with_ready(server: Server) -> None:
    document = server.upload("events.txt", b"Follow me to the end.").json()["data"][0]
    with server.client.stream("GET", f"/v1/documents/{document['id']}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = list(sent_events(response))
    assert events[-1].name == "ready"
    fits([event.data for event in events], [DOCUMENT])


def test_events_end_with_failed(server: Server) -> None:
    document = server.upload("broken.pdf", b"%PDF-1.7\nnothing else").json()["data"][0]
    with server.client.stream("GET", f"/v1/documents/{document['id']}/events") as response:
        events = list(sent_events(response))
    assert events[-1].name == "failed"
    assert events[-1].data["error"]["code"]
    pages = server.client.get(f"/v1/documents/{document['id']}/pages")
    assert (pages.status_code, pages.json()["code"]) == (409, "document_failed")


def test_events_of_a_document_that_goes_end(server: Server) -> None:
    document = server.upload("going.txt", b"word " * 200_000).json()["data"][0]
    with server.client.stream("GET", f"/v1/documents/{document['id']}/events") as response:
        assert server.client.delete(f"/v1/documents/{document['id']}").status_code == 204
        assert all(event.name != "ready" for event in sent_events(response))


def test_failed_document_is_read_again_when_it_comes_again(server: Server) -> None:
    first = server.add("again.pdf", b"%PDF-1.7\nbroken beyond repair")
    assert first["status"] == "failed"
    again = server.upload("again.pdf", b"%PDF-1.7\nbroken beyond repair").json()["data"][0]
    assert (again["id"], again["duplicate"], again["status"]) == (first["id"], True, "queued")
    assert server.read(first["id"])["status"] == "failed"


def test_deleted_document_is_gone(server: Server) -> None:
    document = server.add("gone.txt", b"Soon to be gone.")
    corpus = server.corpus(document["id"])
    assert server.client.delete(f"/v1/documents/{document['id']}").status_code == 204
    for path in ("", "/pages", "/pages/1", "/content", "/events"):
        response = server.client.get(f"/v1/documents/{document['id']}{path}")
        assert response.status_code == 404, path
        fits(response.json(), PROBLEM)
    assert server.client.delete(f"/v1/documents/{document['id']}").status_code == 404
    assert server.client.get(f"/v1/corpora/{corpus}").json()["document_ids"] == []
    fresh = server.add("gone.txt", b"Soon to be gone.")
    assert (fresh["duplicate"], fresh["status"]) == (False, "ready")


def test_lists_go_on_where_they_stopped(server: Server) -> None:
    made = [
        server.upload(f"p{n}.txt", f"Page through {n}".encode()).json()["data"][0]["id"] for n in range(3)
    ]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2", **({"after": cursor} if cursor else {})}
        listing = server.client.get("/v1/documents", params=query).json()
        fits(listing, {**LISTING, "data": [DOCUMENT]})
        assert len(listing["data"]) <= 2
        seen += [document["id"] for document in listing["data"]]
        assert listing["has_more"] is (listing["next"] is not None)
        if not listing["has_more"]:
            break
        cursor = listing["next"]
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in made] == made


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many", "9" * 5000])
def test_limit_is_bounded(server: Server, limit: str) -> None:
    for path in ("documents", "corpora", "answers"):
        response = server.client.get(f"/v1/{path}", params={"limit": limit})
        assert response.status_code == 422
        fits(response.json(), PROBLEM)

"""Archives and mails over REST: what is in them can be looked at, asked and cited like any upload."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.bundles import mail, zipped
from tests.support.server import WAIT_S, Json, Server, sent_events
from tests.support.shapes import DOCUMENT, LISTING, PROBLEM, fits


def files(server: Server, document_id: str) -> list[Json]:
    """The files in a document, each read to its end; those in them too, each after what it lies in."""
    listed = server.client.get(f"/v1/documents/{document_id}/files").json()
    fits(listed, {**LISTING, "data": [{"name": str, "document": DOCUMENT}]})
    found = []
    for one in listed["data"]:
        document = settled(server, one["document"]["id"])
        found.append({**one, "document": document})
        if document["status"] == "ready":
            found += files(server, document["id"])
    return found


def settled(server: Server, document_id: str) -> Json:
    """A document once it is ready or failed."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        document: Json = server.client.get(f"/v1/documents/{document_id}").json()
        if document["status"] in {"ready", "failed"}:
            return document
        time.sleep(0.02)
    raise AssertionError(f"{document_id} is still being read")


def texts(mark: str, *names: str) -> dict[str, bytes]:
    return {name: f"The {mark} file {name} speaks of otters.\n".encode() for name in names}


def test_files_in_an_archive_are_documents(server: Server) -> None:
    content = zipped(texts("first", "one.txt", "dir/zwei ü.txt"))
    archive = settled(server, server.upload("a.zip", content).json()["data"][0]["id"])
    fits(archive, DOCUMENT)
    assert (archive["status"], archive["pages"], archive["tokens"], archive["files"]) == ("ready", 0, 0, 2)
    assert archive["progress"] == {"done": 2, "total": 2, "unit": "file"}
    one, two = files(server, archive["id"])
    assert (one["name"], two["name"]) == ("one.txt", "dir/zwei ü.txt")
    document = two["document"]
    assert (document["filename"], document["parent_ids"]) == ("dir/zwei ü.txt", [archive["id"]])
    page = server.client.get(f"/v1/documents/{document['id']}/pages/1").json()
    assert "speaks of otters" in page["text"]
    whole = server.client.get(f"/v1/documents/{document['id']}/content")
    assert whole.content == texts("first", "dir/zwei ü.txt")["dir/zwei ü.txt"]
    assert whole.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote('zwei ü.txt')}"
    everything = server.client.get("/v1/documents", params={"limit": 1000}).json()["data"]
    assert {archive["id"], document["id"]} <= {one["id"] for one in everything}


def test_the_list_of_files_comes_in_pages(server: Server) -> None:
    names = [f"{n}.txt" for n in range(7)]
    archive = settled(server, server.upload("b.zip", zipped(texts("paged", *names))).json()["data"][0]["id"])
    path = f"/v1/documents/{archive['id']}/files"
    seen: list[str] = []
    more: dict[str, Any] = {"limit": 3}
    while more:
        page = server.client.get(path, params=more).json()
        seen += [one["name"] for one in page["data"]]
        more = {"limit": 3, "after": page["next"]} if page["has_more"] else {}
    assert seen == names
    for wrong in ({"limit": 0}, {"after": "x"}, {"after": 10**30}):
        refused = server.client.get(path, params=wrong)
        assert refused.status_code == 422
        fits(refused.json(), PROBLEM)


def test_the_events_of_an_archive_end_when_all_is_recorded(server: Server) -> None:
    content = zipped(texts("followed", *(f"{n}.txt" for n in range(250))))
    sent = server.upload("many.zip", content).json()["data"][0]
    with server.client.stream("GET", f"/v1/documents/{sent['id']}/events") as stream:
        last = list(sent_events(stream))[-1]
    assert (last.name, last.data["files"]) == ("ready", 250)
    corpus = server.corpus(sent["id"])
    assert server.client.get(f"/v1/corpora/{corpus}").json()["documents"] == 251


def test_a_mail_in_an_archive_in_a_mail_is_asked_and_cited(server: Server) -> None:
    inner = mail("The inner mail.", {"deep.txt": b"The lighthouse was lit in 1854.\n"}, subject="Inner")
    outer = mail("See the attached.", {"all.zip": zipped({"inner.eml": inner})}, subject="Outer")
    corpus = server.corpus()
    sent = server.upload("outer.eml", outer, corpus_id=corpus).json()["data"][0]
    letter = settled(server, sent["id"])
    assert (letter["pages"], letter["files"]) == (1, 1)
    inside = files(server, letter["id"])
    assert [one["name"] for one in inside] == ["all.zip", "inner.eml", "deep.txt"]
    shown = server.client.get(f"/v1/corpora/{corpus}").json()
    assert shown["document_ids"] == [letter["id"], *(one["document"]["id"] for one in inside)]
    answer = server.ask(corpus, question="When was the lighthouse lit?").json()
    assert len(answer["coverage"]["documents_in"]) == 3
    assert server.client.delete(f"/v1/documents/{letter['id']}").status_code == 204
    assert server.client.get(f"/v1/corpora/{corpus}").json()["documents"] == 0
    for one in inside:
        assert server.client.get(f"/v1/documents/{one['document']['id']}").status_code == 404


def test_what_cannot_be_read_inside_is_told(server: Server) -> None:
    content = zipped({**texts("readable", "good.txt"), "setup.exe": b"MZ\x90\0" + bytes(range(256)) * 8})
    archive = settled(server, server.upload("mixed.zip", content).json()["data"][0]["id"])
    good, bad = (one["document"] for one in files(server, archive["id"]))
    assert (good["status"], bad["status"]) == ("ready", "failed")
    corpus = server.corpus(archive["id"])
    plan = server.plans(corpus, question="What of otters?")["whole"]
    assert plan["coverage"]["documents_in"] == [good["id"]]
    (out,) = plan["coverage"]["documents_out"]
    assert (out["document_id"], out["reason"]) == (bad["id"], bad["error"]["detail"])
    assert [one["code"] for one in plan["warnings"]] == ["files_unreadable"]
    answer = server.ask(corpus, question="What of otters?").json()
    assert [one["code"] for one in answer["warnings"]] == ["files_unreadable"]
    gauge = server.client.get(f"/v1/corpora/{corpus}/meter").json()
    assert [one["document_id"] for one in gauge["documents"]] == [good["id"]]


def test_a_broken_archive_fails_by_itself(server: Server) -> None:
    content = zipped(texts("broken", "one.txt", "two.txt"))
    sent = server.upload("cut.zip", content[: len(content) // 2]).json()["data"][0]
    failed = settled(server, sent["id"])
    assert (failed["status"], failed["files"]) == ("failed", 0)
    assert server.client.get(f"/v1/documents/{sent['id']}/files").json()["data"] == []


def test_outline_of_a_document(server: Server, harbour: str) -> None:
    listed = server.client.get(f"/v1/documents/{harbour}/outline")
    assert (listed.status_code, listed.json()["data"]) == (200, [])
    with server.context.db.write() as tx:
        tx.exec_driver_sql(
            "UPDATE documents SET outline = ? WHERE id = ?",
            ('[{"title": "Harbour", "level": 1, "page": null}]', harbour),
        )
    listed = server.client.get(f"/v1/documents/{harbour}/outline")
    assert listed.json()["data"] == [{"title": "Harbour", "level": 1, "page": None}]


@pytest.mark.parametrize("what", ["files", "outline"])
def test_unknown_documents_have_neither(server: Server, what: str) -> None:
    refused = server.client.get(f"/v1/documents/doc_nobody/{what}")
    assert refused.status_code == 404
    fits(refused.json(), PROBLEM)

"""Uploads in parts: any order, as often as needed, across a break, and whole in the end."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from tests.support.server import Server

CREATED, ACCEPTED, OK = httpx.codes.CREATED, httpx.codes.ACCEPTED, httpx.codes.OK


def begin(server: Server, filename: str = "long.txt", corpus_id: str | None = None) -> str:
    made = server.client.post("/v1/uploads", json={"filename": filename, "corpus_id": corpus_id})
    assert made.status_code == CREATED, made.text
    upload_id: str = made.json()["id"]
    assert upload_id.startswith("upl_")
    return upload_id


def put(
    server: Server, upload_id: str, number: int, content: bytes, sha256: str | None = None
) -> httpx.Response:
    digest = sha256 or hashlib.sha256(content).hexdigest()
    return server.client.put(f"/v1/uploads/{upload_id}/parts/{number}?sha256={digest}", content=content)


def parts(seed: str) -> list[bytes]:
    return [f"{seed}: part {number}, line {line}.\n".encode() * 40 for number, line in enumerate((7, 8, 9))]


def test_parts_in_any_order_make_the_file(server: Server) -> None:
    corpus_id = server.client.post("/v1/corpora", json={"name": "in parts"}).json()["id"]
    upload_id = begin(server, corpus_id=corpus_id)
    sent = parts("any order")
    for number in (3, 1, 2):
        reply = put(server, upload_id, number, sent[number - 1])
        assert reply.status_code == OK, reply.text
        assert reply.json() == {
            "number": number,
            "bytes": len(sent[number - 1]),
            "sha256": hashlib.sha256(sent[number - 1]).hexdigest(),
        }
    done = server.client.post(f"/v1/uploads/{upload_id}/complete")
    assert done.status_code == ACCEPTED, done.text
    document = done.json()["data"][0]
    whole = b"".join(sent)
    assert document["sha256"] == hashlib.sha256(whole).hexdigest()
    assert document["filename"] == "long.txt"
    assert server.client.get(f"/v1/documents/{document['id']}/content").content == whole
    assert server.client.get(f"/v1/corpora/{corpus_id}").json()["document_ids"] == [document["id"]]
    again = server.client.post(f"/v1/uploads/{upload_id}/complete").json()["data"][0]
    assert (again["id"], again["duplicate"]) == (document["id"], True)
    found = server.client.get(f"/v1/uploads/{upload_id}").json()
    assert (found["document_id"], found["parts"]) == (document["id"], [])
    assert put(server, upload_id, 4, b"late").status_code == httpx.codes.CONFLICT


def test_a_part_can_be_sent_again_and_replaced(server: Server) -> None:
    upload_id = begin(server)
    sent = parts("replaced")
    for content in (b"not this one", sent[0], sent[0]):
        assert put(server, upload_id, 1, content).status_code == OK
    listed = server.client.get(f"/v1/uploads/{upload_id}").json()["parts"]
    assert [(part["number"], part["bytes"]) for part in listed] == [(1, len(sent[0]))]
    document = server.client.post(f"/v1/uploads/{upload_id}/complete").json()["data"][0]
    assert document["sha256"] == hashlib.sha256(sent[0]).hexdigest()


def test_what_arrived_changed_is_refused(server: Server) -> None:
    upload_id = begin(server)
    reply = put(server, upload_id, 1, b"these bytes", sha256=hashlib.sha256(b"others").hexdigest())
    assert reply.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert "arrived changed" in reply.json()["detail"]
    assert server.client.get(f"/v1/uploads/{upload_id}").json()["parts"] == []


def test_a_gap_is_named(server: Server) -> None:
    upload_id = begin(server)
    nothing = server.client.post(f"/v1/uploads/{upload_id}/complete")
    assert nothing.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    put(server, upload_id, 1, b"one")
    put(server, upload_id, 4, b"four")
    gap = server.client.post(f"/v1/uploads/{upload_id}/complete")
    assert gap.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert "Parts are missing: 2, 3" in gap.json()["detail"]


def test_an_upload_can_be_abandoned(server: Server) -> None:
    upload_id = begin(server)
    put(server, upload_id, 1, b"never mind")
    assert server.client.delete(f"/v1/uploads/{upload_id}").status_code == httpx.codes.NO_CONTENT
    for reply in (
        server.client.get(f"/v1/uploads/{upload_id}"),
        server.client.delete(f"/v1/uploads/{upload_id}"),
        server.client.post(f"/v1/uploads/{upload_id}/complete"),
        put(server, upload_id, 1, b"too late"),
    ):
        assert reply.status_code == httpx.codes.NOT_FOUND
        assert reply.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("parts/0?sha256=" + "0" * 64, 422),
        ("parts/10001?sha256=" + "0" * 64, 422),
        ("parts/1?sha256=xyz", 422),
        ("parts/1", 422),
        ("parts/one?sha256=" + "0" * 64, 422),
    ],
)
def test_parts_out_of_form_are_refused(server: Server, path: str, status: int) -> None:
    upload_id = begin(server)
    assert server.client.put(f"/v1/uploads/{upload_id}/{path}", content=b"x").status_code == status


def test_an_unknown_corpus_is_refused_before_anything_is_sent(server: Server) -> None:
    made = server.client.post("/v1/uploads", json={"filename": "a.txt", "corpus_id": "cor_none"})
    assert made.status_code == httpx.codes.NOT_FOUND

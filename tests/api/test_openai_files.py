"""Files through OpenAI's own client: upload, look, ask over them, delete."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types import FileObject
from openai.types.chat import ChatCompletionMessageParam

from tests.support.face import FILE, Watch, check, watched
from tests.support.server import Server
from tests.support.shapes import fits
from tests.support.upstream import Upstream

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "When was the mill built?"}]


@pytest.fixture
def face(server: Server, upstream: Upstream) -> Iterator[tuple[OpenAI, Watch]]:
    del upstream
    with watched(server.port) as (client, watch):
        yield client, watch
    assert watch.violations == []


@pytest.fixture
def client(face: tuple[OpenAI, Watch]) -> OpenAI:
    return face[0]


def added(client: OpenAI, name: str, text: str) -> FileObject:
    """Upload a text and wait until it can be asked."""
    sent = client.files.create(file=(name, text.encode()), purpose="user_data")
    return client.files.wait_for_processing(sent.id, poll_interval=0.03)


def test_a_file_goes_round(client: OpenAI, server: Server) -> None:
    sent = client.files.create(file=("mill.txt", b"The mill was built in 1802."), purpose="assistants")
    fits(sent.model_dump(), FILE)
    assert (sent.filename, sent.bytes, sent.purpose) == ("mill.txt", 27, "user_data")
    ready = client.files.wait_for_processing(sent.id, poll_interval=0.03)
    assert (ready.id, ready.status) == (sent.id, "processed")
    assert client.files.content(sent.id).read() == b"The mill was built in 1802."
    document_id = (ready.model_extra or {})["unabridged"]["document_id"]
    assert server.client.get(f"/v1/documents/{document_id}").json()["filename"] == "mill.txt"
    assert client.files.retrieve(document_id).id == sent.id
    again = client.files.create(file=("other.txt", b"The mill was built in 1802."), purpose="user_data")
    assert again.id == sent.id
    assert client.files.delete(sent.id).deleted
    with pytest.raises(openai.NotFoundError) as error:
        client.files.retrieve(sent.id)
    assert error.value.code == "not_found"
    for method, path in (("GET", sent.id), ("DELETE", sent.id), ("GET", f"{sent.id}/content")):
        gone = server.client.request(method, f"/v1/files/{path}")
        assert gone.status_code == 404
        check(gone.json(), "ErrorResponse")


def test_a_file_that_cannot_be_read(client: OpenAI) -> None:
    sent = client.files.create(file=("broken.pdf", b"%PDF-1.7\nnothing follows"), purpose="user_data")
    failed = client.files.wait_for_processing(sent.id, poll_interval=0.03)
    assert failed.status == "error"
    assert failed.status_details
    with pytest.raises(openai.ConflictError) as error:
        client.chat.completions.create(model="gpt-5.5", messages=QUESTION, extra_body={"file_ids": [sent.id]})
    assert error.value.code == "document_failed"


def test_files_are_listed_newest_first(client: OpenAI, server: Server) -> None:
    sent = [added(client, f"listed{n}.txt", f"List entry {n}.").id for n in range(3)]
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("enclosed.txt", "Inside an archive.")
    server.add("bundle.zip", inside.getvalue())
    page = client.files.list(limit=2)
    assert [one.filename for one in page.data] == ["bundle.zip", "listed2.txt"]
    everything = [one.id for one in page]
    assert [one for one in everything if one in sent] == sent[::-1]
    assert len(set(everything)) == len(everything)
    assert "enclosed.txt" not in {one.filename for one in client.files.list()}
    oldest = [one.id for one in client.files.list(order="asc", limit=2)]
    assert oldest == everything[::-1]
    assert [one.id for one in client.files.list(purpose="user_data")] == everything
    assert list(client.files.list(purpose="batch")) == []


def test_asked_over_files(client: OpenAI, server: Server, upstream: Upstream) -> None:
    mill = added(client, "mill.txt", "The mill was built in 1803.")
    barn = added(client, "barn.txt", "The barn was built in 1921.")
    asked: dict[str, Any] = {"model": "gpt-5.5", "messages": QUESTION}
    orders = [[mill.id, barn.id], [barn.id, mill.id], [barn.id, mill.id, barn.id]]
    done = [client.chat.completions.create(**asked, extra_body={"file_ids": ids}) for ids in orders]
    assert '"The mill was built in 1803."' in (done[0].choices[0].message.content or "")
    corpora = {(one.model_extra or {})["unabridged"]["corpus_id"] for one in done}
    assert len(corpora) == 1
    prompts = [request.body["messages"][:-1] for request in upstream.requests]
    assert prompts[0] == prompts[1] == prompts[2], "the same files are the same prefix"
    alone = client.chat.completions.create(**asked, extra_body={"file_ids": [barn.id]})
    assert "1803" not in (alone.choices[0].message.content or "")
    (corpus,) = corpora
    held = server.client.get(f"/v1/corpora/{corpus}").json()
    assert len(held["document_ids"]) == 2


def test_questions_at_the_same_time_share_a_corpus(client: OpenAI, upstream: Upstream) -> None:
    files = [added(client, f"part{n}.txt", f"Part {n} was built in 182{n}.").id for n in range(3)]

    def ask(_: int) -> str:
        done = client.chat.completions.create(
            model="gpt-5.5", messages=QUESTION, extra_body={"file_ids": files}
        )
        more = (done.model_extra or {})["unabridged"]
        assert more["coverage"]["documents_in"] == 3
        return str(more["corpus_id"])

    with ThreadPoolExecutor(6) as several:
        assert len(set(several.map(ask, range(6)))) == 1
    assert len(upstream.requests) == 6


def test_files_named_in_a_message(client: OpenAI, upstream: Upstream) -> None:
    mill = added(client, "mill.txt", "The mill was built in 1804.")
    done = client.chat.completions.create(
        model="gpt-5.5",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"file_id": mill.id}},
                    {"type": "text", "text": "When was the mill built?"},
                ],
            }
        ],
    )
    assert "1804" in (done.choices[0].message.content or "")
    assert len(upstream.requests) == 1


def test_files_within_a_corpus(client: OpenAI, server: Server, upstream: Upstream) -> None:
    mill = added(client, "mill.txt", "The mill was built in 1805.")
    barn = added(client, "barn.txt", "The barn was built in 1922.")
    corpus = server.corpus(*((one.model_extra or {})["unabridged"]["document_id"] for one in (mill, barn)))
    done = client.chat.completions.create(
        model=f"gpt-5.5@{corpus}", messages=QUESTION, extra_body={"file_ids": [barn.id]}
    )
    more = (done.model_extra or {})["unabridged"]
    assert (more["corpus_id"], more["coverage"]["documents_in"]) == (corpus, 1)
    assert "1805" not in str(upstream.requests[0].body)


def test_a_corpus_of_files_is_put_right_again(client: OpenAI, server: Server, harbour: str) -> None:
    mill = added(client, "mill.txt", "The mill was built in 1806.")
    asked: dict[str, Any] = {
        "model": "gpt-5.5",
        "messages": QUESTION,
        "extra_body": {"file_ids": [mill.id]},
    }
    corpus = (client.chat.completions.create(**asked).model_extra or {})["unabridged"]["corpus_id"]
    server.client.put(f"/v1/corpora/{corpus}/documents/{harbour}")
    more = (client.chat.completions.create(**asked).model_extra or {})["unabridged"]
    assert (more["corpus_id"], more["coverage"]["documents_in"]) == (corpus, 1)


def test_unknown_files_leave_no_corpus_behind(client: OpenAI, server: Server, harbour: str) -> None:
    before = len(server.client.get("/v1/corpora", params={"limit": 1000}).json()["data"])
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(
            model="gpt-5.5", messages=QUESTION, extra_body={"file_ids": [harbour, "file-0"]}
        )
    assert len(server.client.get("/v1/corpora", params={"limit": 1000}).json()["data"]) == before


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([("purpose", (None, "user_data"))], "file"),
        ([("file", ("kept.txt", b"refused 1"))], "purpose"),
        ([("file", ("kept.txt", b"refused 2")), ("purpose", (None, "fine-tune"))], "purpose"),
        ([("purpose", (None, "batch")), ("file", ("kept.txt", b"refused 3"))], "purpose"),
        ([("file", ("kept.txt", b"refused 4")), ("file", ("kept.txt", b"refused 5"))], "file"),
        ([("upload", ("kept.txt", b"refused 6"))], "upload"),
        ([("file", ("kept.txt", b"x")), ("expires_after[seconds]", (None, "9"))], "expires_after[seconds]"),
    ],
    ids=["no file", "no purpose", "purpose last", "purpose first", "two files", "other name", "expiry"],
)
def test_forms_that_do_not_fit_leave_nothing_behind(
    server: Server, parts: list[tuple[str, Any]], param: str
) -> None:
    response = server.client.post("/v1/files", files=parts)
    check(response.json(), "ErrorResponse")
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    listed = server.client.get("/v1/files").json()["data"]
    assert "kept.txt" not in {one["filename"] for one in listed}


def test_a_file_that_was_there_before_survives_a_refused_form(client: OpenAI, server: Server) -> None:
    mill = added(client, "mill.txt", "The mill was built in 1807.")
    parts: list[tuple[str, Any]] = [
        ("file", ("mill.txt", b"The mill was built in 1807.")),
        ("purpose", (None, "batch")),
    ]
    assert server.client.post("/v1/files", files=parts).status_code == 400
    assert client.files.retrieve(mill.id).status == "processed"


def test_a_body_that_is_no_form(server: Server) -> None:
    response = server.client.post("/v1/files", content=b"text")
    check(response.json(), "ErrorResponse")
    assert (response.status_code, response.json()["error"]["param"]) == (400, "file")
    cut = server.client.post(
        "/v1/files", content=b"--x\r\n", headers={"content-type": "multipart/form-data; boundary=x"}
    )
    check(cut.json(), "ErrorResponse")
    assert cut.status_code == 422

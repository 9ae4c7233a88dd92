"""Uploads as they come: raw, multipart, broken, hostile."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.store.blobs import Blobs
from tests.api.conftest import MAX_UPLOAD_BYTES
from tests.support.server import Server
from tests.support.shapes import DOCUMENT, PROBLEM, fits

BOUNDARY = "frontier"


def form(*parts: tuple[str, bytes]) -> bytes:
    """A multipart body of parts: the disposition's parameters, the content."""
    blocks = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode() + head.encode() + b"\r\n\r\n" + content
        for head, content in parts
    ]
    return b"\r\n".join(blocks) + f"\r\n--{BOUNDARY}--\r\n".encode()


def send(server: Server, body: bytes, kind: str = f"multipart/form-data; boundary={BOUNDARY}") -> Any:  # noqa: ANN401
    return server.client.post("/v1/documents", content=body, headers={"content-type": kind})


def left_over(server: Server) -> list[Path]:
    """Files of uploads that never became documents."""
    blobs: Blobs = server.context.blobs
    folder = blobs._folder  # noqa: SLF001 - what must not be there cannot be asked for
    assert folder is not None
    return list((folder / "uploads").glob("*"))


def test_several_files_in_one_form(server: Server) -> None:
    body = form(
        ('name="file"; filename="a.txt"', b"File a"), ('name="file"; filename="b.txt"', b"File b\r\n--")
    )
    response = send(server, body)
    assert response.status_code == 202
    fits(response.json()["data"], [DOCUMENT])
    assert [one["filename"] for one in response.json()["data"]] == ["a.txt", "b.txt"]
    contents = [
        server.client.get(f"/v1/documents/{one['id']}/content").content for one in response.json()["data"]
    ]
    assert contents == [b"File a", b"File b\r\n--"]


def test_client_library_form(server: Server) -> None:
    files = [("file", ("c.txt", b"File c")), ("file", ("d.txt", b"File d"))]
    response = server.client.post("/v1/documents", files=files, data={"note": "not needed"})
    assert [one["filename"] for one in response.json()["data"]] == ["c.txt", "d.txt"]


@pytest.mark.parametrize("place", ["query", "before", "after"])
def test_upload_into_a_corpus(server: Server, place: str) -> None:
    corpus = server.corpus()
    field = ('name="corpus_id"', corpus.encode())
    file = ('name="file"; filename="in.txt"', f"Into a corpus by {place}".encode())
    if place == "query":
        response = server.upload("in.txt", file[1], corpus_id=corpus)
    else:
        response = send(server, form(field, file) if place == "before" else form(file, field))
    assert response.status_code == 202
    held = server.client.get(f"/v1/corpora/{corpus}").json()["document_ids"]
    assert held == [response.json()["data"][0]["id"]]


@pytest.mark.parametrize("place", ["query", "before", "after"])
def test_unknown_corpus(server: Server, place: str) -> None:
    field = ('name="corpus_id"', b"cor_nowhere")
    file = ('name="file"; filename="x.txt"', b"Into nowhere")
    if place == "query":
        response = server.upload("x.txt", file[1], corpus_id="cor_nowhere")
    else:
        response = send(server, form(field, file) if place == "before" else form(file, field))
    assert response.status_code == 404
    fits(response.json(), PROBLEM)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/absolute/path.txt", "path.txt"),
        ('quo"te;d.txt', 'quo"te;d.txt'),
        ("line\r\nbreak\x07\x1b[31m.txt", "linebreak[31m.txt"),
        ("\u202egnp.exe\u202c.txt", "gnp.exe.txt"),
        ("..", None),
        ("  ", "unnamed"),
        ("报告.txt", "报告.txt"),
        ("x" * 5_000 + ".txt", "x" * 251 + ".txt"),
    ],
)
def test_hostile_names_become_harmless(server: Server, said: str, kept: str | None) -> None:
    document = server.upload(said, f"Named {said}".encode()).json()["data"][0]
    name = document["filename"]
    assert name.isprintable()
    assert not set(name) & set("/\\")
    assert 0 < len(name) <= 255
    assert kept is None or name == kept
    response = server.client.get(f"/v1/documents/{document['id']}/content")
    assert response.content == f"Named {said}".encode()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('filename="../../up.txt"', "up.txt"),
        ('filename="C:\\\\fakepath\\\\up.txt"', "up.txt"),
        ("filename=plain.txt", "plain.txt"),
        ('filename="with \\"quotes\\".txt"', 'with "quotes".txt'),
        ('filename="報告.txt"', "報告.txt"),
        ("filename*=UTF-8''%E5%A0%B1.txt", "報.txt"),
        ("filename=\"a.txt\"; filename*=UTF-8''b.txt", None),
        ("filename*=UTF-8''%FF%FE.txt", None),
        ("filename*=x", None),
        ('filename="nul\x00.txt"', None),
        ('filename=""', "unnamed"),
    ],
)
def test_names_in_forms(server: Server, said: str, kept: str | None) -> None:
    response = send(server, form((f'name="file"; {said}', f"Form {said}".encode())))
    assert response.status_code in {202, 422}
    if response.status_code == 202:
        name = response.json()["data"][0]["filename"]
        assert kept is None or name == kept
    else:
        assert kept is None
        fits(response.json(), PROBLEM)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not multipart at all",
        form(('name="file"; filename="cut.txt"', b"Cut off"))[:-9],
        form(('name="file"; filename="cut.txt"', b"Cut off"))[:60],
        f"--{BOUNDARY}--\r\n".encode(),
        form(('name="note"', b"a form without a file")),
        form(('name="corpus_id"', b"x" * 20_000), ('name="file"; filename="e.txt"', b"e")),
        f"--{BOUNDARY}\r\n{'H' * 20_000}: x\r\n\r\n\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\n\x00: \xff\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode("latin-1"),
    ],
)
def test_malformed_forms_are_refused(server: Server, body: bytes) -> None:
    response = send(server, body)
    assert response.status_code == 422
    fits(response.json(), PROBLEM)
    assert left_over(server) == []


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=other",
        'multipart/form-data; boundary="',
        "multipart/form-data; boundary*=utf-8''%FF",
        "multipart/form-data; boundary=" + "b" * 5_000,
        "multipart/form-data; boundary=\xe4",
        "multipart/;;;",
        'multipart/form-data; boundary="a\\"b"; =; ;',
    ],
)
def test_boundary_missing_or_wrong(server: Server, kind: str) -> None:
    body = form(('name="file"; filename="a.txt"', b"A file"))
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        connection.request("POST", "/v1/documents", body, {"content-type": kind})
        response = connection.getresponse()
        content = json.loads(response.read())
    assert response.status == 422
    fits(content, PROBLEM)


def test_raw_body_without_a_name(server: Server) -> None:
    response = server.client.post("/v1/documents", content=b"nameless")
    assert response.status_code == 422
    fits(response.json(), PROBLEM)


def test_empty_file_fails_with_a_reason(server: Server) -> None:
    document = server.add("empty.txt", b"")
    assert (document["status"], document["bytes"]) == ("failed", 0)
    fits(document["error"], {"code": str, "detail": str})


def test_too_large_is_refused_and_not_kept(server: Server) -> None:
    response = server.upload("large.bin", b"x" * (MAX_UPLOAD_BYTES + 1))
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    fits(response.json(), PROBLEM)
    again = send(server, form(('name="file"; filename="large.bin"', b"x" * (MAX_UPLOAD_BYTES + 1))))
    assert again.status_code == 413
    assert left_over(server) == []


@pytest.mark.parametrize("kind", ["text/plain", f"multipart/form-data; boundary={BOUNDARY}"])
def test_broken_off_upload_leaves_nothing(server: Server, kind: str) -> None:
    before = server.client.get("/v1/documents", params={"limit": "1000"}).json()["data"]
    start = form(('name="file"; filename="off.txt"', b"broken off" * 10_000))[:50_000]
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        head = (
            f"POST /v1/documents?filename=off.txt HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
            "Content-Length: 1000000\r\n\r\n"
        )
        raw.sendall(head.encode() + start)
        time.sleep(0.2)
    deadline = time.monotonic() + 5
    while left_over(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left_over(server) == []
    after = server.client.get("/v1/documents", params={"limit": "1000"}).json()["data"]
    assert [one["id"] for one in after] == [one["id"] for one in before]

"""The service is killed without warning in the middle of things; after a restart nothing is lost or stuck."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.store.blobs import Blobs
from tests.support import upstream as acts
from tests.support.bundles import zipped
from tests.support.process import ServiceProcess
from tests.support.upstream import Upstream

WAIT_SECONDS = 60.0


def until(check: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the check finds
    """Return what the check finds as soon as it finds something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it never came about")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def service(tmp_path: Path, upstream: Upstream) -> ServiceProcess:
    return ServiceProcess(tmp_path / "data", provider_url=upstream.url, provider_key=upstream.key)


def upload(url: str, name: str, content: bytes, corpus_id: str | None = None) -> dict[str, Any]:
    target = f"{url}/v1/documents?filename={name}" + (f"&corpus_id={corpus_id}" if corpus_id else "")
    reply = httpx.post(target, content=content, timeout=30)
    assert reply.status_code == httpx.codes.ACCEPTED, reply.text
    document: dict[str, Any] = reply.json()["data"][0]
    return document


def document(url: str, document_id: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{url}/v1/documents/{document_id}").json()
    return found


def ready(url: str, document_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = document(url, document_id)
        return found if found["status"] in {"ready", "failed"} else None

    found: dict[str, Any] = until(look)
    assert found["status"] == "ready", found
    return found


def corpus(url: str, *contents: bytes) -> str:
    made = httpx.post(f"{url}/v1/corpora", json={"name": "killed"}).json()
    for number, content in enumerate(contents):
        ready(url, upload(url, f"{number}.txt", content, made["id"])["id"])
    corpus_id: str = made["id"]
    return corpus_id


def rows(tmp_path: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(tmp_path / "data" / "unabridged.db") as database:
        return database.execute(query).fetchall()


def test_kill_in_the_middle_of_an_upload(tmp_path: Path, upstream: Upstream) -> None:
    server = service(tmp_path, upstream)
    with server:
        kept = upload(server.url, "kept.txt", b"What was there before stays.\n")
        ready(server.url, kept["id"])
        begun = threading.Event()

        def slowly() -> Iterator[bytes]:
            for number in range(1000):
                yield b"x" * 65536 + b"\n"
                if number == 20:
                    begun.set()
                    time.sleep(20)

        def send() -> None:
            with pytest.raises(httpx.TransportError):
                httpx.post(f"{server.url}/v1/documents?filename=cut.txt", content=slowly(), timeout=60)

        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        assert begun.wait(20)
        server.kill()
        server.start()
        listed = httpx.get(f"{server.url}/v1/documents").json()["data"]
        assert [one["id"] for one in listed] == [kept["id"]]
        assert document(server.url, kept["id"])["status"] == "ready"
        content = httpx.get(f"{server.url}/v1/documents/{kept['id']}/content").content
        assert content == b"What was there before stays.\n"
        again = upload(server.url, "cut.txt", b"The second attempt is whole.\n")
        assert ready(server.url, again["id"])["duplicate"] is False


def test_kill_in_the_middle_of_a_reading(tmp_path: Path, upstream: Upstream) -> None:
    text = "".join(
        f"Line {number} of a long report about nothing in particular.\n" for number in range(200_000)
    )
    server = service(tmp_path, upstream)
    with server:
        many = [upload(server.url, f"{n}.txt", f"Number {n}.\n{text}".encode()) for n in range(3)]

        def under_way() -> bool:
            seen = [document(server.url, one["id"]) for one in many]
            return any(one["status"] == "processing" and one["progress"]["done"] > 0 for one in seen)

        until(under_way)
        server.kill()
        server.start()
        for one in many:
            found = ready(server.url, one["id"])
            pages = httpx.get(f"{server.url}/v1/documents/{one['id']}/pages").json()["data"]
            assert [page["number"] for page in pages] == list(range(1, found["pages"] + 1))
            assert found["tokens"] > sum(page["tokens"] for page in pages) > 600_000
        assert rows(tmp_path, "SELECT count(*) FROM pages") == rows(
            tmp_path, "SELECT count(*) FROM page_texts"
        )


def test_kill_in_the_middle_of_an_answer(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script.append(acts.slow(0.1, 0.3))
    server = service(tmp_path, upstream)
    with server:
        corpus_id = corpus(server.url, b"The quick brown fox jumps over the lazy dog near the river.\n")
        asked = httpx.post(
            f"{server.url}/v1/corpora/{corpus_id}/answers",
            json={"question": "What jumps?", "wait": False},
        )
        assert asked.status_code == httpx.codes.ACCEPTED
        path = f"{server.url}/v1/answers/{asked.json()['id']}"
        until(lambda: rows(tmp_path, "SELECT 1 FROM answer_events WHERE name = 'delta'"))
        server.kill()
        server.start()

        def ended() -> dict[str, Any] | None:
            answer: dict[str, Any] = httpx.get(path).json()
            return answer if answer["status"] not in {"queued", "running"} else None

        answer = until(ended)
        assert answer["status"] == "in_doubt"
        assert answer["error"]["code"] == "in_doubt"
        assert answer["text"], "what had been shown stays"
        assert len(upstream.requests) == 1, "a call that may have been billed is never repeated"
        held = rows(tmp_path, "SELECT state, micros FROM reservations")
        assert held[0][0] == "held"
        assert held[0][1] > 0
        stream = httpx.get(f"{path}/events").text
        assert stream.count("event: error") == 1, "whoever follows it learns the end"
        later = httpx.post(
            f"{server.url}/v1/corpora/{corpus_id}/answers", json={"question": "And now?"}, timeout=30
        ).json()
        assert later["status"] == "done", "the service goes on"


def test_kill_between_acceptance_and_sending(tmp_path: Path, upstream: Upstream) -> None:
    """Killed as early as can be: whatever the moment was, at most one request, and an end."""
    server = service(tmp_path, upstream)
    with server:
        corpus_id = corpus(server.url, b"A corpus of one line, to be asked and cut short.\n")
        ids = []
        for n in range(4):
            asked = httpx.post(
                f"{server.url}/v1/corpora/{corpus_id}/answers",
                json={"question": f"Question {n}?", "wait": False},
            )
            ids.append(asked.json()["id"])
            time.sleep(0.01 * n)
            server.kill()
            server.start()

        def ended() -> list[dict[str, Any]] | None:
            found = [httpx.get(f"{server.url}/v1/answers/{one}").json() for one in ids]
            return None if any(one["status"] in {"queued", "running"} for one in found) else found

        found = until(ended)
        assert {one["status"] for one in found} <= {"done", "in_doubt"}
        questions = [str(request.body["messages"][-1]["content"]) for request in upstream.requests]
        for n, one in enumerate(found):
            sent = sum(f"Question {n}?" in question for question in questions)
            assert sent <= 1
            if one["status"] == "done":
                assert sent == 1


def test_stop_lets_a_running_answer_end(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script.append(acts.slow(0.1, 0.05))
    server = service(tmp_path, upstream)
    with server:
        corpus_id = corpus(server.url, b"Stopping is not killing: what runs may end.\n")
        httpx.post(
            f"{server.url}/v1/corpora/{corpus_id}/answers", json={"question": "May it?", "wait": False}
        )
        until(lambda: upstream.requests)
        server.stop()
        assert rows(tmp_path, "SELECT status FROM answers") == [("done",)]
        assert rows(tmp_path, "SELECT state FROM reservations") == [("settled",)]


def test_kill_while_an_archive_is_unpacked(tmp_path: Path, upstream: Upstream) -> None:
    """Killed twice: in the end each member is there once, and files and rows agree."""
    members = {f"dir/{n}.txt": f"Member {n} of a large archive.\n".encode() for n in range(300)}
    server = service(tmp_path, upstream)
    with server:
        corpus_id = corpus(server.url)
        archive = upload(server.url, "large.zip", zipped(members), corpus_id)

        for recorded in (1, 150):

            def under_way(so_far: int = recorded) -> bool:
                found = document(server.url, archive["id"])
                return found["files"] >= so_far or found["status"] in {"ready", "failed"}

            until(under_way)
            server.kill()
            server.start()
        assert ready(server.url, archive["id"])["progress"]["done"] == len(members)
        until(
            lambda: rows(
                tmp_path,
                "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM documents WHERE status IN "
                "('queued', 'processing'))",
            )
        )
        found = rows(
            tmp_path,
            "SELECT e.name, d.status FROM enclosures e JOIN documents d "
            "ON d.id = e.document_id ORDER BY e.ordinal",
        )
        assert found == [(name, "ready") for name in members]
        assert rows(tmp_path, "SELECT count(*) FROM documents") == [(len(members) + 1,)]
        in_it = rows(
            tmp_path,
            "SELECT d.filename FROM members m JOIN documents d ON d.id = m.document_id ORDER BY m.ordinal",
        )
        assert in_it == [("large.zip",), *((name,) for name in members)]
        stored = [path for path in (tmp_path / "data").rglob("*") if {"sha256", "uploads"} & set(path.parts)]
        files = [path for path in stored if path.is_file()]
        hashes = rows(tmp_path, "SELECT sha256 FROM documents ORDER BY sha256")
        assert sorted(path.name for path in files) == [sha256 for (sha256,) in hashes]
        Blobs((tmp_path / "data" / "files").as_uri()).sweep(now=time.time() + 25 * 3600)
        assert {path.stat().st_nlink for path in files} == {1}, "what killed readings held goes in a day"

"""The real service on loopback: uvicorn in a thread, a store of its own, a client that speaks the contract.

    with Upstream() as upstream, serving(settings_in(folder, upstream)) as server:
        document = server.add("report.txt", b"The harbour opened in 1871.")
        corpus = server.corpus(document["id"])

The job system is a singleton of its process: one server at a time.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.domain.answers import Call
from service.domain.documents import Document, DocumentStatus, PageCount, Progress
from service.domain.pricing import from_micros
from service.server import KEPT_ALIVE_S
from service.settings import Settings
from service.store import answers, documents, ledger
from service.store.ledger import Entry, StoredBudget
from service.usecases.context import LOCAL, Context, new_id
from tests.support.upstream import Upstream

WAIT_S = 60.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SentEvent:
    """One server-sent event; `id` is None where it has none."""

    id: int | None
    name: str
    data: Json


def settings_in(folder: Path, upstream: Upstream | None = None, **more: Any) -> Settings:  # noqa: ANN401 - any setting
    """Settings of an installation in that folder, whatever the environment says; offline by default."""
    provider: Json = {"provider": "offline"}
    if upstream is not None:
        provider = {"provider": "openai", "provider_url": upstream.url, "provider_key": upstream.key}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [n for n in os.environ if n.startswith(("UNABRIDGED_", "OPENAI_"))]:
            patch.delenv(name)
        return Settings(**{"data": folder / "data", "extractors": 1, **provider, **more})


@contextmanager
def serving(settings: Settings, *, exposed: bool = False) -> Iterator[Server]:
    """Serve until the block ends; on loopback in any case."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(settings, exposed=exposed)
    config = uvicorn.Config(
        app, access_log=False, log_config=None, log_level="error", timeout_keep_alive=KEPT_ALIVE_S
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive(), "the service did not start"
            time.sleep(0.005)
        port = listening.getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S, trust_env=False) as client:
            yield Server(client=client, app=app, port=port)
    finally:
        running.should_exit = True
        thread.join(timeout=30)
        listening.close()
        assert not thread.is_alive(), "the service did not stop"


@dataclass(frozen=True, slots=True)
class Server:
    """A running service, with the short ways that its tests go."""

    client: httpx.Client
    app: FastAPI
    port: int

    @property
    def context(self) -> Context:
        """What the service's use cases work with."""
        context: Context = self.app.state.context
        return context

    @contextmanager
    def calling_with(self, secret: str) -> Iterator[Server]:
        """Let the same service be called with a key."""
        headers = {"Authorization": f"Bearer {secret}"}
        url = self.client.base_url
        with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False, headers=headers) as client:
            yield replace(self, client=client)

    @contextmanager
    def later(self, by: timedelta) -> Iterator[None]:
        """Let the service's requests come so much later."""
        usual = self.context
        self.app.state.context = replace(usual, now=lambda: usual.now() + by)
        try:
            yield
        finally:
            self.app.state.context = usual

    def upload(self, filename: str, content: bytes, **query: str) -> httpx.Response:
        """Send one file as a raw body."""
        return self.client.post("/v1/documents", params={"filename": filename, **query}, content=content)

    def add(self, filename: str, content: bytes, **query: str) -> Json:
        """Upload a file and return its document once it is read (or could not be)."""
        response = self.upload(filename, content, **query)
        assert response.status_code == 202, response.text
        return self.read(response.json()["data"][0]["id"])

    def read(self, document_id: str) -> Json:
        """Return a document once it is ready or failed."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            document: Json = self.client.get(f"/v1/documents/{document_id}").json()
            if document["status"] in {"ready", "failed"}:
                return document
            time.sleep(0.03)
        raise AssertionError(f"{document_id} is still {document['status']}")

    def corpus(self, *document_ids: str, name: str = "Tests") -> str:
        """Make a corpus; return its id."""
        made = self.client.post("/v1/corpora", json={"name": name, "document_ids": list(document_ids)})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def plans(self, corpus_id: str, **body: Any) -> dict[str, Json]:  # noqa: ANN401 - any JSON value
        """Return the plans for a question, by strategy."""
        response = self.client.post(f"/v1/corpora/{corpus_id}/plans", json=body)
        assert response.status_code == 201, response.text
        return {plan["strategy"]: plan for plan in response.json()["data"]}

    def ask(
        self,
        corpus_id: str,
        *,
        headers: Mapping[str, str] | None = None,
        **body: Any,  # noqa: ANN401 - any JSON value
    ) -> httpx.Response:
        """Ask, and return the response whatever it is."""
        return self.client.post(f"/v1/corpora/{corpus_id}/answers", json=body, headers=headers)

    def finished(self, answer_id: str) -> Json:
        """Return an answer once it has ended."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            answer: Json = self.client.get(f"/v1/answers/{answer_id}").json()
            if answer["status"] not in {"queued", "running"}:
                return answer
            time.sleep(0.03)
        raise AssertionError(f"{answer_id} is still {answer['status']}")

    def events(self, answer_id: str, after: int | None = None) -> list[SentEvent]:
        """Follow an answer's events to their end."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with self.client.stream("GET", f"/v1/answers/{answer_id}/events", headers=headers) as response:
            assert response.status_code == 200
            return list(sent_events(response))

    def calls(self, answer_id: str) -> list[Call]:
        """Return an answer's calls as they are stored."""
        with self.context.db.read() as tx:
            return answers.calls_of(tx, answer_id)

    def entries(self, answer_id: str) -> dict[str, list[Entry]]:
        """Return the ledger's lines of an answer, by call."""
        found: dict[str, list[Entry]] = {}
        with self.context.db.read() as tx:
            for entry in ledger.entries(tx, LOCAL):
                if entry.call_id.startswith(f"{answer_id}."):
                    found.setdefault(entry.call_id, []).append(entry)
        return found

    def limit(self, scope: str, cap_micros: int) -> None:
        """Set a budget in all, in micro-dollars."""
        body = {"limit_usd": str(from_micros(cap_micros)), "period": "total"}
        response = self.client.put(f"/v1/budgets/{scope}", json=body)
        assert response.status_code == 200, response.text

    def held(self, answer_id: str) -> dict[str, bool]:
        """Return of each of an answer's calls whether its money is still held: reserved and not released."""
        lines = self.entries(answer_id)
        return {call: [line.kind for line in of_call] == ["reserve"] for call, of_call in lines.items()}

    def budget(self, scope: str) -> StoredBudget:
        """Return a budget as it stands."""
        with self.context.db.read() as tx:
            (budget,) = ledger.budgets_of(tx, LOCAL, [scope])
        return budget


def stored(context: Context, *, pages: int, tokens: int) -> str:
    """The id of a ready document of so many pages, each a few words that are booked as so many tokens."""
    document = Document(
        id=new_id("doc"),
        tenant=LOCAL,
        sha256=f"{pages:032x}{tokens:032x}",
        filename=f"{pages}x{tokens}.txt",
        media_type="text/plain",
        bytes=1,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=datetime.now(UTC),
    )
    texts = [f"This is page {n} of {pages}." for n in range(1, pages + 1)]
    batch = [(PageCount(n, tokens=tokens, chars=len(text)), text) for n, text in enumerate(texts, 1)]
    with context.db.write() as tx:
        documents.add(tx, document)
        documents.add_pages(tx, document.id, batch)
        documents.finish(
            tx,
            document.id,
            pack_sha256=document.sha256,
            encoding="o200k_base",
            title=None,
            warnings=[],
            at=document.created_at,
        )
    return document.id


def sent_events(response: httpx.Response) -> Iterator[SentEvent]:
    """Read server-sent events as a client does; comments are passed over."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            number = int(fields["id"]) if "id" in fields else None
            yield SentEvent(number, fields["event"], json.loads(fields["data"]))
            fields = {}

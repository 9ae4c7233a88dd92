"""What tests of the page start from: documents that are read, and answers to look at."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request

from tests.support import pdfs
from tests.support.upstream import Act, Upstream

WAIT_S = 60.0
Json = dict[str, Any]

OPENED = "The harbour opened in 1871 after nine years of work."
CLOSED = "It was closed to large vessels in the autumn of 1912."
PAGES = ([OPENED, "Its first master was Anna Lind."], ["The customs house stands on the north quay.", CLOSED])
ALTERED = OPENED.replace("nine", "seven")
INVENTED = "The mayor swam across the basin every single morning."

SAID = f"""## What the books say

The first date is certain: "{OPENED}" [D1 p.1]. It is also told otherwise: "{ALTERED}" [D1 p.1].

| Event | Words |
|---|---|
| closing | "{CLOSED}" [D1 p.1] |

1. Nobody wrote **this**: "{INVENTED}" [D1 p.2].
2. The notes agree: "{OPENED}" [D2 p.1].
"""
"""An answer with every verdict: exact, altered, elsewhere, missing, exact in a text that can't be drawn."""

VIOLATION_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass(frozen=True, slots=True)
class Desk:
    """A running service as its tests lay things out in it."""

    client: httpx.Client
    provider: Upstream

    def add(self, filename: str, content: bytes) -> str:
        """Upload a file; return its id once it is read."""
        sent = self.client.post("/v1/documents", params={"filename": filename}, content=content)
        document_id = str(sent.json()["data"][0]["id"])
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            document = self.client.get(f"/v1/documents/{document_id}").json()
            if document["status"] == "ready":
                return document_id
            assert document["status"] != "failed", document
            time.sleep(0.03)
        raise AssertionError(f"{filename} was not read")

    def corpus(self, *document_ids: str, name: str = "Harbour") -> str:
        """Make a corpus; return its id."""
        made = self.client.post("/v1/corpora", json={"name": name, "document_ids": list(document_ids)})
        return str(made.json()["id"])

    def conversation(self, corpus_id: str) -> str:
        """Begin a conversation; return its id."""
        return str(self.client.post("/v1/conversations", json={"corpus_id": corpus_id}).json()["id"])

    def ask(self, corpus_id: str, said: str | Act | None = None, **body: Any) -> Json:  # noqa: ANN401 - any JSON value
        """Ask, have the model say that, and return the answer, whatever became of it."""
        if said is not None:
            self.provider.script.append(Act(text=said) if isinstance(said, str) else said)
        question = {"question": "When did the harbour open?", **body}
        sent = self.client.post(f"/v1/corpora/{corpus_id}/answers", json=question)
        answer: Json = sent.json()
        return answer if "id" in answer else dict(answer["answer"])

    def begin(self, corpus_id: str, act: Act, **body: Any) -> str:  # noqa: ANN401 - any JSON value
        """Ask without waiting; return the answer's id."""
        self.provider.script.append(act)
        question = {"question": "When did the harbour open?", "wait": False, **body}
        sent = self.client.post(f"/v1/corpora/{corpus_id}/answers", json=question)
        assert sent.status_code == 202, sent.text
        return str(sent.json()["id"])

    def finished(self, answer_id: str) -> Json:
        """Return an answer once it has ended."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            answer: Json = self.client.get(f"/v1/answers/{answer_id}").json()
            if answer["status"] not in {"queued", "running"}:
                return answer
            time.sleep(0.03)
        raise AssertionError(f"{answer_id} has not ended")


def book(folder: Path) -> bytes:
    """Return a PDF of two pages that can be quoted from."""
    return pdfs.text_pdf(folder / "book.pdf", PAGES).read_bytes()


@dataclass  # without slots: Playwright keeps its wrapper of a bound method on the object
class Outside:
    """Whatever a page asked of anybody but its own service."""

    origin: str
    asked: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Listen to a page from now on."""
        page.context.on("request", self._asks)

    def _asks(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"blob", "data"} and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.asked.append(request.url)


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong, each with the first place of it."""
    found = Axe().run(page, options={"runOnly": VIOLATION_TAGS, "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} ({len(one['nodes'])})"
        for one in found.response["violations"]
    ]

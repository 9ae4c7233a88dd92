"""Corpora laid out over REST for tests of the page, and what stands on it then."""

from __future__ import annotations

import time
from typing import Any

import httpx
from playwright.sync_api import Page

from tests.support.day import made_up

Json = dict[str, Any]
WAIT_S = 60.0


def corpus_of(client: httpx.Client, sizes: dict[str, int], *, name: str = "Harbour inquiry") -> str:
    """Make a corpus of documents of about so many tokens, read to the end; return its id."""
    corpus = str(client.post("/v1/corpora", json={"name": name}).json()["id"])
    for filename, tokens in sizes.items():
        add(client, corpus, filename, made_up(f"{name} {filename}", tokens))
    return corpus


def add(client: httpx.Client, corpus: str, filename: str, content: bytes) -> Json:
    """Add a file to a corpus, and return its document once it is read or failed."""
    query = {"filename": filename, "corpus_id": corpus}
    sent = client.post("/v1/documents", params=query, content=content)
    assert sent.status_code == httpx.codes.ACCEPTED, sent.text
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        document: Json = client.get(f"/v1/documents/{sent.json()['data'][0]['id']}").json()
        if document["status"] in {"ready", "failed"}:
            return document
        time.sleep(0.05)
    raise AssertionError(f"{filename} is still {document['status']}")


def meter_of(client: httpx.Client, corpus: str) -> Json:
    """Return a corpus's meter as the service has it."""
    meter: Json = client.get(f"/v1/corpora/{corpus}/meter").json()
    return meter


def shown_tokens(page: Page) -> int:
    """Return the number that the page's meter shows."""
    return int(page.locator(".meter-tokens").inner_text().replace(",", ""))


def open_corpus(page: Page, corpus: str) -> None:
    """Go to a corpus, and wait until it is shown."""
    page.goto(f"/#/c/{corpus}")
    page.locator(".meter[data-status]").wait_for()

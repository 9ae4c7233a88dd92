"""What the service would send to a model: corpora uploaded to it, and the pages in the packs it plans."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from benchmarks.gold import PageOf

AT_ONCE = 4
WAIT_SECONDS = 600.0
POLL_SECONDS = 0.2
MARGIN = 2_000
"""Tokens around the documents; a budget with that much room takes the whole corpus."""


@dataclass(frozen=True, slots=True)
class Pack:
    """What a call would read.

    Attributes:
        tokens: of the whole input.
        share: of the corpus's tokens.
        usd: what the question costs with nothing cached, None where nothing is read.
    """

    pages: frozenset[PageOf]
    tokens: int
    share: float
    usd: Decimal | None


@dataclass
class Corpus:
    """A corpus in the service.

    Attributes:
        files: the samples in it, named from their folder, by the id of their document; files of the same
            bytes are one document.
    """

    client: httpx.Client
    id: str
    name: str
    files: dict[str, list[str]]

    @cached_property
    def meter(self) -> dict[str, Any]:
        """What the gauge says of it."""
        return _got(self.client.get(f"/v1/corpora/{self.id}/meter"))

    @cached_property
    def documents(self) -> list[str]:
        """The ids of all documents in it that could be read, with those that lie inside others."""
        ids = _got(self.client.get(f"/v1/corpora/{self.id}"))["document_ids"]
        return [one for one in ids if _is_ready(self.client, one)]

    @cached_property
    def threshold(self) -> int:
        """Tokens at which a model's price jumps."""
        return int(self.meter["threshold"]["at"])

    def pack(self, question: str, budget: int) -> Pack:
        """Return what would be sent for so many tokens: everything where it fits, else the ranked plan."""
        if self.meter["input_tokens"] + MARGIN <= budget:
            return self._everything
        plan = self._ranked(question, budget)
        if not plan["feasible"]:
            return Pack(frozenset(), 0, 0.0, None)
        assert plan["input_tokens"] <= budget, plan["id"]
        listed = _got(self.client.get(f"/v1/plans/{plan['id']}/pages"))["data"]
        pages = frozenset(page for one in listed for page in self._named(one["document_id"], one["page"]))
        cost = Decimal(plan["cost"]["cold_usd"])
        return Pack(pages, plan["input_tokens"], plan["coverage"]["tokens_share"], cost)

    def _ranked(self, question: str, budget: int) -> dict[str, Any]:
        body = {"question": question, "strategies": ["ranked"], "budget_tokens": budget}
        until = time.monotonic() + WAIT_SECONDS
        while True:
            (plan,) = _got(self.client.post(f"/v1/corpora/{self.id}/plans", json=body))["data"]
            if plan["infeasible_code"] != "index_building":
                return dict(plan)
            assert time.monotonic() < until, "the index is still not built"
            time.sleep(POLL_SECONDS)

    @cached_property
    def _everything(self) -> Pack:
        numbers = ((one, number) for one in self.documents for number in page_numbers(self.client, one))
        pages = frozenset(page for one, number in numbers for page in self._named(one, number))
        cost = Decimal(self.meter["per_question"]["cold_usd"])
        return Pack(pages, self.meter["input_tokens"], 1.0, cost)

    def _named(self, document_id: str, number: int) -> Iterator[PageOf]:
        return ((file, number) for file in self.files.get(document_id, ()))


def page_numbers(client: httpx.Client, document_id: str) -> list[int]:
    """Return the numbers of a document's pages."""
    return [page["number"] for page in _got(client.get(f"/v1/documents/{document_id}/pages"))["data"]]


def page_texts(client: httpx.Client, document_id: str) -> dict[int, str]:
    """Return the texts of a document's pages by number."""
    where = f"/v1/documents/{document_id}/pages"
    return {n: _got(client.get(f"{where}/{n}"))["text"] for n in page_numbers(client, document_id)}


def upload(client: httpx.Client, name: str, folder: Path, paths: Sequence[Path]) -> Corpus:
    """Put files into a corpus of their own, in the order of their names; those that can't be read stay out.

    Args:
        client: speaks to the service.
        name: the corpus's.
        folder: from which the files are named.
        paths: the files.
    """
    corpus_id = _got(client.post("/v1/corpora", json={"name": name}))["id"]
    paths = sorted(paths)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = list(pool.map(lambda path: _upload(client, path), paths))
    files: dict[str, list[str]] = {}
    for path, document_id in zip(paths, ids, strict=True):
        if _is_ready(client, document_id):
            files.setdefault(document_id, []).append(path.relative_to(folder).as_posix())
            client.put(f"/v1/corpora/{corpus_id}/documents/{document_id}").raise_for_status()
        else:
            print(f"{path.name} can't be read and stays out of {name}")
    return Corpus(client, corpus_id, name, files)


def _upload(client: httpx.Client, path: Path) -> str:
    where = {"filename": path.name}
    (added,) = _got(client.post("/v1/documents", params=where, content=path.read_bytes()))["data"]
    return str(added["id"])


def _is_ready(client: httpx.Client, document_id: str) -> bool:
    until = time.monotonic() + WAIT_SECONDS
    while (status := _got(client.get(f"/v1/documents/{document_id}"))["status"]) not in {"ready", "failed"}:
        assert time.monotonic() < until, f"{document_id} is still {status}"
        time.sleep(POLL_SECONDS)
    return bool(status == "ready")


def _got(reply: httpx.Response) -> dict[str, Any]:
    assert reply.is_success, reply.text
    body: dict[str, Any] = reply.json()
    return body

"""Rows to start from: one made-up document, corpus, answer and call."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from service.domain.answers import Answer, AnswerStatus, Call, CallState
from service.domain.corpora import Corpus
from service.domain.documents import Document, DocumentStatus, PageCount, Progress
from service.store import answers, corpora, documents
from service.store.session import Transaction

NOW = datetime(2026, 11, 22, 10, 30, 15, 123456, tzinfo=UTC)
TENANT = "local"


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def document(number: int = 1, **other: Any) -> Document:  # noqa: ANN401 - the value's own fields
    made = Document(
        id=f"doc_{number:04}",
        tenant=TENANT,
        sha256=f"{number:064x}",
        filename=f"report {number}.pdf",
        media_type="application/pdf",
        bytes=1_000 + number,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=later(number),
    )
    return replace(made, **other)


def pages(first: int, last: int, *, flags: tuple[str, ...] = ()) -> list[tuple[PageCount, str]]:
    """Page n holds 10 n tokens."""
    texts = {n: f"text of page {n} ß漢" for n in range(first, last + 1)}
    return [
        (PageCount(n, tokens=10 * n, chars=len(text), label=f"p{n}", flags=flags), text)
        for n, text in texts.items()
    ]


def add_ready(tx: Transaction, number: int = 1, *, count: int = 3, **other: Any) -> Document:  # noqa: ANN401 - the same
    made = document(number, **other)
    documents.add(tx, made)
    documents.start(tx, made.id)
    documents.add_pages(tx, made.id, pages(1, count))
    documents.finish(
        tx,
        made.id,
        pack_sha256=f"{number + 1000:064x}",
        encoding="o200k_base",
        title=None,
        warnings=[],
        at=NOW,
    )
    return made


def corpus(number: int = 1, **other: Any) -> Corpus:  # noqa: ANN401 - the same
    made = Corpus(id=f"cor_{number:04}", tenant=TENANT, name=f"corpus {number}", created_at=later(number))
    return replace(made, **other)


def add_corpus(tx: Transaction, number: int = 1, **other: Any) -> Corpus:  # noqa: ANN401 - the same
    made = corpus(number, **other)
    corpora.add(tx, made)
    return made


def join(tx: Transaction, corpus_id: str, document_id: str) -> int:
    """Append as the use case does; return the ordinal."""
    ordinal = corpora.next_ordinal(tx, corpus_id)
    corpora.append(tx, corpus_id, document_id, ordinal=ordinal, wrapper_tokens=20 + ordinal)
    return ordinal


def answer(number: int = 1, **other: Any) -> Answer:  # noqa: ANN401 - the same
    made = Answer(
        id=f"ans_{number:04}",
        tenant=TENANT,
        corpus_id="cor_0001",
        question="What changed?",
        model="gpt-5.5",
        status=AnswerStatus.QUEUED,
        plan_id="pln_1",
        request={"text": "What changed?", "temperature": None},
        plan={"calls": [1, 2], "price": "1.42"},
        engine="offline",
        created_at=later(number),
        reserved_micros=1_420_000,
    )
    return replace(made, **other)


def add_answer(tx: Transaction, number: int = 1, *, key: str | None = None, **other: Any) -> Answer:  # noqa: ANN401 - the same
    made = answer(number, **other)
    answers.add(tx, made, request_sha256="a" * 64, idempotency_key=key)
    return made


def add_call(
    tx: Transaction, made: Answer, part: int = 0, *, micros: int = 1_000, prefix: str = "p" * 64
) -> Call:
    call = Call(
        id=f"{made.id}.{part}", answer_id=made.id, part=part, state=CallState.READY, reserved_micros=micros
    )
    answers.add_call(tx, call, input_tokens=500, prefix_sha256=prefix)
    return call

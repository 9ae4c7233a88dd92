"""Take an answer out of the service with all that somebody else needs to check it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.domain.answers import Answer
from service.domain.documents import Document
from service.errors import Conflict, Fix
from service.store import corpora
from service.usecases import ask_question, read_document
from service.usecases.context import Context
from service.usecases.describe_answer import describe_answer
from service.usecases.look_up_answer import look_up_answer
from service.usecases.show_receipt import show_receipt

_WORDS, _LONGEST = 8, 80
"""Words of a question in a file's name, and its characters."""


@dataclass(frozen=True, slots=True)
class Part:
    """A document as the answer's prompt held it.

    Attributes:
        number: the one after the D in marks.
        pages: those that were packed, in order; of a document that is gone, as its plan has them.
        tokens: of all of it that was packed.
    """

    document_id: str
    number: int
    filename: str
    pages: tuple[int, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class Exported:
    """An answer with what it rests on.

    Attributes:
        described: the answer in the words of the REST contract.
        spans: where each citation's mark stands in the text; empty where that is not known.
        corpus: its name, None where it was forgotten.
        parts: what was read, in packed order.
        packed: every page that was read, in packed order, as the receipt has it.
        documents: those of all named documents that are still there, by their ids.
    """

    answer: Answer
    described: dict[str, Any]
    spans: tuple[tuple[int, int], ...]
    corpus: str | None
    parts: tuple[Part, ...]
    packed: tuple[dict[str, Any], ...]
    documents: dict[str, Document]
    at: datetime


def export_answer(ctx: Context, tenant: str, answer_id: str) -> Exported:
    """Gather an answer that has ended, however it did.

    Raises:
        NotFound: there is none.
        Conflict: it has not ended yet.
    """
    found = look_up_answer(ctx, tenant, answer_id)
    answer = found.answer
    if not answer.status.final:
        raise Conflict(
            f"The answer is still {answer.status.value}: there is nothing whole to export yet.",
            fixes=(Fix("wait", "Export it once it has ended."),),
        )
    described = describe_answer(answer)
    documents = read_document.get_documents(ctx, tenant, _named(described, answer.plan))
    packed = show_receipt(ctx, answer.plan)
    with ctx.db.read() as tx:
        corpus = corpora.get(tx, tenant, answer.corpus_id)
    return Exported(
        answer=answer,
        described=described,
        spans=tuple((mark.start, mark.end) for mark in found.marks),
        corpus=corpus.name if corpus else None,
        parts=_parts(answer.plan, packed),
        packed=tuple(packed),
        documents=documents,
        at=ctx.now(),
    )


def describe_export(exported: Exported) -> dict[str, Any]:
    """Return everything of the answer as JSON: its documents with their hashes, and every page it read."""
    return {
        **exported.described,
        "citations": [_with_source(citation, exported) for citation in exported.described["citations"]],
        "corpus": exported.corpus,
        "request": exported.answer.request,
        "documents": [_document(part, exported) for part in exported.parts],
        "packed_pages": list(exported.packed),
        "plan": exported.answer.plan,
        "exported_at": exported.at.isoformat(),
    }


def file_name(exported: Exported, form: str) -> str:
    """Return a file name that tells the day and the first words of the question: letters and digits alone."""
    words = re.findall(r"\w+", exported.answer.question.lower())[:_WORDS]
    day = exported.answer.created_at.date().isoformat()
    return f"{'-'.join([day, *words])[:_LONGEST]}.{form}"


def list_answers(
    ctx: Context, tenant: str, *, corpus_id: str | None, limit: int
) -> list[tuple[dict[str, Any], str | None]]:
    """Return the answers asked last, newest first, each with its corpus's name (None: forgotten)."""
    found = ask_question.list_answers(
        ctx, tenant, corpus_id=corpus_id, after=None, limit=limit, newest_first=True
    )
    with ctx.db.read() as tx:
        known = {one: corpora.get(tx, tenant, one) for one in {answer.corpus_id for answer in found}}
    names = {one: corpus.name if corpus else None for one, corpus in known.items()}
    return [(describe_answer(answer), names[answer.corpus_id]) for answer in found]


def _named(described: dict[str, Any], plan: dict[str, Any]) -> list[str]:
    """Return the ids of all documents that the answer or its plan names."""
    coverage = described["coverage"] or {}
    named = [part["document_id"] for call in plan.get("calls", ()) for part in call["documents"]]
    named += [out["document_id"] for out in coverage.get("documents_out", ())]
    for citation in described["citations"]:
        named += [citation["document_id"], (citation["found"] or {}).get("document_id")]
    return list(dict.fromkeys(one for one in named if one))


def _parts(plan: dict[str, Any], packed: Sequence[dict[str, Any]]) -> tuple[Part, ...]:
    """Return each document once, however many calls it was parted over."""
    pages: dict[str, dict[int, None]] = {}
    for page in packed:
        runs = page.get("page_runs") or [[page["page"], page["page"]]]
        numbers = (number for first, last in runs for number in range(first, last + 1))
        pages.setdefault(page["document_id"], {}).update(dict.fromkeys(numbers))
    found: dict[str, Part] = {}
    for part in (part for call in plan.get("calls", ()) for part in call["documents"]):
        name = part["document_id"]
        before = found.get(name)
        found[name] = Part(
            document_id=name,
            number=part["ordinal"],
            filename=part["filename"],
            pages=tuple(sorted(pages.get(name, ()))),
            tokens=part["tokens"] + (before.tokens if before else 0),
        )
    return tuple(found.values())


def _document(part: Part, exported: Exported) -> dict[str, Any]:
    known = exported.documents.get(part.document_id)
    return {
        "document_id": part.document_id,
        "number": f"D{part.number}",
        "filename": part.filename,
        "sha256": known.sha256 if known else None,
        "media_type": known.media_type if known else None,
        "bytes": known.bytes if known else None,
        "pages": known.pages if known else None,
        "pages_read": len(part.pages),
        "tokens": part.tokens,
        "source_gone": known is None,
    }


def _with_source(citation: dict[str, Any], exported: Exported) -> dict[str, Any]:
    found = citation["found"] or {}
    name = found.get("document_id") or citation["document_id"]
    known = exported.documents.get(name) if name else None
    source = {
        "document_id": name,
        "filename": known.filename if known else citation["filename"],
        "sha256": known.sha256 if known else None,
        "page": found.get("page") or citation["page"],
        "label": citation["label"],
    }
    return {**citation, "document": source}

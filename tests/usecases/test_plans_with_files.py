"""What is asked of a corpus with files inside files: those that could be read, and word of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.domain.documents import Document, Failure
from service.domain.questions import Question
from service.errors import DocumentFailed, DocumentNotReady, Invalid
from service.usecases import arrange_corpus
from service.usecases.ask_question import Request, ask_question
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.extract_document import extract_document, fail
from service.usecases.preview_question import meter, preview_question
from tests.usecases.test_extract_document import add, process
from tests.usecases.test_unpack_document import Files, archive, listed, read_as

REASON = "Files of this type can't be read."
QUESTION = Question("What is in it?", "gpt-5.5")


def asked(ctx: Context, corpus_id: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a question
    """The first plan for the question."""
    question = Question("What is in it?", "gpt-5.5", **more)
    return preview_question(ctx, LOCAL, corpus_id, question).offers[0].description


def corpus_with(ctx: Context, files: Files, *, unreadable: tuple[str, ...] = ()) -> tuple[str, Document]:
    """A corpus of one archive, all that is in it read but what can't be."""
    corpus = arrange_corpus.create(ctx, LOCAL, name="All")
    parent = add(ctx, b"An archive.", "a.zip").document
    arrange_corpus.append(ctx, LOCAL, corpus.id, parent.id)
    read_as(ctx, parent, archive(files))
    for name, document in listed(ctx, parent):
        if name in unreadable:
            fail(ctx, document.id, Failure("unsupported_format", REASON))
        else:
            extract_document(ctx, document.id)
    return corpus.id, parent


def test_an_archive_is_not_part_of_what_is_asked(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus_id, parent = corpus_with(ctx, [("a.txt", b"Alpha."), ("b.txt", b"Beta.")])
        ids = [document.id for _, document in listed(ctx, parent)]
        plan = asked(ctx, corpus_id)
        assert plan["coverage"]["documents_in"] == ids
        assert plan["coverage"]["documents_out"] == []
        assert (plan["coverage"]["pages_total"], plan["coverage"]["tokens_share"]) == (2, 1.0)
        assert plan["warnings"] == []
        gauge = meter(ctx, LOCAL, corpus_id, model_name=None)
        assert [one["document_id"] for one in gauge["documents"]] == ids
        assert (gauge["warnings"], gauge["input_tokens"]) == ([], plan["input_tokens"] - _task(ctx))


def _task(ctx: Context) -> int:
    """Tokens of the question, which the meter leaves out."""
    corpus = arrange_corpus.create(ctx, LOCAL, name="Beside")
    document = add(ctx, b"Beside.", "beside.txt").document
    extract_document(ctx, document.id)
    arrange_corpus.append(ctx, LOCAL, corpus.id, document.id)
    tokens: int = asked(ctx, corpus.id)["input_tokens"]
    without: int = meter(ctx, LOCAL, corpus.id, model_name=None)["input_tokens"]
    return tokens - without


def test_nothing_is_asked_while_it_is_unpacked(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus = arrange_corpus.create(ctx, LOCAL, name="All")
        parent = add(ctx, b"An archive.", "a.zip").document
        arrange_corpus.append(ctx, LOCAL, corpus.id, parent.id)
        with pytest.raises(DocumentNotReady, match=r"a\.zip"):
            asked(ctx, corpus.id)
        read_as(ctx, parent, archive([("a.txt", b"Alpha.")]))
        with pytest.raises(DocumentNotReady, match=r"a\.txt"):
            asked(ctx, corpus.id)


def test_a_file_inside_that_cannot_be_read_is_told_and_does_not_block(tmp_path: Path) -> None:
    files = [("a.txt", b"Alpha."), ("x.exe", b"MZ."), ("y.exe", b"MZ too.")]
    with process(tmp_path) as ctx:
        corpus_id, parent = corpus_with(ctx, files, unreadable=("x.exe", "y.exe"))
        (_, good), *bad = listed(ctx, parent)
        out = [{"document_id": one.id, "pages": 0, "reason": REASON} for _, one in bad]
        warned = {
            "code": "files_unreadable",
            "detail": "2 files inside others could not be read and are left out: x.exe, y.exe.",
            "fixes": [],
        }
        plan = asked(ctx, corpus_id)
        assert plan["coverage"]["documents_in"] == [good.id]
        assert plan["coverage"]["documents_out"] == out
        assert plan["coverage"]["tokens_share"] == 1.0
        assert plan["warnings"] == [warned]
        answer = describe_answer(ask_question(ctx, LOCAL, corpus_id, Request(question=QUESTION)))
        assert answer["coverage"]["documents_out"] == out
        assert answer["warnings"] == [warned]


def test_an_uploaded_file_that_cannot_be_read_blocks_where_it_was_put(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus_id, parent = corpus_with(ctx, [("a.txt", b"Alpha."), ("x.exe", b"MZ.")], unreadable=("x.exe",))
        again = add(ctx, b"MZ.", "x.exe").document
        fail(ctx, again.id, Failure("unsupported_format", REASON))
        (out,) = asked(ctx, corpus_id)["coverage"]["documents_out"]
        assert out["reason"] == REASON, "there it still is a file inside another"
        alone = arrange_corpus.create(ctx, LOCAL, name="Alone", document_ids=[again.id]).id
        with pytest.raises(DocumentFailed, match=r"x\.exe"):
            asked(ctx, alone)
        arrange_corpus.take_out(ctx, LOCAL, corpus_id, again.id)
        assert asked(ctx, corpus_id)["coverage"]["documents_out"] == []
        assert len(listed(ctx, parent)) == 2


def test_when_nothing_inside_could_be_read_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus_id, parent = corpus_with(ctx, [("x.exe", b"MZ.")], unreadable=("x.exe",))
        with pytest.raises(Invalid, match="none of the files inside could be read"):
            asked(ctx, corpus_id)
        with pytest.raises(Invalid, match="none of the files inside could be read"):
            asked(ctx, corpus_id, document_ids=(parent.id,))


def test_an_archive_that_is_named_stands_for_its_files(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus_id, parent = corpus_with(ctx, [("a.txt", b"Alpha."), ("x.exe", b"MZ.")], unreadable=("x.exe",))
        other = add(ctx, b"Other.", "other.txt").document
        extract_document(ctx, other.id)
        arrange_corpus.append(ctx, LOCAL, corpus_id, other.id)
        (_, good), (_, bad) = listed(ctx, parent)
        plan = asked(ctx, corpus_id, document_ids=(parent.id,))
        assert plan["coverage"]["documents_in"] == [good.id]
        assert plan["coverage"]["documents_out"] == [
            {"document_id": other.id, "pages": 1, "reason": "not_selected"},
            {"document_id": bad.id, "pages": 0, "reason": REASON},
        ]
        others = asked(ctx, corpus_id, document_ids=(other.id,))["coverage"]
        assert {one["reason"] for one in others["documents_out"]} == {"not_selected"}
        assert asked(ctx, corpus_id, document_ids=(other.id,))["warnings"] == []

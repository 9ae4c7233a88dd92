"""Plans over many documents: nobody waits for them, and what is kept between two is never out of date."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.domain.documents import Document, DocumentStatus, PageCount, Progress
from service.domain.questions import Question
from service.errors import NotFound
from service.store import corpora, documents, told
from service.store.search import Counted, Entry
from service.usecases import arrange_corpus, keep_plans, preview_question, rank_pages
from service.usecases.context import LOCAL, Context
from service.usecases.index_pages import entries_of
from service.usecases.preview_question import Preview, get_plan, meter
from tests.usecases.test_extract_document import process

WORDS = ("cost", "revenue", "year", "margin", "table", "note", "part", "growth")
QUESTION = Question("How did cost and margin change?", "gpt-5.5")


def page(number: int, at: int) -> PageCount:
    """A page of its own length; some are blank, some have headers."""
    flags = ("blank",) if (number + at) % 11 == 0 else ("repeated",) if at % 3 == 0 else ()
    tokens = 12 if flags == ("blank",) else 300 + (number * 131 + at * 17) % 900
    return PageCount(at, tokens=tokens, chars=1000, flags=flags, repeated_tokens=5 if at % 3 == 0 else 0)


def fill(ctx: Context, sizes: Iterable[int]) -> str:
    """A corpus of documents with so many pages each, without texts; return its id."""
    corpus = arrange_corpus.create(ctx, LOCAL, name="Many")
    with ctx.db.write() as tx:
        for number, pages in enumerate(sizes, 1):
            made = Document(
                id=f"doc_{number:04}",
                tenant=LOCAL,
                sha256=f"{number:064x}",
                filename=f"{WORDS[number % len(WORDS)]} report {number}.pdf",
                media_type="application/pdf",
                bytes=1,
                status=DocumentStatus.QUEUED,
                progress=Progress(),
                created_at=ctx.now(),
            )
            documents.add(tx, made)
            documents.start(tx, made.id)
            documents.add_pages(tx, made.id, [(page(number, at), "text") for at in range(1, pages + 1)])
            documents.finish(
                tx,
                made.id,
                pack_sha256=f"{number + 9000:064x}",
                encoding="o200k_base",
                title=None,
                warnings=[],
                at=ctx.now(),
            )
            arrange_corpus.append_in(tx, corpus.id, made)
    return corpus.id


def index(ctx: Context, corpus_id: str) -> None:
    """Index the pages with a few words each."""

    def texts(entries: Sequence[Entry]) -> Iterator[tuple[Counted, str]]:
        for one in entries:
            number = int(one.document_id.rpartition("_")[2])
            draw = random.Random(number)  # noqa: S311 - made-up text
            for at in range(1, one.pages + 1):
                of = page(number, at)
                said = " ".join(draw.choices(WORDS, k=draw.randint(1, 6)))
                blank = "blank" in of.flags
                yield (
                    Counted(one.ordinal, at, of.tokens, of.repeated_tokens, blank=blank),
                    f"{said} x{draw.random()}",
                )

    with ctx.db.read() as tx:
        entries = entries_of(corpora.members_of(tx, corpus_id))
    assert ctx.index.update(corpus_id, entries, texts)


def preview(ctx: Context, corpus_id: str, question: Question = QUESTION) -> Preview:
    return preview_question.preview_question(ctx, LOCAL, corpus_id, question)


def described(found: Preview) -> list[dict[str, Any]]:
    """The plans as they are shown, but for what is new in each."""
    plans = json.loads(told.shown([offer.description for offer in found.offers]))
    return [{**plan, "id": "", "created_at": "", "expires_at": ""} for plan in plans]


def pages_of(found: Preview) -> dict[str, list[Any]]:
    """What each plan reads."""
    return {
        f"{plan['strategy']} {plan['budget_tokens']}": [
            (part["document_id"], part["page_runs"]) for call in plan["calls"] for part in call["documents"]
        ]
        for plan in described(found)
    }


def test_somebody_else_can_write_while_plans_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = preview_question.preview_in

    def interrupted(*args: Any, **more: Any) -> Preview:  # noqa: ANN401 - whatever it takes
        found = usual(*args, **more)
        arrange_corpus.create(ctx, LOCAL, name="Meanwhile")
        return found

    with process(tmp_path) as ctx:
        corpus_id = fill(ctx, [1, 2])
        monkeypatch.setattr(preview_question, "preview_in", interrupted)
        offers = preview(ctx, corpus_id).offers
        assert [one.name for one in arrange_corpus.list_corpora(ctx, LOCAL, after=None, limit=9)] == [
            "Many",
            "Meanwhile",
        ]
        assert [get_plan(ctx, LOCAL, offer.id).fingerprint for offer in offers] == [
            offer.plan.fingerprint for offer in offers
        ]


def test_a_corpus_that_goes_while_plans_are_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(ctx: Context, corpus_id: str, offered: list[Any]) -> None:
        arrange_corpus.remove(ctx, LOCAL, corpus_id)
        keep_plans.keep_plans(ctx, corpus_id, offered)

    with process(tmp_path) as ctx:
        corpus_id = fill(ctx, [1])
        monkeypatch.setattr(preview_question, "keep_plans", late)
        with pytest.raises(NotFound, match=corpus_id):
            preview(ctx, corpus_id)


@pytest.mark.parametrize("leave_out", [(), ("repeated", "blank")], ids=["everything", "lean"])
def test_the_few_best_pages_are_those_that_all_pages_would_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave_out: tuple[str, ...]
) -> None:
    draw = random.Random(5)  # noqa: S311 - made-up sizes
    with process(tmp_path) as ctx:
        corpus_id = fill(ctx, [draw.randint(1, 60) for _ in range(25)])
        index(ctx, corpus_id)
        asked = [
            Question(
                f"{draw.choice(WORDS)} {draw.choice(WORDS)}",
                "gpt-5.5",
                strategies=("ranked",),
                budget_tokens=budget,
                leave_out=leave_out,
            )
            for budget in (3_000, 20_000, 90_000, 260_000)
        ]
        monkeypatch.setattr(rank_pages, "SPARE_HITS", 4)
        few = [pages_of(preview(ctx, corpus_id, one)) for one in asked]
        monkeypatch.setattr(rank_pages, "_limits", lambda _few, _usual: iter([1 << 30]))
        assert few == [pages_of(preview(ctx, corpus_id, one)) for one in asked]
        assert all(read for one in few for read in one.values())


def test_a_preview_changes_nothing_that_the_next_one_tells(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus_id = fill(ctx, [3] * 40 + [400, 400, 400])
        index(ctx, corpus_id)
        first = preview(ctx, corpus_id)
        before = described(first)
        assert {plan["strategy"] for plan in before} == {"whole", "split", "ranked"}
        for leave_out in (("blank",), ("repeated", "blank"), ()):
            again = preview(ctx, corpus_id, Question(QUESTION.text, "gpt-5.5", leave_out=leave_out))
        assert described(again) == before == described(first)
        stored = [get_plan(ctx, LOCAL, offer.id).plan for offer in first.offers]
        assert stored == json.loads(told.shown([offer.description for offer in first.offers]))


def test_what_changes_of_a_document_is_in_the_next_preview_and_meter(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus_id = fill(ctx, [2] * 30)
        whole = described(preview(ctx, corpus_id))[0]
        tokens = meter(ctx, LOCAL, corpus_id, model_name=None)["documents"][4]["tokens"]
        with ctx.db.write() as tx:
            tx.exec_driver_sql("update documents set pages_tokens = pages_tokens + 7 where id = 'doc_0005'")
        now = described(preview(ctx, corpus_id))[0]
        assert now["input_tokens"] == whole["input_tokens"] + 7
        assert [one["tokens"] for one in now["calls"][0]["documents"]][4] == tokens + 7
        assert meter(ctx, LOCAL, corpus_id, model_name=None)["documents"][4]["tokens"] == tokens + 7
        arrange_corpus.take_out(ctx, LOCAL, corpus_id, "doc_0001")
        assert "doc_0001" not in described(preview(ctx, corpus_id))[0]["coverage"]["documents_in"]


def test_a_document_that_is_cut_costs_the_sum_of_its_pieces(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus_id = fill(ctx, [5, 900, 5])
        plans = {plan["strategy"]: plan for plan in described(preview(ctx, corpus_id))}
        calls = plans["split"]["calls"]
        assert sum("doc_0002" in call["document_ids"] for call in calls) > 1
        told_of = plans["split"]["cost"]["per_document"]
        assert sorted(one["document_id"] for one in told_of) == ["doc_0001", "doc_0002", "doc_0003"]
        tokens = sum(
            part["tokens"]
            for call in calls
            for part in call["documents"]
            if part["document_id"] == "doc_0002"
        )
        (usd,) = (one["usd"] for one in told_of if one["document_id"] == "doc_0002")
        assert float(usd) == pytest.approx(tokens * 5 / 1e6)

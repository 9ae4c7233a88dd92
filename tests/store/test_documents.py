"""Documents as rows: their life, their pages, and what a crash or a removal in the middle leaves."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from service.domain.documents import (
    Document,
    DocumentStatus,
    DocumentWarning,
    Failure,
    Margin,
    PageText,
    Progress,
    Troubles,
)
from service.store import corpora, documents
from service.store.session import Database
from tests.store import rows


def stored(db: Database, document_id: str = "doc_0001") -> Document:
    with db.read() as tx:
        known = documents.get_any(tx, document_id)
    assert known is not None
    return known


def test_a_new_document_comes_back_as_it_was_given(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document())
    assert stored(db) == rows.document()


def test_a_document_is_its_tenants_alone(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document())
        assert documents.get(tx, rows.TENANT, "doc_0001") == rows.document()
        assert documents.get(tx, "other", "doc_0001") is None
        assert documents.get_by_hash(tx, rows.TENANT, rows.document().sha256) == rows.document()
        assert documents.get_by_hash(tx, "other", rows.document().sha256) is None
        assert documents.page_through(tx, "other", after=None, limit=9) == []


def test_the_same_bytes_are_one_document_a_tenant(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document(1))
        documents.add(tx, rows.document(2, tenant="other", sha256=rows.document(1).sha256))
        assert documents.uses_of_blob(tx, rows.document(1).sha256) == 2
    with pytest.raises(IntegrityError), db.write() as tx:
        documents.add(tx, rows.document(3, sha256=rows.document(1).sha256))


def test_a_reading_goes_from_queued_to_ready(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document())
        assert documents.start(tx, "doc_0001")
        documents.identify(tx, "doc_0001", media_type="text/plain", progress=Progress(0, 5, "section"))
    assert stored(db).status is DocumentStatus.PROCESSING
    assert (stored(db).media_type, stored(db).progress) == ("text/plain", Progress(0, 5, "section"))
    with db.write() as tx:
        assert documents.add_pages(tx, "doc_0001", rows.pages(1, 2))
    assert stored(db).progress == Progress(2, 5, "section")
    warnings = (DocumentWarning("page_unreadable", "Page 4.", 4), DocumentWarning("slow", "All of it."))
    with db.write() as tx:
        assert documents.add_pages(tx, "doc_0001", rows.pages(3, 3, flags=("no_text", "scan")))
        documents.finish(
            tx,
            "doc_0001",
            pack_sha256="c" * 64,
            encoding="o200k_base",
            title="A title",
            warnings=warnings,
            at=rows.later(60),
        )
    ready = stored(db)
    assert ready.status is DocumentStatus.READY
    assert ready.progress == Progress(3, 3, "section")
    assert (ready.pages, ready.pages_tokens, ready.pages_without_text) == (3, 60, 1)
    assert ready.chars == sum(page.chars for page, _ in rows.pages(1, 3))
    assert (ready.title, ready.pack_sha256, ready.warnings) == ("A title", "c" * 64, warnings)
    assert ready.ready_at == rows.later(60)


def test_a_document_without_pages_sums_to_nothing(db: Database) -> None:
    with db.write() as tx:
        rows.add_ready(tx, count=0)
    assert (stored(db).pages, stored(db).pages_tokens, stored(db).pages_without_text) == (0, 0, 0)


def test_what_can_be_left_out_adds_up(db: Database) -> None:
    """A blank page goes whole or stays whole; a margin that saves nothing stays."""
    with db.write() as tx:
        documents.add(tx, rows.document())
        documents.add_pages(tx, "doc_0001", rows.pages(1, 2))
        documents.add_pages(tx, "doc_0001", rows.pages(3, 4, flags=("blank", "no_text")))
        documents.add_pages(tx, "doc_0001", rows.pages(5, 5, flags=("garbled", "no_text")))
        margins = [Margin(1, 2, 3, 4), Margin(2, 1, 0, -1), Margin(3, 5, 5, 7)]
        documents.set_margins(tx, "doc_0001", margins)
        documents.finish(tx, "doc_0001", pack_sha256="", encoding="", title=None, warnings=[], at=rows.NOW)
        corpus = rows.add_corpus(tx)
        rows.join(tx, corpus.id, "doc_0001")
        (member,) = corpora.members_of(tx, corpus.id)
        page = next(documents.page_texts_of(tx, "doc_0001"))
        blank = documents.blank_pages(tx, ["doc_0001", "doc_0002"])
        troubles = documents.troubles_of(tx, ["doc_0001", "doc_0002"])
    assert (member.pages_blank, member.blank_tokens, member.repeated_tokens) == (2, 70, 4)
    assert (page.head, page.foot, page.repeated_tokens, page.flags) == (2, 3, 4, ("repeated",))
    assert {name: [page.number for page in pages] for name, pages in blank.items()} == {"doc_0001": [3, 4]}
    assert troubles == {"doc_0001": Troubles(1, 1, 50, 1, 50)}


def test_pages_come_back_in_order_with_and_without_text(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document())
        documents.add_pages(tx, "doc_0001", rows.pages(3, 4, flags=("garbled", "ocr")))
        documents.add_pages(tx, "doc_0001", rows.pages(1, 2))
        counts = documents.page_counts(tx, "doc_0001")
        assert [(c.number, c.tokens, c.label) for c in counts] == [(n, 10 * n, f"p{n}") for n in range(1, 5)]
        assert [c.flags for c in counts] == [(), (), ("garbled", "ocr"), ("garbled", "ocr")]
        assert [c.chars for c in counts] == [len("text of page 1 ß漢")] * 4
        texts = [
            PageText(page.number, page.tokens, text, page.label, flags=counts[page.number - 1].flags)
            for page, text in rows.pages(1, 4)
        ]
        assert list(documents.page_texts_of(tx, "doc_0001")) == texts
        assert list(documents.page_texts_of(tx, "doc_0001", first=2, last=3)) == texts[1:3]
        assert list(documents.page_texts_of(tx, "doc_0001", first=4)) == texts[3:]


def test_a_start_after_a_crash_drops_what_was_half_read(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document())
        documents.start(tx, "doc_0001")
        documents.add_pages(tx, "doc_0001", rows.pages(1, 2))
    with db.write() as tx:
        assert documents.start(tx, "doc_0001")
        assert documents.page_counts(tx, "doc_0001") == []
        assert list(documents.page_texts_of(tx, "doc_0001")) == []
        assert documents.add_pages(tx, "doc_0001", rows.pages(1, 3))  # the same numbers again
    assert stored(db).progress.done == 3


def test_a_ready_document_is_never_read_again_and_keeps_its_pages(db: Database) -> None:
    with db.write() as tx:
        rows.add_ready(tx, count=3)
    before = stored(db)
    with db.write() as tx:
        assert not documents.start(tx, "doc_0001")
    with db.read() as tx:
        assert len(list(documents.page_texts_of(tx, "doc_0001"))) == 3
    assert stored(db) == before


def test_a_late_failure_takes_nothing_from_a_ready_document(db: Database) -> None:
    with db.write() as tx:
        rows.add_ready(tx, count=3)
        documents.fail(tx, "doc_0001", Failure("internal_error", "A second reader stumbled."))
        assert len(documents.page_counts(tx, "doc_0001")) == 3
    assert (stored(db).status, stored(db).error) == (DocumentStatus.READY, None)


def test_a_document_that_is_gone_is_not_started_and_takes_no_pages(db: Database) -> None:
    with db.write() as tx:
        assert not documents.start(tx, "doc_none")
        assert not documents.add_pages(tx, "doc_none", rows.pages(1, 2))
        documents.fail(tx, "doc_none", Failure("x", "y"))
        assert documents.page_counts(tx, "doc_none") == []


def test_removed_while_it_is_read(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document())
        documents.start(tx, "doc_0001")
        documents.add_pages(tx, "doc_0001", rows.pages(1, 2))
    with db.write() as tx:
        documents.remove(tx, "doc_0001")
    with db.write() as tx:
        assert not documents.add_pages(tx, "doc_0001", rows.pages(3, 4))


def test_an_empty_batch_changes_nothing(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document())
        assert documents.add_pages(tx, "doc_0001", [])
        assert documents.page_counts(tx, "doc_0001") == []
        assert not documents.add_pages(tx, "doc_none", [])


def test_a_failure_keeps_the_reason_and_no_pages(db: Database) -> None:
    failure = Failure("encrypted", "The file needs a password.")
    with db.write() as tx:
        documents.add(tx, rows.document())
        documents.start(tx, "doc_0001")
        documents.add_pages(tx, "doc_0001", rows.pages(1, 2))
        documents.fail(tx, "doc_0001", failure)
        assert documents.page_counts(tx, "doc_0001") == []
        assert list(documents.page_texts_of(tx, "doc_0001")) == []
    assert (stored(db).status, stored(db).error) == (DocumentStatus.FAILED, failure)


def test_a_failed_document_can_be_read_again(db: Database) -> None:
    with db.write() as tx:
        documents.add(tx, rows.document())
        documents.fail(tx, "doc_0001", Failure("timed_out", "Too slow."))
        documents.requeue(tx, "doc_0001")
    assert (stored(db).status, stored(db).error) == (DocumentStatus.QUEUED, None)
    with db.write() as tx:
        assert documents.start(tx, "doc_0001")
    assert stored(db).status is DocumentStatus.PROCESSING


def test_removal_takes_pages_and_memberships_along_and_nothing_else(db: Database) -> None:
    with db.write() as tx:
        rows.add_ready(tx, 1)
        rows.add_ready(tx, 2)
        rows.add_corpus(tx)
        rows.join(tx, "cor_0001", "doc_0001")
        rows.join(tx, "cor_0001", "doc_0002")
    with db.write() as tx:
        documents.remove(tx, "doc_0001")
    with db.read() as tx:
        assert documents.page_counts(tx, "doc_0001") == []
        assert list(documents.page_texts_of(tx, "doc_0001")) == []
        assert [m.document_id for m in corpora.members_of(tx, "cor_0001")] == ["doc_0002"]
        assert len(documents.page_counts(tx, "doc_0002")) == 3
        assert documents.uses_of_blob(tx, rows.document(1).sha256) == 0


def test_lists_go_on_where_they_ended(db: Database) -> None:
    with db.write() as tx:
        for number in (3, 1, 2, 5, 4):
            documents.add(tx, rows.document(number))
        first = documents.page_through(tx, rows.TENANT, after=None, limit=2)
        second = documents.page_through(tx, rows.TENANT, after=first[-1].id, limit=2)
        third = documents.page_through(tx, rows.TENANT, after=second[-1].id, limit=2)
    assert [d.id[-1] for d in first + second + third] == ["1", "2", "3", "4", "5"]

"""Corpora as rows: an ordinal names one document for ever, and the order is that of joining."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy.exc import IntegrityError

from service.domain.documents import DocumentStatus
from service.store import corpora, documents
from service.store.session import Database
from tests.store import rows


def test_a_corpus_comes_back_with_its_size(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_corpus(tx)
        assert corpora.get(tx, rows.TENANT, made.id) == made
        rows.add_ready(tx, 1)
        rows.join(tx, made.id, "doc_0001")
        known = corpora.get(tx, rows.TENANT, made.id)
        assert known is not None
        assert known.documents == 1
        assert corpora.get(tx, "other", made.id) is None


def test_the_oldest_of_a_name_is_found(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx, 2, name="reports")
        rows.add_corpus(tx, 1, name="reports")
        rows.add_corpus(tx, 0, name="reports", tenant="other")
        found = corpora.get_by_name(tx, rows.TENANT, "reports")
        assert found is not None
        assert found.id == "cor_0001"
        assert corpora.get_by_name(tx, rows.TENANT, "none") is None


def test_renaming_and_listing(db: Database) -> None:
    with db.write() as tx:
        for number in (2, 1, 3):
            rows.add_corpus(tx, number)
        corpora.rename(tx, "cor_0002", "another")
        first = corpora.page_through(tx, rows.TENANT, after=None, limit=2)
        rest = corpora.page_through(tx, rows.TENANT, after=first[-1].id, limit=2)
    assert [c.name for c in first + rest] == ["corpus 1", "another", "corpus 3"]


def test_members_carry_what_planning_needs(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx)
        rows.add_ready(tx, 1, count=2)
        documents.add(tx, rows.document(2))
        rows.join(tx, "cor_0001", "doc_0001")
        rows.join(tx, "cor_0001", "doc_0002")
        one, two = corpora.members_of(tx, "cor_0001")
    assert (one.ordinal, one.filename, one.status) == (1, "report 1.pdf", DocumentStatus.READY)
    assert (one.wrapper_tokens, one.pages_tokens, one.tokens, one.pages) == (21, 30, 51, 2)
    assert one.pack_sha256 == f"{1001:064x}"
    assert (two.ordinal, two.status, two.tokens) == (2, DocumentStatus.QUEUED, 22)


def test_a_document_is_in_a_corpus_once(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx)
        rows.add_ready(tx, 1)
        rows.join(tx, "cor_0001", "doc_0001")
        assert corpora.has_member(tx, "cor_0001", "doc_0001")
        assert not corpora.has_member(tx, "cor_0002", "doc_0001")
    with pytest.raises(IntegrityError), db.write() as tx:
        rows.join(tx, "cor_0001", "doc_0001")


def test_a_removed_corpus_leaves_its_documents(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx)
        rows.add_ready(tx, 1)
        rows.join(tx, "cor_0001", "doc_0001")
        corpora.remove(tx, "cor_0001")
        assert corpora.get(tx, rows.TENANT, "cor_0001") is None
        assert corpora.members_of(tx, "cor_0001") == []
        assert documents.get_any(tx, "doc_0001") is not None


class Joining(RuleBasedStateMachine):
    """Documents join, leave and are deleted in any sequence, in one transaction that is rolled back."""

    db: Database

    def __init__(self) -> None:
        super().__init__()
        self.open = self.db.write()
        self.tx = self.open.__enter__()
        rows.add_corpus(self.tx)
        self.known: set[str] = set()
        self.order: list[tuple[int, str]] = []
        self.given: list[int] = []

    def teardown(self) -> None:
        self.tx.rollback()
        self.open.__exit__(None, None, None)

    @rule(number=st.integers(1, 5))
    def join(self, number: int) -> None:
        made = rows.document(number)
        if made.id not in self.known:
            documents.add(self.tx, made)
            self.known.add(made.id)
        if any(name == made.id for _, name in self.order):
            return
        ordinal = rows.join(self.tx, "cor_0001", made.id)
        self.given.append(ordinal)
        self.order.append((ordinal, made.id))

    @rule(number=st.integers(1, 5))
    def leave(self, number: int) -> None:
        name = rows.document(number).id
        was_in = any(one == name for _, one in self.order)
        assert corpora.take_out(self.tx, "cor_0001", name) == was_in
        self.order = [(ordinal, one) for ordinal, one in self.order if one != name]

    @rule(number=st.integers(1, 5))
    def delete(self, number: int) -> None:
        name = rows.document(number).id
        documents.remove(self.tx, name)
        self.known.discard(name)
        self.order = [(ordinal, one) for ordinal, one in self.order if one != name]

    @invariant()
    def no_ordinal_is_given_twice_and_the_order_is_that_of_joining(self) -> None:
        assert self.given == list(range(1, len(self.given) + 1))
        members = corpora.members_of(self.tx, "cor_0001")
        assert [(one.ordinal, one.document_id) for one in members] == self.order


def test_ordinals(db: Database) -> None:
    joining = type("Joining", (Joining,), {"db": db})
    run_state_machine_as_test(
        joining, settings=settings(deadline=None, max_examples=30, stateful_step_count=20)
    )

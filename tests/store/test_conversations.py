"""Conversations as rows: of one tenant, in order, and gone with their corpus; their answers are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from service.domain import caching
from service.domain.caching import Block, Sent
from service.domain.conversations import Conversation
from service.store import answers, conversations, corpora, prefixes
from service.store.session import Database, Transaction
from tests.store import rows


def add(tx: Transaction, number: int, **other: Any) -> Conversation:  # noqa: ANN401 - the value's own fields
    made = Conversation(
        id=f"cnv_{number:04}",
        tenant=rows.TENANT,
        corpus_id="cor_0001",
        title=None,
        created_at=rows.later(number),
        used_at=rows.later(number),
    )
    made = replace(made, **other)
    conversations.add(tx, made)
    return made


def test_a_conversation_comes_back_as_it_was(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx, 1)
        made = add(tx, 1, title="Talk", listed_through="ans_0001")
    with db.read() as tx:
        assert conversations.get(tx, rows.TENANT, made.id) == made
        assert conversations.get(tx, "acme", made.id) is None
        assert conversations.latest(tx, "acme", "cor_0001") is None


def test_they_are_listed_by_corpus_in_pages(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx, 1)
        rows.add_corpus(tx, 2)
        made = [add(tx, n, corpus_id=f"cor_000{1 + n % 2}") for n in range(4)]
        add(tx, 9, tenant="acme")
    with db.read() as tx:
        listed = conversations.page_through(tx, rows.TENANT, corpus_id=None, after=made[0].id, limit=2)
        assert listed == made[1:3]
        of_one = conversations.page_through(tx, rows.TENANT, corpus_id="cor_0001", after=None, limit=9)
        assert of_one == [made[0], made[2]]


def test_use_names_it_once_and_makes_it_the_latest(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx, 1)
        first, second = add(tx, 1), add(tx, 2)
        assert conversations.latest(tx, rows.TENANT, "cor_0001") == second
        for at, title in ((10, "First"), (11, "Other")):
            conversations.use(tx, first.id, title=title, at=rows.later(at))
        found = conversations.latest(tx, rows.TENANT, "cor_0001")
    assert found == replace(first, title="First", used_at=rows.later(11))


def test_its_answers_are_its_past_and_outlive_it(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx, 1)
        made = add(tx, 1)
        asked = [rows.add_answer(tx, n, conversation_id=name) for n, name in ((1, made.id), (2, None))]
        asked.append(rows.add_answer(tx, 3, conversation_id=made.id))
        rows.add_answer(tx, 4, conversation_id=made.id, tenant="acme")
        past = conversations.past_of(tx, rows.TENANT, made.id)
        assert [one.answer_id for one in past] == [asked[0].id, asked[2].id]
        assert [one.question for one in past] == [asked[0].question, asked[2].question]
        assert conversations.past_named(tx, [asked[2].id, asked[0].id]) == past
        corpora.remove(tx, "cor_0001")
        assert conversations.get(tx, rows.TENANT, made.id) is None
        kept = answers.get(tx, rows.TENANT, asked[0].id)
        assert kept is not None
        assert kept.conversation_id == made.id


def test_a_list_ends_where_it_is_told_to(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx, 1)
        made = add(tx, 1)
        for through in ("ans_0003", None):
            conversations.list_through(tx, made.id, through)
            found = conversations.get(tx, rows.TENANT, made.id)
            assert found is not None
            assert found.listed_through == through


def test_what_a_provider_may_hold_of_a_talk(db: Database) -> None:
    chain = caching.chain_of([Block("<document>", "a", 10)])
    talk = caching.chain_of([Block("user", "Who?", 5)])
    at = {"tenant": rows.TENANT, "engine": "openai", "model": "gpt-5.5"}
    made = [
        Sent("a" * 64, "cor_1", rows.later(2), "lead", chain, talk),
        Sent("b" * 64, "cor_1", rows.later(1), "lead", chain),
    ]
    with db.write() as tx:
        for one in made:
            prefixes.remember(tx, one, [("doc_1", "a.txt")], oldest=rows.NOW, **at)
        assert prefixes.resembling(tx, corpus_id="cor_1", heads=[], **at) == made

"""The same rows are the same members; what changed is another, and nothing else is."""

from __future__ import annotations

import pytest

from service.domain.documents import DocumentStatus
from service.store import corpora, documents, rosters
from service.store.rosters import Rosters
from service.store.session import Database
from tests.store import rows as made


def row(number: int, *, tokens: int = 10) -> tuple[object, ...]:
    name = f"{number}.pdf"
    return (f"doc_{number}", number, name, "ready", 10, tokens, 1, 40, 0, "sha", 1, 0, 0, 0, 0, None)


def test_rows_that_stay_keep_their_members() -> None:
    known = Rosters()
    before = known.members("cor_1", [row(1), row(2), row(3)])
    again = known.members("cor_1", [row(1), row(2), row(3)])
    assert all(one is other for one, other in zip(before, again, strict=True))
    assert again is not before
    assert (before[0].status, before[0].uploaded, before[0].tokens) == (DocumentStatus.READY, True, 20)


def test_a_row_that_changed_is_another_member_and_the_rest_stay() -> None:
    known = Rosters()
    first, second, third = known.members("cor_1", [row(1), row(2), row(3)])
    assert second.tokens == 20
    now = known.members("cor_1", [row(1), row(2, tokens=11), row(3), row(4)])
    assert [one.tokens for one in now] == [20, 21, 20, 20]
    assert (now[0], now[2]) == (first, third)
    assert now[0] is first
    assert now[2] is third
    assert known.members("cor_2", [row(1)])[0] is not first


def test_what_a_caller_does_to_the_list_is_the_caller_s() -> None:
    known = Rosters()
    known.members("cor_1", [row(1)]).clear()
    assert len(known.members("cor_1", [row(1)])) == 1


def test_no_more_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosters, "MOST_MEMBERS", 3)
    known = Rosters()
    (first,) = known.members("cor_1", [row(1)])
    known.members("cor_2", [row(1), row(2)])
    assert known.members("cor_1", [row(1)])[0] is first
    known.members("cor_3", [row(1), row(2), row(3)])
    assert known.members("cor_1", [row(1)])[0] is not first


def test_members_are_read_as_they_are_stored_now(db: Database) -> None:
    with db.write() as tx:
        made.add_corpus(tx)
        for number in (1, 2):
            added = made.add_ready(tx, number)
            corpora.append(tx, "cor_0001", added.id, ordinal=number, wrapper_tokens=9)
        before = corpora.members_of(tx, "cor_0001")
        assert [one.tokens for one in before] == [69, 69]
        documents.place(tx, "doc_0002", uploaded=False, depth=1, root_id="doc_0001")
        now = corpora.members_of(tx, "cor_0001")
    assert now[0] is before[0]
    assert (before[1].uploaded, now[1].uploaded) == (True, False)
    assert now[1].tokens == 69

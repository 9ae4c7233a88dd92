"""Answers, calls and events as rows: one key pays once, one call is sent once, streams keep their order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from service.domain.answers import AnswerStatus, Call, CallState
from service.domain.documents import Failure
from service.domain.usage import Usage
from service.store import answers, crowding
from service.store.answers import Event
from service.store.session import Database
from tests.store import rivals, rows


def test_an_accepted_question_comes_back_as_it_was_asked(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx)
        assert answers.get(tx, rows.TENANT, made.id) == made
        assert answers.get_any(tx, made.id) == made
        assert answers.get(tx, "other", made.id) is None
        assert answers.get_any(tx, "ans_none") is None


def test_a_key_stands_for_one_answer_a_tenant(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx, 1, key="k")
        rows.add_answer(tx, 2, key="k", tenant="other")
        rows.add_answer(tx, 3, key=None)
        rows.add_answer(tx, 4, key=None)
        assert answers.get_by_key(tx, rows.TENANT, "k") == (made, "a" * 64)
        assert answers.get_by_key(tx, rows.TENANT, "another") is None
    with pytest.raises(IntegrityError), db.write() as tx:
        rows.add_answer(tx, 5, key="k")
    with db.read() as tx:
        assert answers.get_any(tx, "ans_0005") is None


def test_lists_go_on_where_they_ended(db: Database) -> None:
    with db.write() as tx:
        for number in (3, 1, 2):
            rows.add_answer(tx, number)
        rows.add_answer(tx, 4, corpus_id="cor_0002")
        rows.add_answer(tx, 5, tenant="other")

        def ids(corpus: str | None, after: str | None) -> list[str]:
            found = answers.page_through(tx, rows.TENANT, corpus_id=corpus, after=after, limit=2)
            return [one.id[-1] for one in found]

        assert ids(None, None) == ["1", "2"]
        assert ids(None, "ans_0002") == ["3", "4"]
        assert ids("cor_0001", "ans_0002") == ["3"]


def test_an_answer_begins_once_and_may_be_taken_up_again(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx)
        assert answers.unfinished(tx, seat="seat-1") == [made.id]
        assert answers.begin(tx, made.id, rows.later(5))
        assert answers.begin(tx, made.id, rows.later(9))
        known = answers.get_any(tx, made.id)
        assert known is not None
        assert (known.status, known.started_at) == (AnswerStatus.RUNNING, rows.later(5))
        assert answers.unfinished(tx, seat="seat-1") == [made.id]


def test_an_answer_runs_on_one_seat_and_is_taken_up_from_a_dead_one_alone(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx)
        assert answers.unfinished(tx, seat="seat-1", unseated=False) == []
        assert answers.unfinished(tx, seat="seat-1") == [made.id]
        assert answers.begin(tx, made.id, rows.NOW, seat="seat-1")
        assert answers.begin(tx, made.id, rows.NOW, seat="seat-1")  # a store that was away
        assert not answers.begin(tx, made.id, rows.NOW, seat="seat-2")
        assert answers.unfinished(tx, seat="seat-1", unseated=False) == [made.id]
        assert answers.unfinished(tx, seat="seat-2") == []
        answers.reseat(tx, ["seat-3"], "seat-2")
        assert not answers.begin(tx, made.id, rows.NOW, seat="seat-2")
        answers.reseat(tx, ["seat-3", "seat-1"], "seat-2")
        assert answers.begin(tx, made.id, rows.NOW, seat="seat-2")
        assert not answers.begin(tx, made.id, rows.NOW, seat="seat-1")
        assert answers.unfinished(tx, seat="seat-2", unseated=False) == [made.id]


def test_one_answers_wish_to_stop_is_found_among_many(db: Database) -> None:
    with db.write() as tx:
        made = [rows.add_answer(tx, number).id for number in (1, 2, 3)]
        answers.request_cancel(tx, made[1])
        assert answers.cancels_requested(tx, made) == {made[1]}
        assert answers.cancels_requested(tx, [made[0], made[2]]) == set()


@pytest.mark.parametrize("status", [status for status in AnswerStatus if status.final])
def test_a_final_answer_never_begins_again(db: Database, status: AnswerStatus) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx)
        answers.conclude(tx, replace(made, status=status))
        assert not answers.begin(tx, made.id, rows.NOW)
        assert answers.unfinished(tx, seat="seat-1") == []


def test_everything_of_the_end_is_kept(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx)
        ended = replace(
            made,
            status=AnswerStatus.DONE,
            text="Because “it” says so ß漢.",
            citations=({"mark": "[D1 p.2]", "verdict": "verified"}, {"mark": "[D2 p.1]"}),
            usage=Usage(900_000, 2_000, cached_tokens=128, reasoning_tokens=7, cache_write_tokens=3),
            actual_usd=Decimal("9.0900000000001"),
            finish_reason="stop",
            refusal="no",
            output={"verdict": [1, None]},
            error=Failure("code", "detail"),
            first_token_at=rows.later(3),
            finished_at=rows.later(4),
        )
        answers.conclude(tx, ended)
    with db.read() as tx:
        assert answers.get_any(tx, made.id) == ended


def test_a_stop_is_asked_for_and_seen(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx)
        assert not answers.cancel_requested(tx, made.id)
        answers.request_cancel(tx, made.id)
        assert answers.cancel_requested(tx, made.id)


def test_events_keep_their_order_and_are_read_from_anywhere(db: Database) -> None:
    events = [Event(n, "delta", {"text": f"piece {n}"}) for n in range(1, 13)]
    with db.write() as tx:
        one, two = rows.add_answer(tx, 1), rows.add_answer(tx, 2)
        answers.add_events(tx, one.id, events[6:])
        answers.add_events(tx, one.id, events[:6])
        answers.add_events(tx, one.id, [])
        answers.add_events(tx, two.id, events[:1])
        assert answers.events_after(tx, one.id, 0) == events
        assert answers.events_after(tx, one.id, 9) == events[9:]
        assert answers.events_after(tx, one.id, 12) == []
    with pytest.raises(IntegrityError), db.write() as tx:
        answers.add_events(tx, one.id, [Event(5, "delta", {})])


def test_the_end_of_the_stream_is_found(db: Database) -> None:
    with db.write() as tx:
        one, two = rows.add_answer(tx, 1), rows.add_answer(tx, 2)
        answers.add_events(tx, one.id, [Event(1, "delta", {}), Event(1_000_001, "error", {"n": 1})])
        answers.add_events(tx, two.id, [Event(1, "delta", {})])
        assert answers.terminal_event(tx, one.id) == Event(1_000_001, "error", {"n": 1})
        assert answers.terminal_event(tx, two.id) is None


def test_calls_are_kept_in_the_plans_order(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx)
        second, first = rows.add_call(tx, made, 1), rows.add_call(tx, made, 0)
        assert answers.calls_of(tx, made.id) == [first, second]
        assert answers.call_of(tx, made.id, 1) == second
        assert answers.call_of(tx, made.id, 2) is None
    with pytest.raises(IntegrityError), db.write() as tx:
        rows.add_call(tx, made, 1)


def test_a_call_is_taken_once_and_only_when_ready(db: Database) -> None:
    with db.write() as tx:
        call = rows.add_call(tx, rows.add_answer(tx))
        assert not answers.take_for_sending(tx, "ans_none.0", rows.NOW)
        assert answers.take_for_sending(tx, call.id, rows.later(1))
        assert not answers.take_for_sending(tx, call.id, rows.later(2))
        sent = answers.call_of(tx, call.answer_id, 0)
        assert sent == replace(call, state=CallState.SENT, attempts=1, sent_at=rows.later(1))
    for state in (CallState.DONE, CallState.FAILED, CallState.IN_DOUBT):
        with db.write() as tx:
            answers.close_call(tx, replace(call, state=state), reply=None, at=rows.NOW)
            assert not answers.take_for_sending(tx, call.id, rows.NOW)


def test_everything_of_a_reply_is_kept(db: Database) -> None:
    with db.write() as tx:
        call = rows.add_call(tx, rows.add_answer(tx))
        answers.take_for_sending(tx, call.id, rows.later(1))
        ended = replace(
            call,
            state=CallState.DONE,
            attempts=1,
            text="said",
            usage=Usage(1, 2, 0, 1, 0),
            finish_reason="length",
            refusal="r",
            service_tier="flex",
            actual_usd=Decimal("0.00000000001"),
            error=Failure("a", "b"),
            sent_at=rows.later(1),
        )
        answers.close_call(tx, ended, reply={"id": "chatcmpl"}, at=rows.later(2))
        assert answers.call_of(tx, call.answer_id, 0) == ended


def test_of_many_rivals_one_takes_each_call(db: Database) -> None:
    with db.write() as tx:
        made = rows.add_answer(tx)
        for part in range(rivals.CALLS):
            rows.add_call(tx, made, part)
    won = rivals.compete(db.url, rivals.take_every_call, processes=2, threads=8)
    assert len(won) == 16
    assert sum(won) == rivals.CALLS
    with db.read() as tx:
        assert {call.attempts for call in answers.calls_of(tx, made.id)} == {1}


def done(
    db: Database, number: int, prefix: str, *, at: float, state: CallState = CallState.DONE, **other: str
) -> Call:
    with db.write() as tx:
        call = rows.add_call(tx, rows.add_answer(tx, number, **{"engine": "openai", **other}), prefix=prefix)
        answers.take_for_sending(tx, call.id, rows.later(at))
        answers.close_call(tx, replace(call, state=state), reply=None, at=rows.later(at + 5))
    return call


def test_a_call_is_crowded_while_another_with_its_prefix_is_under_way(db: Database) -> None:
    one, two = "1" * 64, "2" * 64
    first, meanwhile, afterwards = (
        done(db, number, one, at=at) for number, at in ((1, 10), (2, 12), (3, 20))
    )
    done(db, 4, two, at=11)
    done(db, 5, one, at=19, state=CallState.FAILED)
    done(db, 6, one, at=19, model="gpt-5.4")
    done(db, 7, one, at=19, engine="offline")
    done(db, 8, one, at=19, tenant="another")

    def crowded(call: Call, at: float) -> bool:
        with db.read() as tx:
            where = {"tenant": rows.TENANT, "engine": "openai", "model": "gpt-5.5"}
            return crowding.was_crowded(tx, call.id, one, rows.later(at), **where)

    assert [crowded(first, 10), crowded(meanwhile, 12), crowded(afterwards, 20)] == [False, True, False]

"""What is learnt, as rows: observations, packs that may be cached, rate limits."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from service.domain import caching
from service.domain.caching import Block, Chain, Sent
from service.domain.rates import RateLimits
from service.store import learnt, observations, prefixes, rate_limits, tallies
from service.store.learnt import Learnt
from service.store.observations import Observation
from service.store.session import Database, Transaction
from tests.store import rows

AT = {"engine": "openai", "model": "gpt-5.5"}
OWN = {"tenant": rows.TENANT, **AT}


def observed(db: Database, number: int, **other: Any) -> Observation:  # noqa: ANN401 - the value's own fields
    values: dict[str, Any] = {
        **OWN,
        "at": rows.later(number),
        "effort": "medium",
        "kind": "answer",
        "tier": "standard",
        "pictures": 0,
        "predicted_prompt_tokens": 100,
        "counted_prompt_tokens": 100,
        "prompt_tokens": 100 + number,
        "forecast_cached_tokens": 0,
        "cached_tokens": None,
        "expected_completion_tokens": 20,
        "completion_tokens": 10 * number,
        "expected_usd": Decimal("0.0000000001"),
        "actual_usd": None,
        **other,
    }
    with db.write() as tx:
        call = rows.add_call(tx, rows.add_answer(tx, number))
        made = Observation(call_id=call.id, **values)
        observations.add(tx, made)
    return made


def known(tx: Transaction, **other: Any) -> Learnt:  # noqa: ANN401 - what the look is told
    at = {**AT, "effort": "medium", "latest": 50, "limited_as": "nobody", "since": rows.later(-1)}
    return learnt.of_model(tx, **{**at, **other})


def test_an_observation_comes_back_as_it_was(db: Database) -> None:
    made = observed(db, 1)
    with db.read() as tx:
        assert observations.of_answer(tx, [made.call_id, "other"]) == [made]


def test_counts_are_learnt_from_texts_of_that_engine_and_model(db: Database) -> None:
    for number in (1, 2, 3):
        observed(db, number)
    observed(db, 4, kind="merge")
    observed(db, 5, pictures=1)
    observed(db, 6, model="gpt-5.4")
    observed(db, 7, engine="oxen")
    with db.read() as tx:
        assert sorted(known(tx).differences) == [1, 2, 3]
        assert sorted(known(tx, latest=2).differences) == [2, 3]


def test_lengths_are_learnt_by_effort(db: Database) -> None:
    observed(db, 1)
    observed(db, 2, effort="high")
    observed(db, 3)
    with db.read() as tx:
        assert sorted(known(tx).completions) == [10, 30]
        assert known(tx, latest=1).completions == [30]
        assert known(tx, effort="none").completions == []


def test_what_another_process_learns_is_known_at_once(db: Database) -> None:
    other = Database(db.url)
    for number in (1, 2):
        observed(other, number)
        with db.read() as tx:
            assert sorted(known(tx).differences) == list(range(1, number + 1))
    other.close()


def test_nothing_is_learnt_from_nothing(db: Database) -> None:
    with db.read() as tx:
        assert known(tx) == Learnt([], [], RateLimits())


def chain(*names: str) -> Chain:
    return caching.chain_of(Block(name, name, 10) for name in names)


def pack(sha: str, chain_: Chain, *, corpus: str = "cor_1", at: float = 0) -> Sent:
    return Sent(sha, corpus, rows.later(at), "lead", chain_)


def remember(db: Database, sent: Sent, **other: str) -> None:
    with db.write() as tx:
        oldest = sent.used_at - timedelta(days=1)
        prefixes.remember(tx, sent, [("doc_1", "a.txt")], oldest=oldest, **{**OWN, **other})


def found(db: Database, *heads: str, corpus: str = "cor_1") -> list[Sent]:
    with db.read() as tx:
        return prefixes.resembling(tx, corpus_id=corpus, heads=heads, **OWN)


def test_packs_come_back_by_corpus_and_by_beginning_latest_first(db: Database) -> None:
    one, two = pack("1", chain("a", "b"), at=1), pack("2", chain("a"), corpus="cor_2", at=2)
    for sent in (one, two, pack("3", chain("c"), corpus="cor_3")):
        remember(db, sent)
    remember(db, pack("4", chain("a")), tenant="other")
    remember(db, pack("5", chain("a")), model="gpt-5.4")
    assert found(db, chain("a").head) == [two, one]
    assert found(db, corpus="cor_2") == [two]
    assert found(db, corpus="cor_9") == []
    with db.read() as tx:
        assert prefixes.documents_of(tx, "1", **OWN) == [("doc_1", "a.txt")]
        assert prefixes.documents_of(tx, "9", **OWN) == []


def test_many_other_packs_of_a_corpus_hide_none_that_begins_so(db: Database) -> None:
    remember(db, pack("whole", chain("a", "b"), at=1))
    for number in range(40):
        remember(db, pack(f"ranked {number}", chain(f"c{number}"), at=2 + number))
    packs = found(db, chain("a").head)
    assert packs[-1].prefix_sha256 == "whole"
    assert [one.used_at for one in packs] == sorted((one.used_at for one in packs), reverse=True)


def test_a_pack_is_kept_once_and_for_a_day(db: Database) -> None:
    remember(db, pack("1", chain("a"), at=1))
    remember(db, pack("1", chain("a"), at=5))
    assert [sent.used_at for sent in found(db)] == [rows.later(5)]
    remember(db, pack("2", chain("b"), at=90_000))
    assert [sent.prefix_sha256 for sent in found(db)] == ["2"]


def test_old_packs_are_looked_for_once_a_minute(db: Database) -> None:
    day = 86_400
    remember(db, pack("1", chain("a"), at=1))
    remember(db, pack("2", chain("b"), at=30))
    remember(db, pack("3", chain("c"), at=day + 1.5))
    assert [sent.prefix_sha256 for sent in found(db)] == ["3", "2"]
    remember(db, pack("4", chain("d"), at=day + 31))
    assert [sent.prefix_sha256 for sent in found(db)] == ["4", "3", "2"]
    remember(db, pack("5", chain("e"), at=day + 62))
    assert [sent.prefix_sha256 for sent in found(db)] == ["5", "4", "3"]


def test_the_last_limit_of_a_band_holds_for_a_while(db: Database) -> None:
    with db.write() as tx:
        for limit, band in ((500, "long"), (300, "short"), (400, "short")):
            rate_limits.remember(tx, limit, band=band, at=rows.NOW, **AT)  # type: ignore[arg-type]
    with db.read() as tx:
        assert known(tx, limited_as="openai").limits == RateLimits(short=400, long=500)
        assert known(tx, limited_as="openai", since=rows.later(1)).limits == RateLimits()
        assert known(tx, limited_as="oxen").limits == RateLimits()


def test_limits_of_all_accounts_and_tiers_of_an_engine_are_forgotten_together(db: Database) -> None:
    held = ("openai/standard/a", "openai/flex/b", "openai-too/standard/a")
    with db.write() as tx:
        for engine in held:
            rate_limits.remember(tx, 500, engine=engine, model="m", band="short", at=rows.NOW)
        rate_limits.forget(tx, engine="openai", model="m")
    with db.read() as tx:
        left = [known(tx, model="m", limited_as=one).limits.short for one in held]
    assert left == [None, None, 500]


def test_tallies_of_an_empty_store_are_zero(db: Database) -> None:
    with db.read() as tx:
        assert (tallies.answers_by_status(tx), tallies.tokens(tx), tallies.forecasts(tx)) == ({}, [], [])
        assert (tallies.spent_micros(tx), tallies.calls_in_doubt(tx), tallies.documents_waiting(tx)) == (
            0,
            0,
            0,
        )

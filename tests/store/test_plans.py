"""Plans as rows: what was offered comes back whole, until its time is over."""

from __future__ import annotations

import json
from dataclasses import replace

from service.domain.kept import KeptObject
from service.store import corpora, plans
from service.store.plans import StoredPlan
from service.store.session import Database
from tests.store import rows


def plan(number: int = 1, *, expires: float = 3600) -> StoredPlan:
    return StoredPlan(
        id=f"pln_{number}",
        tenant=rows.TENANT,
        corpus_id="cor_0001",
        request={"text": "What?", "strategies": ["whole"], "top_p": None},
        plan={"estimate": {"max_usd": "1.42"}, "calls": []},
        fingerprint="f" * 64,
        created_at=rows.NOW,
        expires_at=rows.later(expires),
    )


def test_an_offer_comes_back_whole_to_its_tenant(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx)
        plans.add(tx, [plan(1), plan(2)])
        plans.add(tx, [])
        assert plans.get(tx, rows.TENANT, "pln_2") == plan(2)
        assert plans.get(tx, "other", "pln_2") is None
        assert plans.get(tx, rows.TENANT, "pln_3") is None


def test_a_plan_over_many_documents_comes_back_whole(db: Database) -> None:
    names = [f"doc_{number:04}" for number in range(300)]
    told = {
        "calls": [{"document_ids": names, "documents": [{"document_id": one, "tokens": 4} for one in names]}],
        "coverage": {"documents_in": names, "documents_out": []},
    }
    with db.write() as tx:
        rows.add_corpus(tx)
        plans.add(tx, [replace(plan(1), plan=told), replace(plan(2), plan=told)])
        kept = [len(text) for (text,) in tx.exec_driver_sql("select plan from plans")]
        assert max(kept) < len(json.dumps(told)) / 2
        assert plans.get(tx, rows.TENANT, "pln_1") == replace(plan(1), plan=told)
        assert plans.get(tx, rows.TENANT, "pln_2") == replace(plan(2), plan=told)


def test_a_short_plan_that_its_answer_holds_too_comes_back_whole(db: Database) -> None:
    one = KeptObject(plan(1).plan | {"names": ["a"] * 20})
    long = KeptObject(plan(2).plan | {"names": [f"doc_{number:04}" for number in range(2_000)]})
    with db.write() as tx:
        rows.add_corpus(tx)
        plans.add(tx, [replace(plan(1), plan=one), replace(plan(2), plan=long)])
        assert plans.get(tx, rows.TENANT, "pln_1") == replace(plan(1), plan=dict(one))
        assert plans.get(tx, rows.TENANT, "pln_2") == replace(plan(2), plan=dict(long))


def test_only_what_has_expired_is_forgotten(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx)
        plans.add(tx, [plan(1, expires=10), plan(2, expires=20), plan(3, expires=30)])
        assert plans.forget_expired(tx, rows.later(20)) == 1
        assert plans.forget_expired(tx, rows.later(20)) == 0
        assert plans.get(tx, rows.TENANT, "pln_1") is None
        assert plans.get(tx, rows.TENANT, "pln_2") == plan(2, expires=20)


def test_a_plan_that_was_answered_is_kept(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx)
        plans.add(tx, [plan(1, expires=10), plan(2, expires=10)])
        rows.add_answer(tx, plan_id="pln_2")
        assert plans.forget_expired(tx, rows.later(3600)) == 1
        assert plans.get(tx, rows.TENANT, "pln_1") is None
        assert plans.get(tx, rows.TENANT, "pln_2") == plan(2, expires=10)


def test_a_plan_goes_with_its_corpus(db: Database) -> None:
    with db.write() as tx:
        rows.add_corpus(tx)
        plans.add(tx, [plan()])
        corpora.remove(tx, "cor_0001")
        assert plans.get(tx, rows.TENANT, "pln_1") is None

"""Corpora, their meter, and the plans over REST: the contract's fields and what they add up to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ingest import count_tokens
from service.domain import packing
from tests.support.server import Server
from tests.support.shapes import (
    LISTING,
    METER,
    PLAN,
    PROBLEM,
    fits,
    moment,
    name_of,
)
from tests.support.upstream import Upstream

CORPUS = {"id": name_of("cor"), "name": str, "created_at": moment}


def test_life_of_a_corpus(server: Server, harbour: str) -> None:
    made = server.client.post("/v1/corpora", json={"name": "  Port \n papers "})
    assert made.status_code == 201
    fits(made.json(), CORPUS)
    assert made.json()["name"] == "Port papers"
    path = f"/v1/corpora/{made.json()['id']}"
    assert server.client.patch(path, json={"name": "Renamed"}).json()["name"] == "Renamed"
    for _ in range(2):
        put = server.client.put(f"{path}/documents/{harbour}")
        assert (put.status_code, put.json()["document_ids"]) == (200, [harbour])
    assert server.client.delete(f"{path}/documents/{harbour}").status_code == 204
    assert server.client.delete(f"{path}/documents/{harbour}").status_code == 404
    assert server.client.delete(path).status_code == 204
    assert server.client.get(path).status_code == 404
    assert server.client.get(f"/v1/documents/{harbour}").status_code == 200


def test_order_is_that_of_joining(server: Server) -> None:
    ids = [server.add(f"order{n}.txt", f"Order {n}".encode())["id"] for n in range(3)]
    corpus = server.corpus(ids[2], ids[0])
    server.client.put(f"/v1/corpora/{corpus}/documents/{ids[1]}")
    server.client.delete(f"/v1/corpora/{corpus}/documents/{ids[2]}")
    server.client.put(f"/v1/corpora/{corpus}/documents/{ids[2]}")
    assert server.client.get(f"/v1/corpora/{corpus}").json()["document_ids"] == [ids[0], ids[1], ids[2]]


def test_its_documents_are_listed_in_their_order(server: Server) -> None:
    ids = [str(server.add(f"listed{n}.txt", f"Listed {n}".encode())["id"]) for n in range(3)]
    corpus = server.corpus(ids[2], ids[0], ids[1])
    path = f"/v1/corpora/{corpus}/documents"
    whole = server.client.get(path).json()
    assert [one["id"] for one in whole["data"]] == [ids[2], ids[0], ids[1]]
    assert (whole["has_more"], whole["next"]) == (False, None)
    assert whole["data"][0] == server.client.get(f"/v1/documents/{ids[2]}").json()
    first = server.client.get(path, params={"limit": "2"}).json()
    assert first["has_more"] is True
    server.client.delete(f"{path}/{ids[0]}")  # the one that the cursor stands at
    rest = server.client.get(path, params={"after": first["next"], "limit": "2"}).json()
    assert [one["id"] for one in rest["data"]] == [ids[1]]
    assert (rest["has_more"], rest["next"]) == (False, None)
    assert server.client.get("/v1/corpora/cor_nobody/documents").status_code == 404


def test_corpora_are_listed_page_by_page(server: Server) -> None:
    made = [server.corpus(name=f"Listed {n}") for n in range(3)]
    before = server.client.get("/v1/corpora", params={"limit": "1000"}).json()
    fits(before, {**LISTING, "data": [CORPUS]})
    first = server.client.get("/v1/corpora", params={"limit": "1"}).json()
    assert (first["has_more"], first["next"]) == (True, before["data"][0]["id"])
    after = server.client.get("/v1/corpora", params={"after": made[0]}).json()
    assert [one["id"] for one in after["data"]] == made[1:]
    assert (after["has_more"], after["next"]) == (False, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/documents/doc_x"),
        ("GET", "/v1/documents/doc_x/pages"),
        ("GET", "/v1/documents/doc_x/pages/1"),
        ("GET", "/v1/documents/doc_x/content"),
        ("GET", "/v1/documents/doc_x/events"),
        ("DELETE", "/v1/documents/doc_x"),
        ("GET", "/v1/corpora/cor_x"),
        ("PATCH", "/v1/corpora/cor_x"),
        ("DELETE", "/v1/corpora/cor_x"),
        ("PUT", "/v1/corpora/cor_x/documents/doc_x"),
        ("DELETE", "/v1/corpora/cor_x/documents/doc_x"),
        ("GET", "/v1/corpora/cor_x/meter"),
        ("POST", "/v1/corpora/cor_x/plans"),
        ("POST", "/v1/corpora/cor_x/answers"),
        ("GET", "/v1/plans/pln_x"),
        ("GET", "/v1/plans/pln_x/pages"),
        ("GET", "/v1/answers/ans_x"),
        ("GET", "/v1/answers/ans_x/events"),
        ("POST", "/v1/answers/ans_x/cancel"),
        ("GET", "/v1/models/nothing"),
        ("GET", "/v1/nowhere"),
    ],
)
def test_foreign_ids_are_not_found(server: Server, method: str, path: str) -> None:
    bodies = {"PATCH": {"name": "n"}, "POST": {"question": "q"}}
    response = server.client.request(method, path, json=bodies.get(method))
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    fits(response.json(), PROBLEM)
    assert response.json()["code"] == "not_found"


def test_foreign_ids_in_good_corpora(server: Server, corpus: str, harbour: str) -> None:
    other = server.corpus(harbour)
    plan = server.plans(other, question="When?")["whole"]
    responses = [
        server.client.post("/v1/corpora", json={"name": "n", "document_ids": ["doc_x"]}),
        server.client.put(f"/v1/corpora/{corpus}/documents/doc_x"),
        server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": "q", "document_ids": ["doc_x"]}),
        server.ask(corpus, question="q", model="gpt-nothing"),
        server.ask(corpus, plan_id="pln_x"),
        server.ask(corpus, plan_id=plan["id"]),
        server.client.get(f"/v1/corpora/{corpus}/meter", params={"model": "gpt-nothing"}),
    ]
    assert [response.status_code for response in responses] == [404] * len(responses)


def test_meter(server: Server, corpus: str, harbour: str) -> None:
    meter = server.client.get(f"/v1/corpora/{corpus}/meter").json()
    fits(meter, METER)
    assert meter["threshold"] == {
        "at": 272_000,
        "remaining": 272_000 - meter["input_tokens"],
        "status": "below",
    }
    assert meter["window"] == {
        "max_input": 922_000,
        "remaining": 922_000 - meter["input_tokens"],
        "status": "below",
    }
    (shown,) = meter["documents"]
    assert shown["document_id"] == harbour
    assert shown["share"] == round(shown["tokens"] / meter["input_tokens"], 6)


def test_meter_of_an_empty_corpus(server: Server) -> None:
    meter = server.client.get(f"/v1/corpora/{server.corpus()}/meter").json()
    fits(meter, METER)
    assert meter["documents"] == []


def test_meter_and_unread_documents(server: Server) -> None:
    broken = server.add("meter.pdf", b"%PDF-1.7\nbroken for the meter")
    meter = server.client.get(f"/v1/corpora/{server.corpus(broken['id'])}/meter").json()
    fits(meter, METER)
    assert [warning["code"] for warning in meter["warnings"]] == ["documents_not_ready"]


def test_meter_says_what_is_over(server: Server, large: list[str]) -> None:
    meter = server.client.get(f"/v1/corpora/{server.corpus(*large)}/meter").json()
    fits(meter, METER)
    assert meter["threshold"]["status"] == "over"
    (warning,) = (one for one in meter["warnings"] if one["code"] == "over_threshold")
    assert {fix["do"] for fix in warning["fixes"]} == {"use_strategy", "leave_out"}
    long = Decimal(meter["input_tokens"]) * 10 / 1_000_000
    assert Decimal(meter["per_question"]["cold_usd"]) > long


def test_plans(server: Server, corpus: str, upstream: Upstream, harbour: str) -> None:
    body = {"question": "When did it open?", "expected_questions": 25}
    response = server.client.post(f"/v1/corpora/{corpus}/plans", json=body)
    assert response.status_code == 201
    offered = response.json()
    fits(offered, {"data": [PLAN], "recommended": name_of("pln"), "warnings": [{"code": str, "detail": str}]})
    whole, split = offered["data"]
    assert offered["recommended"] == whole["id"]
    assert (whole["feasible"], whole["coverage"]["documents_in"]) == (True, [harbour])
    assert (split["feasible"], split["infeasible_because"] is not None) == (False, True)
    cost = whole["cost"]
    amounts = [Decimal(cost[name]) for name in ("min_usd", "warm_usd", "expected_usd", "max_usd")]
    assert amounts == sorted(amounts)
    assert 25 in [one["n"] for one in cost["for_questions"]]
    ceiling = (Decimal(whole["input_tokens"]) * 5 + Decimal(whole["reserved_output_tokens"]) * 30) / 1_000_000
    assert Decimal(cost["max_usd"]) == ceiling
    assert server.client.get(f"/v1/plans/{whole['id']}").json() == whole
    assert upstream.requests == []


def test_receipt_adds_up(server: Server, large: list[str]) -> None:
    plans = server.plans(server.corpus(*large), question="Which vessel?")
    receipt = server.client.get(f"/v1/plans/{plans['split']['id']}/pages").json()
    fits(receipt, {"data": [{"call": int, "document_id": name_of("doc"), "page": int, "tokens": int}]})
    for number, call in enumerate(plans["split"]["calls"]):
        pages = [line for line in receipt["data"] if line["call"] == number]
        tags = sum(
            count_tokens(packing.wrapper(part["ordinal"], part["filename"])) for part in call["documents"]
        )
        assert sum(line["tokens"] for line in pages) + tags == sum(
            part["tokens"] for part in call["documents"]
        )
    seen = [(line["document_id"], line["page"]) for line in receipt["data"]]
    assert len(seen) == len(set(seen)) == plans["split"]["coverage"]["pages_total"]


def test_selected_names_what_stays_out(server: Server, large: list[str]) -> None:
    corpus = server.corpus(*large)
    plan = server.plans(corpus, question="Which?", document_ids=[large[1]])["selected"]
    fits(plan, PLAN)
    assert plan["coverage"]["documents_in"] == [large[1]]
    out = plan["coverage"]["documents_out"]
    assert [(one["document_id"], one["reason"]) for one in out] == [
        (one, "not_selected") for one in large if one != large[1]
    ]
    assert 0 < plan["coverage"]["tokens_share"] < 1


@pytest.mark.parametrize("tier", ["flex", "batch"])
def test_tiers_are_priced(server: Server, corpus: str, tier: str) -> None:
    usual = server.plans(corpus, question="When?")["whole"]
    cheaper = server.plans(corpus, question="When?", service_tier=tier)["whole"]
    assert (cheaper["service_tier"], cheaper["input_tokens"]) == (tier, usual["input_tokens"])
    assert Decimal(cheaper["cost"]["max_usd"]) * 2 == Decimal(usual["cost"]["max_usd"])


def test_unknown_price_is_said(server: Server, large: list[str]) -> None:
    whole = server.plans(server.corpus(*large), question="Which?", service_tier="priority")["whole"]
    fits(whole, PLAN)
    assert whole["cost"] is None
    assert "price_unknown" in [warning["code"] for warning in whole["warnings"]]


def test_empty_corpus_has_no_price(server: Server) -> None:
    response = server.client.post(f"/v1/corpora/{server.corpus()}/plans", json={"question": "When?"})
    assert response.status_code == 422
    fits(response.json(), PROBLEM)


def test_unread_documents_have_no_price(server: Server) -> None:
    broken = server.add("plan.pdf", b"%PDF-1.7\nbroken for the plan")
    failed = server.client.post(
        f"/v1/corpora/{server.corpus(broken['id'])}/plans", json={"question": "When?"}
    )
    assert (failed.status_code, failed.json()["code"]) == (409, "document_failed")
    assert failed.json()["fixes"][0]["document_id"] == broken["id"]
    fits(failed.json(), PROBLEM)
    unread = server.upload("unread.txt", b"word " * 300_000).json()["data"][0]
    waiting = server.client.post(
        f"/v1/corpora/{server.corpus(unread['id'])}/plans", json={"question": "When?"}
    )
    assert (waiting.status_code, waiting.json()["code"]) == (409, "document_not_ready")
    assert waiting.json()["fixes"][0]["document_id"] == unread["id"]
    server.read(unread["id"])

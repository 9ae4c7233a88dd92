"""Ranked packs over REST: a part of the corpus is read, exactly counted, said page by page, and binding."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from service.domain import catalog
from service.store import search
from service.usecases import arrange_corpus, index_pages
from service.usecases.context import LOCAL
from tests.api.conftest import prose
from tests.api.test_money import check_settled, counted, problem_of
from tests.support.billing import text_of
from tests.support.server import Json, Server
from tests.support.upstream import Upstream
from tests.support.wasteful import BLANK, Leaf, store

HEAD = "Harbour office, annual report\nConfidential\n"
QUESTION = "How many lighthouses did Ostrava keep in FY18?"


def leaves(seed: int, pages: int, *, lines: int = 25) -> list[Leaf]:
    text = prose(seed, lines * pages).decode().splitlines()
    return [Leaf("\n".join(text[lines * n : lines * (n + 1)]), HEAD) for n in range(pages)]


@pytest.fixture(scope="module")
def reports(server: Server) -> list[str]:
    """Six reports of twenty pages, 65,000 tokens together; two pages speak of lighthouses."""
    ctx = server.context
    books = [leaves(seed, 20) for seed in range(6)]
    books[3][11] = Leaf("Ostrava kept 14 lighthouses in 2018.\n" + books[3][11].body, HEAD)
    books[5][2] = Leaf("A lighthouse burnt down.\n" + books[5][2].body, HEAD)
    books[5][3] = BLANK
    names = [
        "Brno_2017.pdf",
        "Brno_2018.pdf",
        "Ostrava_2017.pdf",
        "Ostrava_FY18.pdf",
        "Plzen.pdf",
        "scan1.pdf",
    ]
    return [store(ctx, name, book) for name, book in zip(names, books, strict=True)]


@pytest.fixture
def corpus(server: Server, reports: list[str]) -> str:
    """A corpus of them all."""
    return server.corpus(*reports)


def plans_of(server: Server, corpus: str, **more: Any) -> list[Json]:  # noqa: ANN401 - any parameter
    response = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": QUESTION, **more})
    assert response.status_code == 201, response.text
    return [plan for plan in response.json()["data"] if plan["strategy"] == "ranked"]


def ranked(server: Server, corpus: str, **more: Any) -> Json:  # noqa: ANN401 - any parameter
    (plan,) = plans_of(server, corpus, **more)
    return plan


def pages_of(server: Server, plan: Json) -> list[tuple[str, int]]:
    receipt = server.client.get(f"/v1/plans/{plan['id']}/pages").json()["data"]
    return [(row["document_id"], row["page"]) for row in receipt]


def answer(server: Server, corpus: str, **body: Any) -> Any:  # noqa: ANN401 - a reply
    return server.client.post(f"/v1/corpora/{corpus}/answers", json=body)


def test_a_budget_that_the_corpus_passes_is_offered_and_never_passed(
    server: Server, corpus: str, reports: list[str]
) -> None:
    plan = ranked(server, corpus)
    assert plan["feasible"]
    assert plan["budget_tokens"] == 32_000
    assert 25_000 < plan["input_tokens"] <= 32_000
    assert (reports[3], 12) in pages_of(server, plan)
    assert (reports[5], 3) in pages_of(server, plan)
    assert plan["cache"]["reusable"] is False
    cost = {one["n"]: float(one["usd"]) for one in plan["cost"]["for_questions"]}
    assert cost[10] == pytest.approx(10 * float(plan["cost"]["cold_usd"]))


def test_every_page_is_either_read_or_said_to_be_left_out(
    server: Server, corpus: str, reports: list[str]
) -> None:
    plan = ranked(server, corpus, budget_tokens=12_000)
    coverage = plan["coverage"]
    inside = pages_of(server, plan)
    assert inside == sorted(inside, key=lambda page: (reports.index(page[0]), page[1]))
    out = [(one["document_id"], page) for one in coverage["pages_out"] for page in one["pages"]]
    for one in coverage["documents_out"]:
        assert (one["pages"], one["reason"]) == (20, "ranked_lower")
        out.extend((one["document_id"], page) for page in range(1, 21))
    assert sorted(inside + out) == sorted((name, page) for name in reports for page in range(1, 21))
    assert {one["reason"] for one in coverage["pages_out"]} == {"ranked_lower"}
    assert coverage["pages_in"] == len(inside)
    assert coverage["pages_total"] == 120
    assert set(coverage["documents_in"]) == {name for name, _ in inside}
    receipt = server.client.get(f"/v1/plans/{plan['id']}/pages").json()["data"]
    wrappers = {one["document_id"]: one["tokens"] for call in plan["calls"] for one in call["documents"]}
    assert sum(row["tokens"] for row in receipt) < sum(wrappers.values()) < plan["input_tokens"] <= 12_000
    whole = server.client.post(
        f"/v1/corpora/{corpus}/plans", json={"question": QUESTION, "strategies": ["whole"]}
    ).json()["data"][0]
    share = sum(wrappers.values()) / sum(one["tokens"] for one in whole["calls"][0]["documents"])
    assert coverage["tokens_share"] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    "more",
    [{}, {"leave_out": ["repeated", "blank"]}, {"system_prompt": "Be brief.\n/end"}],
    ids=["plain", "lean", "instructions"],
)
def test_the_plan_counts_what_is_sent(server: Server, upstream: Upstream, corpus: str, more: Json) -> None:
    plan = ranked(server, corpus, budget_tokens=9_000, **more)
    done = answer(server, corpus, plan_id=plan["id"])
    assert done.status_code == 201, done.text
    (request,) = upstream.requests
    assert counted(request.body) == plan["input_tokens"]
    sent = text_of(request.body["messages"][1])
    assert "Ostrava kept 14 lighthouses" in sent
    assert sent.count("<page n=") == plan["coverage"]["pages_in"]
    assert done.json()["coverage"] == plan["coverage"]
    check_settled(server, done.json(), upstream)


def test_a_plan_that_was_offered_is_not_ranked_again(
    server: Server, upstream: Upstream, corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = (ranked(server, corpus, budget_tokens=budget) for budget in (5_000, 20_000))
    monkeypatch.setattr(search.PageIndex, "search", None)
    monkeypatch.setattr(search.PageIndex, "is_ready", None)
    for plan in (large, small):
        done = answer(server, corpus, plan_id=plan["id"])
        assert done.status_code == 201, done.text
        assert done.json()["usage"]["prompt_tokens"] == plan["input_tokens"]
    assert len(upstream.requests) == 2


def test_a_plan_whose_documents_are_gone_does_not_hold(server: Server, corpus: str) -> None:
    plan = ranked(server, corpus, budget_tokens=9_000)
    gone = plan["coverage"]["documents_in"][0]
    assert server.client.delete(f"/v1/corpora/{corpus}/documents/{gone}").status_code == 204
    assert problem_of(answer(server, corpus, plan_id=plan["id"]), 409, "plan_changed")


def test_a_document_more_changes_no_plan_that_does_not_read_it(
    server: Server, upstream: Upstream, corpus: str, harbour: str
) -> None:
    plan = ranked(server, corpus, budget_tokens=9_000)
    assert server.client.put(f"/v1/corpora/{corpus}/documents/{harbour}").status_code == 200
    assert answer(server, corpus, plan_id=plan["id"]).status_code == 201
    assert len(upstream.requests) == 1


def test_it_can_be_asked_without_a_plan(server: Server, upstream: Upstream, corpus: str) -> None:
    done = answer(server, corpus, question=QUESTION, strategy="ranked", budget_tokens=6_000)
    assert done.status_code == 201, done.text
    (request,) = upstream.requests
    assert counted(request.body) <= 6_000
    assert "Ostrava kept 14 lighthouses" in text_of(request.body["messages"][1])


def test_questions_asked_together_share_one_pack(
    server: Server, upstream: Upstream, corpus: str, reports: list[str]
) -> None:
    body = {"questions": [QUESTION, "What did Plzen ship?"], "budget_tokens": 8_000, "strategies": ["ranked"]}
    offered = server.client.post(f"/v1/corpora/{corpus}/plans", json=body).json()
    (plan,) = offered["data"]
    assert {reports[3], reports[4]} <= set(plan["coverage"]["documents_in"])
    assert plan["cost"]["one_by_one_usd"] is None  # each alone would read other pages
    assert answer(server, corpus, plan_id=plan["id"]).status_code == 201
    (request,) = upstream.requests
    assert counted(request.body) == plan["input_tokens"] <= 8_000


def test_it_is_not_recommended_for_being_cheaper(server: Server, corpus: str) -> None:
    response = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": QUESTION}).json()
    names = {plan["id"]: plan["strategy"] for plan in response["data"]}
    assert names[response["recommended"]] == "whole"


def test_the_name_leads_to_the_right_document(server: Server, corpus: str, reports: list[str]) -> None:
    for question, at in (("What was shipped by Plzen?", 4), ("Cargo of Brno in FY2017", 0)):
        plan = ranked(server, corpus, question=question, budget_tokens=4_000)
        assert {name for name, _ in pages_of(server, plan)} == {reports[at]}


def test_only_the_selected_documents_are_ranked(server: Server, corpus: str, reports: list[str]) -> None:
    plan = ranked(server, corpus, document_ids=reports[4:], budget_tokens=4_000)
    assert {name for name, _ in pages_of(server, plan)} <= set(reports[4:])
    assert {
        one["document_id"] for one in plan["coverage"]["documents_out"] if one["reason"] == "not_selected"
    } == set(reports[:4])


def test_a_question_that_names_nothing_is_told_to_narrow(
    server: Server, corpus: str, reports: list[str]
) -> None:
    named, unnamed = (
        ranked(server, corpus, question=question, budget_tokens=4_000)
        for question in (QUESTION, "How many lighthouses burnt?")
    )
    assert "question_names_nothing" not in {one["code"] for one in named["warnings"]}
    (warning,) = [one for one in unnamed["warnings"] if one["code"] == "question_names_nothing"]
    (fix,) = warning["fixes"]
    assert fix["do"] == "narrow"
    assert fix["document_ids"][0] == reports[5]
    assert ranked(server, corpus, document_ids=fix["document_ids"][:1], budget_tokens=4_000)["feasible"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"question": "zzyzx?"}, "nothing_matches"),
        ({"budget_tokens": 500_000}, "not_needed"),
        ({"budget_tokens": 5_000_000}, "over_window"),
        ({"budget_tokens": 2_000, "system_prompt": "word " * 3_000}, "over_budget"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_can_not_be_ranked_is_listed_with_the_reason_and_a_way_out(
    server: Server, corpus: str, more: Json, code: str
) -> None:
    plan = ranked(server, corpus, **more)
    assert (plan["feasible"], plan["infeasible_code"]) == (False, code)
    (warning,) = [one for one in plan["warnings"] if one["code"] == code]
    assert warning["detail"] == plan["infeasible_because"]
    assert warning["fixes"]


def test_a_small_corpus_is_not_offered_parts(server: Server, harbour: str) -> None:
    corpus = server.corpus(harbour)
    assert plans_of(server, corpus) == []
    assert ranked(server, corpus, strategies=["ranked"])["infeasible_code"] == "not_needed"


@pytest.mark.parametrize("budget", [1_999, "many"])
def test_a_budget_is_a_number_of_two_thousand_or_more(server: Server, corpus: str, budget: object) -> None:
    refused = server.client.post(
        f"/v1/corpora/{corpus}/plans", json={"question": QUESTION, "budget_tokens": budget}
    )
    assert refused.status_code == 422


def test_an_index_that_takes_longer_than_a_moment_is_said_to_be_built(
    server: Server, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = server.corpus(*reports)
    monkeypatch.setattr(index_pages, "AT_ONCE_TOKENS", 10)
    plan = ranked(server, corpus)
    assert (plan["infeasible_code"], plan["warnings"][0]["fixes"][0]["do"]) == ("index_building", "wait")
    ctx = server.context
    entries = index_pages.entries_of(arrange_corpus.members(ctx, LOCAL, corpus))
    until = time.monotonic() + 60
    while not ctx.index.is_ready(corpus, entries) and time.monotonic() < until:
        time.sleep(0.05)
    assert ranked(server, corpus)["feasible"]


def test_nothing_dearer_is_asked_while_the_pages_are_being_indexed(
    server: Server, upstream: Upstream, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, question = server.corpus(*reports), "Which lighthouse did Ostrava keep?"
    monkeypatch.setattr(index_pages, "AT_ONCE_TOKENS", 10)
    monkeypatch.setattr(server.context.indexer, "want", lambda *_: None)
    monkeypatch.setattr(catalog.Model, "max_input_tokens", 50_000)
    refused = problem_of(answer(server, corpus, question=question), 409, "index_building")
    assert [fix["do"] for fix in refused["fixes"]] == ["wait", "use_strategy"]
    offered = server.client.post(f"/v1/corpora/{corpus}/plans", json={"question": question}).json()
    assert "still being indexed" in offered["recommended_because"]
    early = next(plan for plan in offered["data"] if plan["infeasible_code"] == "index_building")
    assert not upstream.requests
    refused = problem_of(answer(server, corpus, plan_id=early["id"]), 409, "index_building")
    assert refused["fixes"][0]["do"] == "wait"


def test_where_nothing_can_be_indexed_everything_else_goes_on(
    server: Server, upstream: Upstream, reports: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    corpus = server.corpus(*reports)
    nowhere = tmp_path / "search"
    nowhere.write_text("a file in its place")
    monkeypatch.setattr(server.context.index, "_folder", nowhere)
    plan = ranked(server, corpus)
    assert plan["infeasible_code"] == "index_failed"
    assert "Not a directory" in plan["infeasible_because"]
    assert plan["warnings"][0]["fixes"]
    assert answer(server, corpus, question=QUESTION).status_code == 201
    assert len(upstream.requests) == 1
    assert server.client.delete(f"/v1/corpora/{corpus}").status_code == 204


def test_a_page_that_alone_passes_the_budget_is_told_of(server: Server) -> None:
    ctx = server.context
    large = store(ctx, "tables.pdf", [Leaf("lighthouse " * 9_000), *leaves(41, 3)])
    corpus = server.corpus(large, store(ctx, "notes.pdf", [Leaf("One lighthouse."), *leaves(42, 20)]))
    plan = ranked(server, corpus, question="Which lighthouse?", budget_tokens=6_000)
    (told,) = [one for one in plan["warnings"] if one["code"] == "pages_too_large"]
    assert "Page 1 of tables.pdf" in told["detail"]
    (fix,) = told["fixes"]
    again = ranked(server, corpus, question="Which lighthouse?", budget_tokens=fix["budget_tokens"])
    assert (large, 1) in pages_of(server, again)
    assert "pages_too_large" not in {one["code"] for one in again["warnings"]}


def test_of_questions_together_each_is_to_name_something(server: Server, corpus: str) -> None:
    def codes(*questions: str) -> set[str]:
        plan = ranked(server, corpus, question=None, questions=questions, budget_tokens=4_000)
        return {one["code"] for one in plan["warnings"]}

    assert "question_names_nothing" not in codes("What of Plzen?", "And Ostrava?")
    assert "question_names_nothing" in codes("What of Plzen?", "How many lighthouses burnt?")


def test_a_question_that_matches_nothing_is_refused_with_a_way_out(server: Server, corpus: str) -> None:
    refused = answer(server, corpus, question="zzyzx?", strategy="ranked")
    assert refused.status_code == 422
    assert {fix["do"] for fix in refused.json()["fixes"]} == {"use_strategy", "narrow"}


def test_a_corpus_that_is_removed_takes_its_index_with_it(server: Server, reports: list[str]) -> None:
    corpus = server.corpus(*reports)
    assert ranked(server, corpus)["feasible"]
    assert server.client.delete(f"/v1/corpora/{corpus}").status_code == 204
    assert server.context.index.search(corpus, ("lighthouse",), limit=1) is None


def test_the_same_documents_give_the_same_plan_however_the_index_grew(
    server: Server, reports: list[str]
) -> None:
    at_once, grown = server.corpus(*reports), server.corpus(reports[0])
    for name in reports[1:]:
        index_pages.catch_up(server.context, grown)
        assert server.client.put(f"/v1/corpora/{grown}/documents/{name}").status_code == 200
    calls = [ranked(server, corpus)["calls"] for corpus in (at_once, grown)]
    assert calls[0] == calls[1]


def test_an_index_without_its_counts_is_built_anew_before_anything_is_said(
    server: Server, corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, broken = search._rows, [True]  # noqa: SLF001 - an index that opens and can't be read

    def once(*arguments: Any) -> Any:  # noqa: ANN401 - the library's own
        if broken:
            broken.clear()
            raise ValueError("no such field")
        return usual(*arguments)

    assert ranked(server, corpus)["feasible"]
    monkeypatch.setattr(search, "_rows", once)
    assert ranked(server, corpus)["feasible"]
    assert not broken


def test_what_was_read_is_indexed_before_anybody_asks(server: Server) -> None:
    corpus = server.corpus()
    for volume in range(3):
        server.add(f"read{volume}.txt", prose(90 + volume, 700), corpus_id=corpus)
    ctx = server.context
    entries = index_pages.entries_of(arrange_corpus.members(ctx, LOCAL, corpus))
    assert index_pages.is_worth_it(entries)
    until = time.monotonic() + 60
    while not ctx.index.is_ready(corpus, entries) and time.monotonic() < until:
        time.sleep(0.05)
    assert ctx.index.is_ready(corpus, entries)


def test_what_was_seen_while_ranking_is_told_with_the_answer_too(
    server: Server, corpus: str, upstream: Upstream
) -> None:
    plan = ranked(server, corpus, question="Who was the captain in winter?", budget_tokens=4_000)
    codes = [warning["code"] for warning in plan["warnings"]]
    assert "question_names_nothing" in codes
    asked = answer(server, corpus, plan_id=plan["id"]).json()
    assert asked["status"] == "done"
    assert asked["warnings"] == plan["warnings"]
    assert len(upstream.requests) == 1

"""Waste: what is left out is not sent, not billed and not hidden, and the report says what that saves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.api.conftest import prose
from tests.api.test_money import check_settled, counted, problem_of
from tests.support.billing import text_of
from tests.support.server import Json, Server
from tests.support.shapes import PLAN, fits, maybe, money, name_of, one_of
from tests.support.upstream import Upstream
from tests.support.wasteful import BLANK, Leaf, store

SWITCHES = ["duplicates", "near_duplicates", "repeated", "blank"]
HEAD, FOOT = "Harbour office, annual report\nConfidential\n", "\nPrinted by the port authority"
REPORT = {
    "model": str,
    "tokens": int,
    "share": float,
    "per_question": {"cold_usd": maybe(money), "warm_usd": maybe(money)},
    "items": [
        {
            "kind": one_of("duplicate", "near_duplicate", "repeated", "blank", "no_text", "garbled"),
            "document_id": name_of("doc"),
            "filename": str,
            "of": maybe(name_of("doc")),
            "of_filename": maybe(str),
            "similarity": maybe(float),
            "pages": int,
            "tokens": int,
            "share": float,
            "saves_usd": {"cold": maybe(money), "warm": maybe(money)},
            "leave_out": one_of(*SWITCHES, None),
        }
    ],
    "fixes": [{"do": one_of("leave_out_waste"), "leave_out": [one_of(*SWITCHES)], "saves_tokens": int}],
    "warnings": list,
}


def leaves(seed: int, pages: int, *, lines: int = 12) -> list[Leaf]:
    """Pages between a header and a footer, the second one blank."""
    text = prose(seed, lines * pages).decode().splitlines()
    full = [Leaf("\n".join(text[lines * n : lines * (n + 1)]), HEAD, FOOT) for n in range(pages)]
    return [full[0], BLANK, *full[1:]]


@pytest.fixture(scope="module")
def wasteful(server: Server) -> list[str]:
    """A report, a copy of it, one that differs in a line, another report, and a document without a word."""
    ctx = server.context
    report = leaves(1, 4)
    changed = [*report[:-1], Leaf(report[-1].body + "\nOne more line closes this edition.", HEAD, FOOT)]
    return [
        store(ctx, "report.txt", report),
        store(ctx, "copy.txt", report, salt="other bytes"),
        store(ctx, "changed.txt", changed),
        store(
            ctx, "other.txt", [*leaves(2, 3), Leaf("", flags=("no_text",)), Leaf("??", flags=("garbled",))]
        ),
        store(ctx, "blank.txt", [BLANK, BLANK]),
    ]


@pytest.fixture
def corpus(server: Server, wasteful: list[str]) -> str:
    """A corpus of them all."""
    return server.corpus(*wasteful)


def sent(upstream: Upstream) -> str:
    """The material of the one call."""
    (request,) = upstream.requests
    return text_of(request.body["messages"][1])


@pytest.mark.parametrize(
    "switches", [[], *([name] for name in SWITCHES), SWITCHES], ids=lambda names: "+".join(names) or "none"
)
def test_what_is_sent_counts_what_the_plan_says(
    server: Server, upstream: Upstream, corpus: str, switches: list[str]
) -> None:
    plan = server.plans(corpus, question="Which vessel came?", leave_out=switches)["whole"]
    fits(plan, PLAN)
    answer = server.ask(corpus, plan_id=plan["id"]).json()
    (request,) = upstream.requests
    assert plan["input_tokens"] == counted(request.body) == upstream.invoice[0].prompt_tokens
    assert answer["coverage"] == plan["coverage"]
    check_settled(server, answer, upstream)
    text = sent(upstream)
    assert (HEAD in text, FOOT in text) == ("repeated" not in switches,) * 2
    assert ('<page n="2">\n\n' in text) == ("blank" not in switches)
    assert text.count("Record 1-0:") == 3 - len({"duplicates", "near_duplicates"} & set(switches)) - (
        switches == ["near_duplicates"]
    )
    receipt = server.client.get(f"/v1/plans/{plan['id']}/pages").json()["data"]
    assert len(receipt) == plan["coverage"]["pages_in"] == text.count("<page n=")
    wrappers = plan["input_tokens"] - sum(line["tokens"] for line in receipt)
    assert wrappers > 0
    assert any(line["repeated_tokens_out"] for line in receipt) == ("repeated" in switches)


def test_nothing_is_left_out_silently(server: Server, corpus: str, wasteful: list[str]) -> None:
    coverage = server.plans(corpus, question="Which?", leave_out=SWITCHES)["whole"]["coverage"]
    report, copy, changed, other, blank = wasteful
    assert coverage["documents_in"] == [report, other]
    reasons = {out["document_id"]: out for out in coverage["documents_out"]}
    assert list(reasons) == [copy, changed, blank]
    assert reasons[copy]["reason"] == "says the same as D1 report.txt (100 %)"
    assert (reasons[copy]["of"], reasons[copy]["leave_out"]) == (report, "duplicates")
    assert reasons[changed]["reason"].startswith("says the same as D1 report.txt (9")
    assert reasons[changed]["of"] == report
    assert (reasons[blank]["reason"], reasons[blank]["pages"]) == ("blank", 2)
    assert coverage["pages_out"] == [
        {"document_id": document, "pages": [2], "reason": "blank"} for document in (report, other)
    ]
    assert [out["document_id"] for out in coverage["repeated_out"]] == [report, other]
    out = sum(one["pages"] for one in coverage["documents_out"])
    assert coverage["pages_in"] + out + len(coverage["pages_out"]) == coverage["pages_total"]
    assert coverage["pages_without_text"] == 1
    assert 0 < coverage["tokens_share"] < 0.6


def test_equal_switches_give_equal_prefixes_and_others_never(server: Server, corpus: str) -> None:
    def prefix(*switches: str) -> str:
        plan = server.plans(corpus, question="Which?", leave_out=list(switches))["whole"]
        return str(plan["calls"][0]["prefix_sha256"])

    chosen = [(), *((name,) for name in SWITCHES), ("repeated", "blank"), tuple(SWITCHES)]
    assert len({prefix(*switches) for switches in chosen}) == len(chosen)
    assert prefix("blank", "repeated") == prefix("repeated", "blank", "blank")


def test_a_split_cuts_between_what_is_packed(server: Server, upstream: Upstream) -> None:
    pages = [Leaf("word " * 2_500, HEAD, FOOT) if n % 3 else BLANK for n in range(1, 170)]
    corpus = server.corpus(store(server.context, "long.txt", pages))
    plans = {
        name: server.plans(corpus, question="What?", strategies=["split"], leave_out=switches)["split"]
        for name, switches in (("full", []), ("lean", ["repeated", "blank"]))
    }
    parts = [call for call in plans["lean"]["calls"] if call["kind"] == "part"]
    assert server.ask(corpus, plan_id=plans["lean"]["id"]).status_code == 201
    received = [request.body for request in upstream.requests if "<findings" not in str(request.body)]
    assert sorted(map(counted, received)) == sorted(part["input_tokens"] for part in parts)
    assert sum(text_of(body["messages"][1]).count("<page n=") for body in received) == 113
    assert plans["lean"]["input_tokens"] < plans["full"]["input_tokens"]
    assert plans["lean"]["calls"][0]["prefix_sha256"] != plans["full"]["calls"][0]["prefix_sha256"]


def test_the_report_prices_the_difference_of_whole_plans(
    server: Server, corpus: str, wasteful: list[str]
) -> None:
    report = server.client.get(f"/v1/corpora/{corpus}/waste").json()
    fits(report, REPORT)
    gauge = server.client.get(f"/v1/corpora/{corpus}/meter").json()
    assert report["share"] == round(report["tokens"] / gauge["input_tokens"], 6)
    now, then = (
        server.plans(corpus, question="x", leave_out=switches)["whole"] for switches in ([], SWITCHES)
    )
    assert report["tokens"] == now["input_tokens"] - then["input_tokens"]
    saved = Decimal(now["cost"]["cold_usd"]) - Decimal(then["cost"]["cold_usd"])
    assert Decimal(report["per_question"]["cold_usd"]) == saved > 0
    assert {item["of_filename"] for item in report["items"] if item["of"]} == {"report.txt"}
    kinds = [(item["kind"], wasteful.index(item["document_id"])) for item in report["items"]]
    assert sorted(kinds) == [
        ("blank", 0),
        ("blank", 3),
        ("blank", 4),
        ("duplicate", 1),
        ("garbled", 3),
        ("near_duplicate", 2),
        ("no_text", 3),
        ("repeated", 0),
        ("repeated", 3),
    ]
    assert sum(item["tokens"] for item in report["items"] if item["leave_out"]) == report["tokens"]
    for fix in report["fixes"]:
        plan = server.plans(corpus, question="x", leave_out=fix["leave_out"])["whole"]
        assert fix["saves_tokens"] == now["input_tokens"] - plan["input_tokens"]
        usd = Decimal(now["cost"]["cold_usd"]) - Decimal(plan["cost"]["cold_usd"])
        assert Decimal(fix["saves_usd"]) == usd
    assert [fix["leave_out"] for fix in report["fixes"]] == [*([name] for name in SWITCHES), SWITCHES]


def test_an_empty_corpus_wastes_nothing(server: Server) -> None:
    report = server.client.get(f"/v1/corpora/{server.corpus()}/waste").json()
    fits(report, REPORT)
    assert (report["tokens"], report["share"], report["items"], report["fixes"]) == (0, 0.0, [], [])
    assert report["per_question"] == {"cold_usd": "0.00", "warm_usd": "0.00"}


def test_what_is_not_read_does_not_count(server: Server, wasteful: list[str]) -> None:
    failed = server.add("broken.pdf", b"%PDF-1.7 broken")["id"]
    report = server.client.get(f"/v1/corpora/{server.corpus(wasteful[0], failed)}/waste").json()
    assert [warning["code"] for warning in report["warnings"]] == ["documents_not_ready"]


def test_meter_and_plans_tell_what_counts_tell(server: Server, corpus: str) -> None:
    gauge = server.client.get(f"/v1/corpora/{corpus}/meter").json()
    plans = server.plans(corpus, question="x")
    lean = server.plans(corpus, question="x", leave_out=["duplicates", "repeated", "blank"])["whole"]
    for warnings in (gauge["warnings"], plans["whole"]["warnings"]):
        (fix,) = next(warning["fixes"] for warning in warnings if warning["code"] == "waste")
        assert (fix["do"], fix["leave_out"]) == ("leave_out_waste", ["duplicates", "repeated", "blank"])
        assert fix["saves_tokens"] == plans["whole"]["input_tokens"] - lean["input_tokens"]
    usd = Decimal(plans["whole"]["cost"]["cold_usd"]) - Decimal(lean["cost"]["cold_usd"])
    assert Decimal(fix["saves_usd"]) == usd
    assert "waste" not in {warning["code"] for warning in lean["warnings"]}


def over(problem: Json) -> list[Any]:
    return [fix.get("leave_out") for fix in problem["fixes"] if fix["do"] == "leave_out_waste"]


@pytest.mark.parametrize(("body", "named"), [(134_000, True), (137_000, False)])
def test_over_the_threshold_waste_is_a_way_out_where_it_suffices(
    server: Server, upstream: Upstream, body: int, *, named: bool
) -> None:
    page = Leaf("word " * body)
    twice = [store(server.context, f"{body}{n}.txt", [page], salt=str(n)) for n in (1, 2)]
    other = store(server.context, f"{body}.txt", [Leaf(f"text {body} " + "more " * (body + 2_000))])
    corpus = server.corpus(*twice, other)
    problem = problem_of(server.ask(corpus, question="x", strategies=["whole"]), 409, "over_threshold")
    assert over(problem) == ([["duplicates"]] if named else [])
    plan = server.plans(corpus, question="x")["whole"]
    said = next(warning for warning in plan["warnings"] if warning["code"] == "over_threshold")
    assert over(said) == over(problem)
    lean = server.plans(corpus, question="x", leave_out=["duplicates"])["whole"]
    assert (lean["threshold"]["status"] != "over") is named
    assert upstream.requests == []


def test_named_documents_are_compared_among_themselves(
    server: Server, wasteful: list[str], corpus: str
) -> None:
    plan = server.plans(corpus, question="x", document_ids=wasteful[1:3], leave_out=["duplicates"])[
        "selected"
    ]
    assert plan["coverage"]["documents_in"] == wasteful[1:3]


def test_what_cannot_be_left_out_is_refused(server: Server, corpus: str, wasteful: list[str]) -> None:
    for wrong in (["everything"], "blank", [None], ["blank"] * 5):
        body = {"question": "x", "leave_out": wrong}
        problem_of(server.client.post(f"/v1/corpora/{corpus}/plans", json=body), 422, "invalid_request")
    blank = server.corpus(wasteful[4])
    body = {"question": "x", "leave_out": ["blank"]}
    problem = problem_of(server.client.post(f"/v1/corpora/{blank}/plans", json=body), 422, "invalid_request")
    assert "every page is blank" in problem["detail"]
    assert server.client.get("/v1/corpora/cor_x/waste").status_code == 404
    wrong_model = server.client.get(f"/v1/corpora/{corpus}/waste", params={"model": "gpt-nothing"})
    assert wrong_model.status_code == 404


def test_plans_change_with_what_they_left_out(
    server: Server, upstream: Upstream, wasteful: list[str]
) -> None:
    """A plan that spared a copy does not hold once what it was a copy of is gone."""
    corpus = server.corpus(*wasteful[:2])
    plan = server.plans(corpus, question="x", leave_out=["duplicates"])["whole"]
    server.client.delete(f"/v1/corpora/{corpus}/documents/{wasteful[0]}")
    problem_of(server.ask(corpus, plan_id=plan["id"]), 409, "plan_changed")
    assert upstream.requests == []

"""What is shown stays whole, however narrow the terminal is."""

from __future__ import annotations

import io
import re
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from service import console, endings, folders, pricelist
from service.domain.catalog import Catalog, Model
from service.usecases.arrange_corpus import MAX_NAME
from service.usecases.describe_model import describe_model

CATALOG = Catalog.parse((files("service.domain") / "catalog.toml").read_text(encoding="utf-8"))
USD = {"cold_usd": "123.456", "warm_usd": "23.5", "max_usd": "1234.5"}


def plan(name: str, *, cost: dict[str, str] | None = None) -> dict[str, Any]:
    calls = [{"price_band": "long"}, {"price_band": "short"}]
    return {"id": name, "strategy": name, "calls": calls, "input_tokens": 12_345_678, "cost": cost or USD}


def drawn(table: Table, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table)
    return out.getvalue()


@pytest.mark.parametrize("width", range(16, 121, 4))
def test_no_figure_is_ever_cut(width: int) -> None:
    plans = drawn(console.plan_table([plan("whole"), plan("split")], "split", width=width), width)
    models = drawn(pricelist.models_table(CATALOG, CATALOG.models, date(2026, 11, 22), width=width), width)
    assert "…" not in plans + models
    assert max(map(len, (plans + models).splitlines())) <= width
    for figure in ("$123.46", "$23.50", "$1234.50"):
        assert plans.count(figure) == 2
    assert plans.count("recommended") == 1
    shown = set(re.findall(r"\d+(?:\.\d+)?", models))
    for model in CATALOG.models:
        rates = model.rates("standard", "short", date(2026, 11, 22))
        assert rates is not None
        assert {str(rates.input), str(rates.output)} <= shown
        assert model.id in models


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("model", CATALOG.models, ids=lambda model: model.id)
def test_a_model_is_shown_in_full(
    model: Model, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    described = describe_model(model, CATALOG, on=date(2026, 11, 22))
    says = {"name": "oxen", "description": "schema", "parameters": {"seed": "an integer"}}
    pricelist.show_model({"id": model.id, **described, "provider": says})
    shown = capsys.readouterr().out
    assert "…" not in shown
    assert shown.endswith("oxen takes:\n  seed: an integer\n")
    assert shown.count("USD per 1M tokens, from ") == len(model.price_periods)
    figures = set(re.findall(r"\d+(?:\.\d+)?", shown))
    for period in model.price_periods:
        for price in period.prices:
            assert {format(price.rates.input, "f"), format(price.rates.output, "f")} <= figures


def test_why_nothing_is_known_of_a_models_parameters_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    described = describe_model(CATALOG.model("gpt-5.5"), CATALOG, on=date(2026, 11, 22))
    silent = {"name": "oxen", "description": "unreachable", "parameters": None}
    pricelist.show_model({"id": "gpt-5.5", **described, "provider": silent})
    assert capsys.readouterr().out.endswith("oxen: it could not be asked about this model\n")


def priced(name: str, *said: str, because: str | None = None) -> dict[str, Any]:
    """A plan with warnings, each with the same way out."""
    way = {"do": "see", "detail": "See to it."}
    return {
        **plan(name),
        "feasible": because is None,
        "infeasible_code": "not_needed" if because else None,
        "infeasible_because": because,
        "warnings": [{"detail": detail, "fixes": [way]} for detail in said],
        "model": "gpt-5.5",
        "price_catalog": {"as_of": "2026-11-22"},
        "expires_at": "2026-11-22T12:00:00",
    }


def told(*plans: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    console.show_plans(Console(file=out, width=160), plans, None, engine="openai")
    return [
        line for line in out.getvalue().splitlines() if line.startswith(("!", "  →", "split: ", "whole: "))
    ]


def test_a_warning_of_several_plans_is_shown_once() -> None:
    assert told(priced("whole", "A page is empty.", "It is near."), priced("split", "A page is empty.")) == [
        "! A page is empty.",
        "  → See to it.",
        "! whole: It is near.",
    ]


def warned(name: str, code: str, detail: str) -> dict[str, Any]:
    """A plan with one warning."""
    return {**priced(name), "warnings": [{"code": code, "detail": detail, "fixes": []}]}


def test_the_same_thing_with_other_figures_is_told_once() -> None:
    whole, split = warned("whole", "waste", "$2 are wasted."), warned("split", "waste", "$1 is wasted.")
    assert told(whole, split) == ["! $2 are wasted."]
    assert told(whole, warned("split", "near", "It is near.")) == ["! $2 are wasted.", "! split: It is near."]


def test_of_a_plan_that_is_taken_its_own_warnings_alone_are_told() -> None:
    plans = [warned("whole", "over", "It is over."), warned("split", "near", "It is near.")]
    out = io.StringIO()
    console.show_plans(Console(file=out, width=160), plans, "split", engine="openai", taken=True)
    assert ("It is near." in out.getvalue(), "It is over." in out.getvalue()) == (True, False)


def test_what_is_cached_shows_in_a_price_for_now() -> None:
    warm = {**plan("whole", cost={**USD, "expected_usd": "24.75"}), "cache": {"expected_cached_tokens": 128}}
    assert "$24.75" in drawn(console.plan_table([warm, plan("split")], None, width=120), 120)
    assert "now" not in drawn(console.plan_table([plan("whole")], None, width=120), 120)


def test_a_plan_that_nobody_needs_says_so_only_where_it_was_asked_for_alone() -> None:
    split = priced("split", "A page is empty.", because="Nothing to split.")
    assert told(priced("whole"), split) == []
    assert told(split) == ["split: Nothing to split."]


@pytest.mark.parametrize("width", range(60, 121, 20))
def test_no_figure_of_the_waste_is_ever_cut(width: int) -> None:
    item = {
        "kind": "near_duplicate",
        "filename": "a very long name of a [bold] report of the harbour office.pdf",
        "of_filename": "first.pdf",
        "similarity": 0.97,
        "pages": 12_345,
        "tokens": 123_456_789,
        "saves_usd": {"cold": "1234.5", "warm": None},
    }
    table = drawn(console.waste_table([item], width=width), width)
    assert max(map(len, table.splitlines())) <= width
    for figure in ("near duplicate", "a very long name of a [bold", "office.pdf", "123,456,789", "$1234.50"):
        assert figure in table


def test_less_important_columns_leave_first() -> None:
    plans = [plan("whole")]
    titles = {width: drawn(console.plan_table(plans, "whole", width=width), width) for width in (100, 60, 46)}
    assert all(title in titles[100] for title in ("calls", "input tokens", "rates"))
    assert "rates" not in titles[60]
    assert "12,345,678" in titles[60]
    assert "tokens" not in titles[46]


DONE: dict[str, Any] = {"status": "done", "text": "So.", "refusal": None, "finish_reason": "stop"}
"""How most answers end."""


def test_an_estimated_cost_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    cost = {"actual_usd": "0.5", "estimated_usd": "0.6", "max_usd": "0.7", "reserved_usd": "0.7"}
    answer = {**DONE, "citations": [], "engine": "openai", "cost": cost, "usage": {"estimated": True}}
    endings.show_answer_end({**answer, "cost": {**cost, "actual_is": "at_most"}})
    assert "cost at most $0.5000 (by our own count)" in " ".join(capsys.readouterr().err.split())
    endings.show_answer_end({**answer, "cost": {**cost, "actual_is": "exact"}})
    assert "cost $0.5000; estimated" in " ".join(capsys.readouterr().err.split())


def test_the_answer_of_another_model_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    cost = {"actual_usd": "0.5", "estimated_usd": "0.6", "max_usd": "0.7", "reserved_usd": "0.7"}
    told = [{"code": "other_model", "detail": "gpt-5.5 was asked, and the reply says that [red] answered."}]
    waste = [{"code": "waste", "detail": "This was said before."}]
    answer = {
        **DONE,
        "citations": [],
        "engine": "openai",
        "cost": cost,
        "usage": None,
        "warnings": told + waste,
    }
    endings.show_answer_end(answer)
    said = " ".join(capsys.readouterr().err.split())
    assert "note gpt-5.5 was asked, and the reply says that [red] answered." in said
    assert "said before" not in said


def test_what_a_repair_changed_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    correction = {"marker": "[D1 p.1]", "was": "bad", "applied": True, "now_marker": "[D1 p.2]"}
    answer = {
        **DONE,
        "citations": [
            {"verdict": verdict, "marker": "[D1 p.2]", "filename": "a.txt", "page": 2}
            for verdict in ("exact", "missing")
        ],
        "citation_precision": 0.5,
        "corrections": [
            {**correction, "now": "good", "withdrawn": False},
            {**correction, "now": None, "withdrawn": True},
            {**correction, "now": "worse", "withdrawn": False, "applied": False},
        ],
        "repair": {"because": None},
        "engine": "offline",
        "cost": {},
    }
    endings.show_answer_end(answer)
    said = " ".join(capsys.readouterr().err.split())
    assert "citation precision 50% of 2 quotes" in said
    assert 'repaired "bad" [D1 p.1] → "good" [D1 p.2]' in said
    assert '"bad" [D1 p.1] → withdrawn' in said
    assert "worse" not in said
    endings.show_answer_end({**answer, "repair": {"because": "A split has none."}, "citations": []})
    assert "not repaired: A split has none." in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("status", "engine", "actual", "said"),
    [
        ("cancelled", "openai", "0.5", "cancelled; at most $0.5000 was billed"),
        ("cancelled", "openai", None, "cancelled; nothing was billed"),
        ("done", "openai", "0.5", "done; $0.5000 was billed"),
        ("in_doubt", "openai", None, "in doubt; up to $0.7000 may be billed"),
        ("running", "openai", None, "running; up to $0.7000 may be billed"),
        ("cancelled", "offline", "0", "cancelled; nothing was spent"),
    ],
)
def test_a_stopped_answer_says_what_it_costs(
    capsys: pytest.CaptureFixture[str], status: str, engine: str, actual: str | None, said: str
) -> None:
    how = "at_most" if status == "cancelled" else "exact"
    cost = {"actual_usd": actual, "actual_is": how, "reserved_usd": "0.9", "held_usd": "0.7"}
    endings.show_stopped({"id": "ans_1", "status": status, "engine": engine, "cost": cost})
    assert f"Answer ans_1: {said}" in " ".join(capsys.readouterr().err.split())


def test_two_long_lists_of_paths_never_share_a_corpus() -> None:
    tail = [Path(f"/folder/{'x' * 60}/{n}") for n in range(8)]
    one, other = (folders.name_of([Path(first), *tail]) for first in ("/a", "/b"))
    assert one != other
    assert len(one) == len(other) == MAX_NAME
    assert folders.name_of([Path("/b"), Path("/a"), Path("/b")]) == "/a, /b"


def test_waste_too_small_to_matter_is_only_counted(capsys: pytest.CaptureFixture[str]) -> None:
    def item(name: str, share: float, switch: str | None) -> dict[str, Any]:
        return {
            "kind": "blank" if switch else "no_text",
            "filename": name,
            "of_filename": None,
            "similarity": None,
            "pages": 1,
            "tokens": 9,
            "share": share,
            "saves_usd": {"cold": "0.5", "warm": None},
            "leave_out": switch,
        }

    items = [
        item("large.pdf", 0.001, "blank"),
        item("small.pdf", 0.000999, "blank"),
        item("scan.pdf", 0, None),
    ]
    saves = {"cold_usd": "0.5", "warm_usd": None}
    report = {
        "items": items,
        "per_question": saves,
        "tokens": 18,
        "share": 0.002,
        "fixes": [],
        "warnings": [],
    }
    console.show_waste(report)
    said = capsys.readouterr().out
    assert ("large.pdf" in said, "small.pdf" in said, "scan.pdf" in said) == (True, False, True)
    assert " of " not in said.splitlines()[0]
    assert said.splitlines()[-1] == "1 line under 0.1% of the tokens left out: --json has all."


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ({"refusal": "I will not say."}, "The model refused: I will not say."),
        ({"finish_reason": "length"}, "was cut at the output that was reserved for it: raise --max-tokens."),
        ({"finish_reason": "content_filter"}, "the provider's content filter ended it."),
        ({"text": " \n"}, "The model answered nothing."),
        (
            {"warnings": [{"code": "part_incomplete", "detail": "Part 2 is not whole."}]},
            "Part 2 is not whole.",
        ),
    ],
)
def test_what_is_not_well_with_an_answer_is_said(
    capsys: pytest.CaptureFixture[str], ended: dict[str, Any], said: str
) -> None:
    answer = {**DONE, "citations": [], "engine": "offline", "cost": {}}
    endings.show_answer_end(answer)
    assert "note" not in capsys.readouterr().err
    endings.show_answer_end({**answer, **ended})
    assert f"note {said}".split()[0] in (err := " ".join(capsys.readouterr().err.split()))
    assert said in err


def test_citations_are_shown_with_what_the_source_says(capsys: pytest.CaptureFixture[str]) -> None:
    quoted = {"marker": "[D1 p.1]", "filename": "a.txt", "page": 1, "quote": "opened in 1872"}
    found = {"document_id": "doc_1", "filename": "b.txt", "page": 7, "text": "opened in 1871"}
    citations = [{**quoted, "verdict": verdict, "found": found} for verdict in ("altered", "elsewhere")]
    endings.show_answer_end({**DONE, "citations": citations, "engine": "offline", "cost": {}})
    said = " ".join(capsys.readouterr().err.split())
    assert 'altered [D1 p.1] a.txt p.1 "opened in 1872" the source says "opened in 1871"' in said
    assert 'elsewhere [D1 p.1] a.txt p.1 "opened in 1872" it stands in b.txt p.7' in said


def test_a_failure_says_that_nothing_was_billed_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    error = {"detail": "The provider is busy.", "fixes": [{"do": "wait", "seconds": 40}]}
    failed: dict[str, Any] = {"id": "ans_1", "status": "failed", "engine": "openai", "error": error}
    endings.show_failed({**failed, "cost": {"actual_usd": None, "held_usd": "0.00"}})
    said = " ".join(capsys.readouterr().err.split())
    assert "failed The provider is busy. Nothing was billed." in said
    assert "40" in said
    doubtful = {"actual_usd": "0.3", "held_usd": "1.430950"}
    endings.show_failed({**failed, "status": "in_doubt", "cost": doubtful})
    assert "$1.44 is held. → unabridged resolve ans_1" in " ".join(capsys.readouterr().err.split())

"""What the command line shows: progress and prices on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from service.columns import Column as _Column
from service.columns import fitted as _fitted
from service.columns import room as _room
from service.domain.documents import Document, DocumentStatus
from service.domain.pricing import rounded_up
from service.errors import UnabridgedError
from service.wording import in_options, way

OFFLINE = "no key is set: closest passages are shown, nothing is spent"
NONE = "-"
MOST_WASTE = 30
LEAST_WASTE = 0.001
"""Of all tokens; less is shown to programs alone, but for pages that can't be read."""

MOST_NAME = 40
SAME_FOR_ALL = frozenset({"waste", "question_names_nothing"})
"""Warnings that every plan has, with figures of its own."""


def errors() -> Console:
    """Return the console for all that is not the result; lines are broken for a terminal alone."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def results() -> Console:
    """Return the console for results."""
    return Console(highlight=False, soft_wrap=True)


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts: `1 page`, `2,000 pages`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def as_json(value: object) -> None:
    """Print a result for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def progress() -> Iterator[Progress]:
    """Show bars on standard error, only to a terminal."""
    console = errors()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        yield bar


def show_reading(bar: Progress, task: TaskID, documents: Sequence[Document]) -> None:
    """Move a bar to where the reading of these documents is, in pages and tokens."""
    done = sum(document.progress.done for document in documents)
    total = sum(max(document.progress.total, document.progress.done) for document in documents)
    tokens = sum(document.pages_tokens for document in documents)
    ready = sum(document.is_settled for document in documents)
    bar.update(
        task,
        completed=done,
        total=max(total, 1),
        note=f"pages · {counted(tokens, 'token')} · {ready}/{counted(len(documents), 'document')}",
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """A document that was added, or came inside one.

    Attributes:
        name: as it is shown, such as `report.pdf` or `setup.exe in archive.zip`.
        inside: it was not added by itself.
    """

    document: Document
    name: str
    inside: bool = False

    @property
    def failed(self) -> bool:
        """Whether it could not be read."""
        return self.document.status is DocumentStatus.FAILED

    @property
    def asked(self) -> bool:
        """Whether there is something in it to ask: no archive, and read."""
        return self.document.status is DocumentStatus.READY and not self.document.holds_files_alone

    def described(self) -> dict[str, Any]:
        """Return the document for programs."""
        document = self.document
        error = document.error
        return {
            "id": document.id,
            "filename": document.filename,
            "status": document.status.value,
            "pages": document.pages,
            "tokens": document.pages_tokens,
            "parent_ids": document.parent_ids,
            "error": {"code": error.code, "detail": error.detail} if error else None,
        }


def show_unreadable(listed: Sequence[Listed]) -> None:
    """Say of each document that could not be read why, and of each warning what it is."""
    console = errors()
    for one in listed:
        document, name = one.document, escape(one.name)
        if document.error is not None:
            console.print(f"[red]not read[/] {name}: {escape(document.error.detail)}")
        for warning in document.warnings[:3]:
            page = f" page {warning.page}" if warning.page else ""
            console.print(f"[yellow]note[/] {name}{page}: {escape(warning.detail)}")
        if len(document.warnings) > 3:  # noqa: PLR2004 - enough to see the kind
            console.print(f"[yellow]note[/] {name}: {len(document.warnings) - 3} more")


def _told(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan's cost; no warm price where another question would read other pages."""
    cost = plan["cost"] or {}
    return cost if (plan.get("cache") or {}).get("reusable", True) else {**cost, "warm_usd": None}


def plan_table(plans: Sequence[dict[str, Any]], recommended: str | None, *, width: int) -> Table:
    """Return the feasible plans side by side, in so many cells of the terminal."""
    chosen = [plan["id"] == recommended for plan in plans]
    names = [
        f"[bold]{plan_name(plan)}[/]" if yes else plan_name(plan)
        for plan, yes in zip(plans, chosen, strict=True)
    ]
    costs = [_told(plan) for plan in plans]
    long = ["long" in {call["price_band"] for call in plan["calls"]} for plan in plans]
    middle = (
        _Column("calls", tuple(_calls(plan) for plan in plans), leaves=2),
        _Column("input tokens", tuple(f"{plan['input_tokens']:,}" for plan in plans), leaves=1),
        *_reads(plans),
        _Column("rates", tuple("[red]long[/]" if one else "short" for one in long), leaves=4),
        *_now(plans, costs),
        *(
            _Column(title, tuple(dollars(cost.get(name)) for cost in costs))
            for title, name in (("cold", "cold_usd"), ("warm", "warm_usd"), ("at most", "max_usd"))
        ),
    )
    mark = tuple("[green]recommended[/]" if yes else "" for yes in chosen)
    beside = (_Column("plan", tuple(names), left=True), *middle, _Column("", mark, left=True))
    if _room([column.natural for column in beside]) <= width:
        return _fitted(beside, width)
    below = tuple(f"{name}\n{one}" if one else name for name, one in zip(names, mark, strict=True))
    return _fitted((_Column("plan", below, left=True), *middle), width)


def plan_name(plan: dict[str, Any]) -> str:
    """Return what a plan is called among others: the ranked ones differ in their budgets alone."""
    budget = plan.get("budget_tokens")
    return plan["strategy"] if budget is None else f"{plan['strategy']} {budget:,}"


def _reads(plans: Sequence[dict[str, Any]]) -> list[_Column]:
    """The share of the corpus that is read, where a plan reads a part of it."""
    if not any(plan.get("budget_tokens") for plan in plans):
        return []
    return [_Column("reads", tuple(_share(plan["coverage"]["tokens_share"]) for plan in plans), leaves=3)]


def _now(plans: Sequence[dict[str, Any]], costs: Sequence[dict[str, Any]]) -> list[_Column]:
    """What the question most probably costs now, where something is still cached."""
    if not any((plan.get("cache") or {}).get("expected_cached_tokens") for plan in plans):
        return []
    return [_Column("now", tuple(dollars(cost.get("expected_usd")) for cost in costs))]


def show_plans(
    console: Console,
    plans: Sequence[dict[str, Any]],
    recommended: str | None,
    *,
    engine: str,
    taken: bool = False,
) -> None:
    """Show the price before the question, with every warning; of a plan that is taken, its own alone."""
    feasible = [plan for plan in plans if plan["feasible"]]
    if feasible:
        console.print(plan_table(feasible, recommended, width=console.width))
    shown = [plan for plan in plans if plan["feasible"] or plan["infeasible_code"] != "not_needed"]
    chosen = [plan for plan in shown if plan["id"] == recommended]
    warned = chosen if taken and chosen else [*chosen, *(plan for plan in shown if plan not in chosen)]
    said = {warning["detail"] for plan in warned for warning in plan["warnings"]}
    for plan in shown if feasible else plans:
        if not plan["feasible"] and plan["infeasible_because"] not in said:
            console.print(f"[dim]{plan_name(plan)}: {escape(in_options(plan['infeasible_because']))}[/]")
    _show_warnings(console, warned)
    first = next((plan for plan in plans if plan["feasible"]), None)
    if first is not None:
        note = OFFLINE if engine == "offline" else engine
        console.print(
            f"[dim]{first['model']} · prices of {first['price_catalog']['as_of']} · binding until "
            f"{first['expires_at'][:16].replace('T', ' ')} UTC · {note}[/]"
        )


def _show_warnings(console: Console, plans: Sequence[dict[str, Any]]) -> None:
    """Show each warning once with the plans that it is of, unless it is of all, and each way out once.

    What several plans say of the same thing with other figures is told with the first plan's.
    """
    of: dict[str, dict[str, None]] = {}
    details: dict[str, str] = {}
    ways: dict[str, list[str]] = {}
    for plan in plans:
        for warning in plan["warnings"]:
            kind = warning["code"] if warning.get("code") in SAME_FOR_ALL else warning["detail"]
            if kind not in details:
                details[kind] = warning["detail"]
                ways[kind] = list(map(way, warning["fixes"]))
            of.setdefault(kind, {})[plan_name(plan)] = None
    said: set[str] = set()
    for kind, names in of.items():
        named = "" if kind == "waste" or len(names) == len(plans) else f"{', '.join(names)}: "
        console.print(f"[yellow]![/] {escape(named + in_options(details[kind]))}")
        for one in dict.fromkeys(ways[kind]):
            if one not in said:
                console.print(f"  → {escape(one)}")
        said.update(ways[kind])


def waste_table(items: Sequence[dict[str, Any]], *, width: int) -> Table:
    """Return what is wasted, a document and a kind a row, in so many cells of the terminal."""
    of = tuple(escape(_short(item["of_filename"] or "")) for item in items)
    columns = (
        _Column("what", tuple(item["kind"].replace("_", " ") for item in items), left=True),
        _Column("document", tuple(escape(_short(item["filename"])) for item in items), left=True),
        *([_Column("of", of, leaves=1, left=True)] if any(of) else []),
        _Column("like", tuple(_share(item["similarity"]) for item in items), leaves=4),
        _Column("pages", tuple(f"{item['pages']:,}" for item in items), leaves=3),
        _Column("tokens", tuple(f"{item['tokens']:,}" for item in items)),
        _Column("cold", tuple(dollars(item["saves_usd"]["cold"]) for item in items)),
        _Column("warm", tuple(dollars(item["saves_usd"]["warm"]) for item in items), leaves=2),
    )
    return _fitted(columns, width)


def show_waste(report: dict[str, Any]) -> None:
    """Show what each question pays for twice or for nothing, the most first, and the ways out."""
    out = results()
    items = [one for one in report["items"] if one["leave_out"] is None or one["share"] >= LEAST_WASTE]
    if items:
        out.print(waste_table(items[:MOST_WASTE], width=out.width))
    if len(items) > MOST_WASTE:
        out.print(f"and {len(items) - MOST_WASTE} more, all of them with --json")
    saves = report["per_question"]
    money = "" if saves["cold_usd"] is None else f", {dollars(saves['cold_usd'])} a cold question"
    warm = "" if saves["warm_usd"] is None else f", {dollars(saves['warm_usd'])} a warm one"
    out.print(f"to leave out: {counted(report['tokens'], 'token')} ({report['share']:.1%}){money}{warm}")
    for fix in report["fixes"]:
        switches = " ".join(f"--leave-out {name}" for name in fix["leave_out"])
        money = "" if fix["saves_usd"] is None else f", {dollars(fix['saves_usd'])}"
        out.print(f"  → {switches}: {counted(fix['saves_tokens'], 'token')}{money}")
    for warning in report["warnings"]:
        out.print(f"[yellow]![/] {escape(in_options(warning['detail']))}")
    if small := len(report["items"]) - len(items):
        out.print(f"{counted(small, 'line')} under {LEAST_WASTE:.1%} of the tokens left out: --json has all.")


def _short(name: str) -> str:
    """A long name by its beginning and its end."""
    return name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 13]}…{name[-12:]}"


def _share(similarity: float | None) -> str:
    return NONE if similarity is None else f"{similarity:.0%}"


def _calls(plan: dict[str, Any]) -> str:
    """How many calls a plan makes for sure."""
    made = (call for call in plan["calls"] if not call.get("kept", False))
    return str(sum(call.get("kind") != "repair" for call in made))


def show_error(error: UnabridgedError) -> None:
    """Say what went wrong, and each way out."""
    console = errors()
    console.print(f"[red]{in_options(error.title)}.[/] {escape(in_options(error.detail))}")
    for fix in error.fixes:
        console.print(f"  → {escape(way(fix.as_dict()))}")


def dollars(amount: str | None) -> str:
    """Return an amount for reading: to the cent from a dollar up, finer below, never less than it is."""
    return "unknown" if amount is None else rounded_up(Decimal(amount))


def say(sentence: str) -> None:
    """Print a result in words, as they are."""
    results().print(sentence, markup=False)


def show_corpora(corpora: Sequence[dict[str, Any]]) -> None:
    """Show corpora with their sizes."""
    out = results()
    if not corpora:
        out.print("There is no corpus. Make one: unabridged add FOLDER --corpus NAME")
        return
    columns = (
        _Column("corpus", tuple(escape(one["name"]) for one in corpora), left=True),
        _Column("documents", tuple(f"{one['documents']:,}" for one in corpora)),
        _Column("tokens", tuple(f"{one['tokens']:,}" for one in corpora)),
        _Column("id", tuple(one["id"] for one in corpora), leaves=1, left=True),
    )
    out.print(_fitted(columns, out.width))


def show_documents(documents: Sequence[dict[str, Any]]) -> None:
    """Show a corpus's documents in their order."""
    out = results()
    if not documents:
        out.print("The corpus is empty. Fill it: unabridged add FOLDER --corpus NAME")
        return
    columns = (
        _Column("", tuple(one["number"] for one in documents), left=True),
        _Column("document", tuple(escape(one["filename"]) for one in documents), left=True),
        _Column("pages", tuple(f"{one['pages']:,}" for one in documents)),
        _Column("tokens", tuple(f"{one['tokens']:,}" for one in documents)),
        _Column("status", tuple(one["status"] for one in documents), left=True),
        _Column("id", tuple(one["id"] for one in documents), leaves=1, left=True),
    )
    out.print(_fitted(columns, out.width))


def show_budgets(budgets: Sequence[dict[str, Any]]) -> None:
    """Show how the limits on spending stand."""
    out = results()
    if not budgets:
        out.print("No limit is set. Set one: unabridged budget tenant 50 --period month")
        return
    columns = (
        _Column("budget", tuple(escape(_budget_name(budget)) for budget in budgets), left=True),
        _Column("limit", tuple(dollars(budget["limit_usd"]) for budget in budgets)),
        _Column("period", tuple(budget["period"] for budget in budgets), leaves=2),
        _Column("spent", tuple(dollars(budget["spent_usd"]) for budget in budgets)),
        _Column("reserved", tuple(dollars(budget["reserved_usd"]) for budget in budgets), leaves=1),
        _Column("left", tuple(dollars(budget["available_usd"]) for budget in budgets)),
    )
    out.print(_fitted(columns, out.width))


def _budget_name(budget: dict[str, Any]) -> str:
    kinds = ("corpus", "key")
    return next((f"{kind}:{budget[kind]}" for kind in kinds if budget[kind]), str(budget["scope"]))

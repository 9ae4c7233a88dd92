"""What the command line shows: progress and prices on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from service.domain.catalog import Catalog, Model
from service.domain.documents import Document, DocumentStatus

OFFLINE = "no key is set: closest passages are shown, nothing is spent"
NONE = "-"
GOOD = {"exact": "green", "close": "green", "elsewhere": "yellow", "altered": "red", "missing": "red"}


def errors() -> Console:
    """Return the console for all that is not the result."""
    return Console(stderr=True, highlight=False)


def results() -> Console:
    """Return the console for results."""
    return Console(highlight=False, soft_wrap=True)


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
    ready = sum(document.status in {DocumentStatus.READY, DocumentStatus.FAILED} for document in documents)
    bar.update(
        task,
        completed=done,
        total=max(total, 1),
        note=f"pages · {tokens:,} tokens · {ready}/{len(documents)} documents",
    )


def show_unreadable(documents: Sequence[Document]) -> None:
    """Say of each document that could not be read why, and of each warning what it is."""
    console = errors()
    for document in documents:
        if document.error is not None:
            console.print(f"[red]not read[/] {escape(document.filename)}: {escape(document.error.detail)}")
        for warning in document.warnings[:3]:
            page = f" page {warning.page}" if warning.page else ""
            console.print(f"[yellow]note[/] {escape(document.filename)}{page}: {escape(warning.detail)}")
        if len(document.warnings) > 3:  # noqa: PLR2004 - enough to see the kind
            console.print(f"[yellow]note[/] {escape(document.filename)}: {len(document.warnings) - 3} more")


def plan_table(plans: Sequence[dict[str, Any]], recommended: str | None) -> Table:
    """Return the feasible plans side by side."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("plan", "calls", "input tokens", "rates", "cold", "warm", "at most", ""):
        table.add_column(title, justify="left" if title in {"plan", ""} else "right")
    for plan in plans:
        chosen = plan["id"] == recommended
        cost = plan["cost"] or {}
        bands = {call["price_band"] for call in plan["calls"]}
        table.add_row(
            f"[bold]{plan['strategy']}[/]" if chosen else plan["strategy"],
            str(len(plan["calls"])),
            f"{plan['input_tokens']:,}",
            "[red]long[/]" if "long" in bands else "short",
            *(dollars(cost.get(name)) for name in ("cold_usd", "warm_usd", "max_usd")),
            "[green]recommended[/]" if chosen else "",
        )
    return table


def show_plans(
    console: Console, plans: Sequence[dict[str, Any]], recommended: str | None, *, engine: str
) -> None:
    """Show the price before the question, with every warning."""
    console.print(plan_table([plan for plan in plans if plan["feasible"]], recommended))
    for plan in plans:
        if not plan["feasible"] and plan["infeasible_code"] != "not_needed":
            console.print(f"[dim]{plan['strategy']}: {escape(plan['infeasible_because'])}[/]")
    said: set[str] = set()
    for plan in plans:
        for warning in plan["warnings"]:
            line = f"{plan['strategy']}: {warning['detail']}"
            if line not in said:
                console.print(f"[yellow]![/] {escape(line)}")
                said.add(line)
    first = next((plan for plan in plans if plan["feasible"]), None)
    if first is not None:
        note = OFFLINE if engine == "offline" else engine
        console.print(
            f"[dim]{first['model']} · prices of {first['price_catalog']['as_of']} · binding until "
            f"{first['expires_at'][:16].replace('T', ' ')} UTC · {note}[/]"
        )


def show_answer_end(answer: dict[str, Any]) -> None:
    """Show the citations with their verdicts, and what the answer cost."""
    console = errors()
    for citation in answer["citations"]:
        verdict = citation["verdict"]
        where = f"{citation['filename'] or '?'} p.{citation['page']}{_label(citation.get('label'))}"
        console.print(f"[{GOOD[verdict]}]{verdict:>9}[/] {escape(citation['marker'])} {escape(where)}")
    cost = answer["cost"]
    if answer["engine"] == "offline":
        console.print("[dim]cost $0.00: answered offline by closest passages[/]")
    else:
        console.print(
            f"[dim]cost {dollars(cost['actual_usd'])}, estimated {dollars(cost['estimated_usd'])}, "
            f"at most {dollars(cost['max_usd'])}[/]"
        )


def _label(label: str | None) -> str:
    """A printed page number says so; a name of a slide or a sheet speaks for itself."""
    if not label:
        return ""
    return f" ({label})" if " " in label or not label.isascii() else f" (printed {label})"


def models_table(catalog: Catalog, models: Sequence[Model], on: date) -> Table:
    """Return the models with their standard prices per million tokens."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("model", "input", "threshold", "in", "cached", "out", "in above", "out above"):
        table.add_column(title, justify="left" if title == "model" else "right", no_wrap=True)
    for model in models:
        short, long = model.rates("standard", "short", on), model.rates("standard", "long", on)
        table.add_row(
            model.id,
            f"{model.max_input_tokens:,}",
            f"{model.threshold_tokens:,}" if model.threshold_tokens else NONE,
            *(_rate(getattr(short, name, None)) for name in ("input", "cached_input", "output")),
            *(_rate(getattr(long, name, None)) for name in ("input", "output")),
        )
    table.caption = f"USD per 1M tokens, standard tier; catalog {catalog.version}"
    return table


def _rate(rate: object) -> str:
    return NONE if rate is None else str(rate)


def dollars(amount: str | None) -> str:
    """Return an amount for reading: to the cent from a dollar up, finer below, never less than it is."""
    if amount is None:
        return "unknown"
    exact = Decimal(amount)
    step = Decimal("0.01") if exact >= 1 or exact == 0 else Decimal("0.0001")
    return f"${exact.quantize(step, rounding=ROUND_CEILING)}"

"""How an answer ended, at the terminal: citations, what is not well with it, and what it cost or may cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from service.console import counted, dollars, errors
from service.wording import in_options, way

_COLOURS = {"exact": "green", "close": "green", "elsewhere": "yellow", "altered": "red", "missing": "red"}
_AFTERWARDS = frozenset({"other_model", "part_incomplete"})
"""Warnings that replies gave cause to; the others were told with the plan, before the question was asked."""

_MOST_QUOTE = 70
"""Characters of a quote that are shown."""


def show_answer_end(answer: dict[str, Any]) -> None:
    """Show the citations with their verdicts, and what the answer cost."""
    console = errors()
    for citation in answer["citations"]:
        _show_citation(console, citation)
    if answer.get("citation_precision") is not None:
        of = counted(len(answer["citations"]), "quote")
        console.print(f"[dim]citation precision {answer['citation_precision']:.0%} of {of}[/]")
    _show_repair(console, answer)
    for note in _notes(answer):
        console.print(f"[yellow]note[/] {escape(in_options(note))}")
    _show_cost(console, answer)
    if answer.get("conversation_id"):
        console.print(f"[dim]conversation {answer['conversation_id']}: go on with --continue[/]")


def _show_citation(console: Console, citation: Mapping[str, Any]) -> None:
    verdict, found = citation["verdict"], citation.get("found") or {}
    where = f"{citation['filename'] or '?'} p.{citation['page']}{_label(citation.get('label'))}"
    console.print(
        f"[{_COLOURS[verdict]}]{verdict:>9}[/] {escape(citation['marker'])} {escape(where)}"
        f" [dim]{escape(_shortened(citation.get('quote') or ''))}[/]"
    )
    if verdict == "altered":
        console.print(f"{'':>9} the source says {escape(_shortened(found.get('text') or ''))}")
    if verdict == "elsewhere":
        name = found.get("filename") or found.get("document_id") or "another document"
        console.print(f"{'':>9} it stands in {escape(str(name))} p.{found.get('page')}")


def _shortened(quote: str) -> str:
    line = " ".join(quote.split())
    return f'"{line}"' if len(line) <= _MOST_QUOTE else f'"{line[: _MOST_QUOTE - 1]}…"'


def _label(label: str | None) -> str:
    """A printed page number says so; a name of a slide or a sheet speaks for itself."""
    if not label:
        return ""
    return f" ({label})" if " " in label or not label.isascii() else f" (printed {label})"


def _show_repair(console: Console, answer: dict[str, Any]) -> None:
    """Show what the answer says now instead of what was streamed, or why it was not repaired."""
    for one in answer.get("corrections") or ():
        if one["applied"]:
            now = "withdrawn" if one["withdrawn"] else f'"{one["now"]}" {one["now_marker"]}'
            was = f'"{one["was"]}" {one["marker"]}' if one["was"] else one["marker"]
            console.print(f"[green] repaired[/] {escape(was)} → {escape(now)}")
    told = answer.get("repair") or {}
    if told.get("because"):
        console.print(f"[dim]not repaired: {escape(told['because'])}[/]")


def _notes(answer: dict[str, Any]) -> Iterator[str]:
    """Yield what is not well with an answer that is done."""
    if answer["refusal"]:
        yield f"The model refused: {answer['refusal']}"
    elif answer["finish_reason"] == "length":
        yield "The answer was cut at the output that was reserved for it: raise max_completion_tokens."
    elif answer["finish_reason"] == "content_filter":
        yield "The answer was cut: the provider's content filter ended it."
    elif not answer["text"].strip():
        yield "The model answered nothing."
    for warning in answer.get("warnings") or ():
        if warning["code"] in _AFTERWARDS:
            yield warning["detail"]


def _show_cost(console: Console, answer: dict[str, Any]) -> None:
    if answer["engine"] == "offline":
        console.print("[dim]cost $0.00: answered offline by closest passages[/]")
        return
    cost = answer["cost"]
    console.print(
        f"[dim]cost {cost_of(answer)}; estimated {dollars(cost['estimated_usd'])}, "
        f"ceiling {dollars(cost['max_usd'])}[/]"
    )
    cache = answer.get("cache") or {}
    if cache.get("cached_tokens") is not None:
        console.print(f"[dim]{cache['cached_tokens']:,} tokens from the cache: {escape(cache['because'])}[/]")


def paid(cost: Mapping[str, Any]) -> str:
    """Return a cost; what is only known not to be more is said to be so."""
    return f"{'at most ' if cost.get('actual_is') == 'at_most' else ''}{dollars(cost['actual_usd'])}"


def cost_of(answer: dict[str, Any]) -> str:
    """What an answer cost, in words."""
    by_us = answer["cost"].get("actual_is") == "at_most"
    return f"{paid(answer['cost'])}{' (by our own count)' if by_us else ''}"


def show_stopped(answer: dict[str, Any]) -> None:
    """Say how an answer stands that was stopped, and what was billed for it or may be."""
    cost, status = answer["cost"], answer["status"]
    if answer["engine"] == "offline":
        money = "nothing was spent"
    elif status in {"in_doubt", "queued", "running"}:
        money = f"up to {dollars(cost['held_usd'])} may be billed"
    elif cost["actual_usd"] is None:
        money = "nothing was billed"
    elif status == "done":
        money = f"{paid(cost)} was billed"
    else:
        money = f"{paid(cost)} was billed (for the input, and the output that had come)"
    errors().print(f"Stopped. Answer {answer['id']}: {status.replace('_', ' ')}; {money}.")


def show_failed(answer: dict[str, Any]) -> None:
    """Say why there is no answer, what it cost, and what to do."""
    status, cost, console = answer["status"], answer["cost"], errors()
    error = answer["error"] or {}
    console.print(f"[red]{status.replace('_', ' ')}[/] {escape(in_options(error.get('detail', status)))}")
    if status == "failed" and answer["engine"] != "offline":
        billed = "Nothing was billed." if cost["actual_usd"] is None else f"Billed: {paid(cost)}."
        console.print(f"  {billed}", markup=False)
    if status == "in_doubt":
        held = dollars(cost["held_usd"])
        said = f"  {held} is held. → unabridged resolve {answer['id']} --billed (or --not-billed)"
        console.print(said, markup=False)
        return
    for fix in error.get("fixes") or ():
        console.print(f"  → {escape(way(fix))}")

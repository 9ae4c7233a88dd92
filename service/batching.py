"""The commands about batches: put a question in, and list, show, await or cancel what was put in."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.markup import escape

from service import console, endings, opening, terminal, wording
from service.errors import Invalid
from service.opening import Worker
from service.usecases.ask_question import Request, get_answer
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.describe_batch import describe_batch, follow_batch, list_batches
from service.usecases.mind_batch import cancel_batch
from service.usecases.put_in_batch import Order, put_in_batch

AT_ONCE = 1000
MIND_AGAIN_SECONDS = 5.0
"""How often a waiting command offers to mind the batch: who minded it may have ended."""

STILL_THERE = "Stopped waiting. The batch goes on at the provider; unabridged batches shows it."


async def put_in(ctx: Context, worker: Worker, corpus_id: str, request: Request, *, json: bool) -> int:
    """Put a question into a batch of its own and see it sent; return the exit code."""
    batch = await put_in_batch(ctx, LOCAL, corpus_id, Order((request,)))
    await worker.start_batch(batch.id)
    told = describe_batch(ctx, LOCAL, batch.id)
    async for news in follow_batch(ctx, LOCAL, batch.id):
        told = news or told
        if told["status"] != "preparing" or told["error"]:
            break
    if json:
        console.as_json(told)
    else:
        _show_sent(told)
    return 1 if told["status"] == "failed" else 0


def batches(
    batch_id: Annotated[
        str | None, typer.Argument(metavar="BATCH_ID", help="One of them, bat_…; the latest ones without it.")
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end, and show its answers.")] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Stop it: what is answered by then is kept and paid.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show questions that were asked with --tier batch: at half the price, within 24 hours.

    Example: unabridged batches bat_… --wait
    """
    if batch_id is None:
        if wait or cancel:
            raise Invalid("Name the batch: unabridged batches BATCH_ID --wait or --cancel")
        _list(opening.context(opening.settings()), limit, json=json)
        return
    if cancel or wait:
        told, ctx = _minded(batch_id, cancel=cancel, wait=wait)
    else:
        ctx = opening.context(opening.settings())
        told = describe_batch(ctx, LOCAL, batch_id)
    if json:
        console.as_json(told)
    else:
        _show(ctx, told)
    if told["finished_at"] and told["status"] != "done":
        sys.exit(1)


def _minded(batch_id: str, *, cancel: bool, wait: bool) -> tuple[dict[str, Any], Context]:
    """Stop a batch or wait for it, and mind it meanwhile where nobody else does."""
    with (
        terminal.stopping_at_once(STILL_THERE),
        opening.working(opening.settings(), extract=False) as (ctx, worker),
    ):
        if cancel:
            cancel_batch(ctx, LOCAL, batch_id)
        told = describe_batch(ctx, LOCAL, batch_id)
        if wait or cancel:
            told = asyncio.run(_ended(ctx, worker, batch_id))
    return told, opening.context(opening.settings())


async def _ended(ctx: Context, worker: Worker, batch_id: str) -> dict[str, Any]:
    minding = asyncio.create_task(_mind(worker, batch_id))
    told: dict[str, Any] = {}
    try:
        async for news in follow_batch(ctx, LOCAL, batch_id):
            if news is not None:
                _say_news(told, news)
                told = news
    finally:
        minding.cancel()
    return told


async def _mind(worker: Worker, batch_id: str) -> None:
    while True:
        await worker.start_batch(batch_id)
        await asyncio.sleep(MIND_AGAIN_SECONDS)


def _say_news(before: dict[str, Any], now: dict[str, Any]) -> None:
    if not before or before["status"] != now["status"] or before["error"] != now["error"]:
        why = f": {wording.in_options(now['error']['detail'])}" if now["error"] else ""
        console.errors().print(f"[dim]{now['id']} {now['status'].replace('_', ' ')}{escape(why)}[/]")


def _list(ctx: Context, limit: int, *, json: bool) -> None:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while page := list_batches(ctx, LOCAL, after=after, limit=AT_ONCE):
        found += page
        after = page[-1]["id"]
    shown = found[-limit:][::-1]
    if json:
        console.as_json(shown)
        return
    for told in shown:
        console.results().print(_line(told), markup=False, soft_wrap=True)
    if not shown:
        console.say('No batch yet. Put a question in: unabridged ask FOLDER "your question" --tier batch')


def _line(told: dict[str, Any]) -> str:
    counts, at = told["counts"], told["created_at"][:16].replace("T", " ")
    said = f"{counts['done']} of {console.counted(counts['total'], 'question')} answered"
    return f"{told['id']}  {at} UTC  {told['status'].replace('_', ' ')}: {said}, {_money(told)}"


def _money(told: dict[str, Any]) -> str:
    cost = told["cost"]
    if cost["actual_usd"] is not None:
        return f"cost {console.dollars(cost['actual_usd'])}"
    if told["finished_at"] and told["status"] != "in_doubt":
        return "nothing was billed"
    return f"at most {console.dollars(cost['reserved_usd'])}"


def _show_sent(told: dict[str, Any]) -> None:
    err = console.errors()
    if told["error"]:
        err.print(f"[yellow]![/] {escape(wording.in_options(told['error']['detail']))}")
    if told["status"] == "failed":
        err.print(f"{told['id']} failed before it was taken; nothing was billed.")
        return
    console.results().print(told["id"], markup=False, soft_wrap=True)
    err.print(
        f"Its answer comes by {told['expires_at'][:16].replace('T', ' ')} UTC, for {_money(told)}. "
        f"Fetch it: unabridged batches {told['id']} --wait"
    )
    err.print("A running `unabridged serve` fetches it by itself.")


def _show(ctx: Context, told: dict[str, Any]) -> None:
    out = console.results()
    out.print(_line(told), markup=False, soft_wrap=True)
    if told["error"]:
        out.print(f"  {wording.in_options(told['error']['detail'])}", markup=False, soft_wrap=True)
    for one in told["answers"]:
        out.print(f"\n{one['id']}  {one['question']}", markup=False, soft_wrap=True)
        _show_answer(ctx, one["id"])


def _show_answer(ctx: Context, answer_id: str) -> None:
    answer = describe_answer(get_answer(ctx, LOCAL, answer_id))
    if answer["status"] == "done":
        console.results().print(answer["text"], markup=False, soft_wrap=True)
        endings.show_answer_end(answer)
    elif answer["error"]:
        said = f"{answer['status']}: {wording.in_options(answer['error']['detail'])}"
        console.results().print(said, markup=False, soft_wrap=True)
    else:
        console.results().print(f"{answer['status']}", markup=False, soft_wrap=True)

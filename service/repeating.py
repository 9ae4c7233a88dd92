"""The commands about an answer's question: go on where it broke off, or ask the very same pages again."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Annotated, Any

import typer

from service import answering, console, opening, terminal
from service.domain.answers import Answer
from service.usecases.ask_question import Request, ask_question, get_answer
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.replay_answer import plan_replay
from service.usecases.retry_answer import plan_retry

REFUSED = 3
MaxCost = Annotated[str | None, typer.Option(metavar="USD", help="Refuse a higher ceiling.")]
ConfirmAbove = Annotated[str, typer.Option(metavar="USD", help="Ask before a ceiling above this is spent.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Spend without asking.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
AnswerId = Annotated[
    str, typer.Argument(metavar="ANSWER_ID", help="Its id, or last; `unabridged answers` lists them.")
]


def retry(
    answer_id: AnswerId,
    max_cost: MaxCost = None,
    confirm_above: ConfirmAbove = "1.00",
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Go on with an answer that failed or was stopped: what was paid for is kept, the rest is paid.

    Example: unabridged retry last
    """
    limits = _limits(max_cost, confirm_above, yes=yes)
    with opening.working(opening.settings(), extract=False) as (ctx, worker):
        answer_id = opening.answer_id(ctx, answer_id)
        before = get_answer(ctx, LOCAL, answer_id)
        if before.retried_as is not None:
            sys.exit(_told(get_answer(ctx, LOCAL, before.retried_as), json=json))
        plan = plan_retry(ctx, LOCAL, answer_id)
        request = _agreed(ctx, plan, limits)
        accept = partial(ask_question, ctx, LOCAL, before.corpus_id, request)
        code = asyncio.run(answering.answered(ctx, worker, accept, json=json))
    sys.exit(code)


def replay(
    answer_id: AnswerId,
    question: Annotated[str | None, typer.Option(help="Ask this instead of the same again.")] = None,
    model: Annotated[str | None, typer.Option(help="Ask this model.")] = None,
    tier: Annotated[
        terminal.TierName | None, typer.Option("--tier", help="How it is processed and priced.")
    ] = None,
    effort: Annotated[
        terminal.EffortName | None, typer.Option("--effort", help="How long the model may think.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Output reserved a call, reasoning included.")
    ] = None,
    max_cost: MaxCost = None,
    confirm_above: ConfirmAbove = "1.00",
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Ask the very pages that an answer read again, to compare: the same, another question or model.

    Example: unabridged replay ans_0193 --question "And in winter?"
    """
    limits = _limits(max_cost, confirm_above, yes=yes)
    said = {
        "question": question,
        "model": model,
        "service_tier": tier and tier.value,
        "reasoning_effort": effort and effort.value,
        "max_completion_tokens": max_tokens,
    }
    changes = {name: value for name, value in said.items() if value is not None}
    with opening.working(opening.settings(), extract=False) as (ctx, worker):
        answer_id = opening.answer_id(ctx, answer_id)
        before = get_answer(ctx, LOCAL, answer_id)
        if model is not None:
            opening.model(ctx.catalog, model)
        plan = plan_replay(ctx, LOCAL, answer_id, changes)
        request = _agreed(ctx, plan, limits)
        accept = partial(ask_question, ctx, LOCAL, before.corpus_id, request)
        code = asyncio.run(answering.answered(ctx, worker, accept, json=json))
    sys.exit(code)


def _limits(max_cost: str | None, confirm_above: str, *, yes: bool) -> terminal.Limits:
    return terminal.Limits(
        None if max_cost is None else terminal.usd(max_cost, option="--max-cost"),
        terminal.usd(confirm_above, option="--confirm-above"),
        yes=yes,
    )


def _agreed(ctx: Context, plan: dict[str, Any], limits: terminal.Limits) -> Request:
    """Show the price; return the request once it is agreed to."""
    out = console.errors()
    console.show_plans(out, [plan], plan["id"], engine=ctx.provider.name, taken=True)
    if not plan["feasible"]:
        sys.exit(REFUSED)
    kept = sum(call["kept"] for call in plan["calls"])
    if kept:
        out.print(
            f"{kept} of {console.counted(len(plan['calls']), 'call')} kept from before: they cost nothing."
        )
    if ctx.provider.charges:
        terminal.confirm(plan, limits, engine=ctx.provider.name)
    return Request(plan_id=plan["id"], max_cost_usd=limits.max_cost if ctx.provider.charges else None)


def _told(after: Answer, *, json: bool) -> int:
    """Show the answer that goes on with another already; return the exit code."""
    if json:
        console.as_json(describe_answer(after))
    else:
        status = after.status.value.replace("_", " ")
        console.say(f"It was retried already, as {after.id}: {status}.")
        if after.text:
            console.say(after.text)
    return int(after.status.value != "done")

"""The commands about money: what was spent, what may be, and what became of what is in doubt."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.markup import escape

from service import console, endings, opening, terminal
from service.columns import Column, fitted
from service.domain.budgets import Period
from service.domain.usage import Usage
from service.errors import Invalid
from service.usecases import arrange_corpus, manage_budgets
from service.usecases.bill_verdict import Verdict
from service.usecases.context import LOCAL, Context
from service.usecases.describe_answer import describe_answer
from service.usecases.forget_limits import forget_limits
from service.usecases.manage_budgets import Limit
from service.usecases.report_spend import Span, report_spend
from service.usecases.resolve_answer import resolve_answer

CORPUS = "corpus:"


class By(StrEnum):
    """What spending is summed up by."""

    DAY = "day"
    MONTH = "month"
    CORPUS = "corpus"
    MODEL = "model"
    ANSWER = "answer"
    KEY = "key"


class PeriodName(StrEnum):
    """How long a budget lasts."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


Tokens = Annotated[int | None, typer.Option(min=0, max=10**9, help="As it was billed; of one call.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def spend(
    by: Annotated[By, typer.Option(help="What to sum up by.")] = By.DAY,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From this day on (UTC).")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Show what was spent, and what is held for calls that have not ended.

    Example: unabridged spend --by corpus --since 2026-11-01
    """
    ctx = opening.concluded(opening.settings())
    span = Span(since.replace(tzinfo=UTC) if since else None)
    report = report_spend(ctx, LOCAL, span, by.value)
    if json:
        console.as_json(report)
    else:
        _show_sums(report)
        _show_at_most(report["total"])
        _show_estimates(report["total"]["estimate"])


def budget(
    scope: Annotated[
        str | None,
        typer.Argument(help="`tenant` for everything, corpus:NAME or key:ID; all budgets without it."),
    ] = None,
    limit: Annotated[str | None, typer.Argument(metavar="USD", help="What may be spent.")] = None,
    period: Annotated[
        PeriodName | None,
        typer.Option(help="How long it lasts (UTC); as it was before, or total, by default."),
    ] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Lift the limit.")] = False,
    json: Json = False,
) -> None:
    """Set a limit on spending that no question can pass, or show the limits there are.

    Example: unabridged budget tenant 50 --period month
    """
    if remove and (scope is None or limit is not None):
        raise Invalid("Name the one budget to lift: unabridged budget tenant --remove")
    if period is not None and limit is None:
        raise Invalid("Say how much for the period: unabridged budget tenant 50 --period month")
    ctx = opening.context(opening.settings())
    if remove:
        manage_budgets.remove_budget(ctx, LOCAL, _scope(ctx, scope or ""))
    elif limit is not None:
        amount, of = terminal.usd(limit, option="USD"), _scope(ctx, scope or "")
        lasts = period.value if period else _period_of(ctx, of)
        manage_budgets.set_budget(ctx, LOCAL, of, Limit(amount, lasts))
    budgets = manage_budgets.list_budgets(ctx, LOCAL)
    if scope is not None and not remove:
        wanted = _scope(ctx, scope)
        budgets = [one for one in budgets if one["scope"] == wanted]
    if json:
        console.as_json(budgets)
    else:
        console.show_budgets(budgets)


def _period_of(ctx: Context, scope: str) -> Period:
    """How long the limit lasts that is changed; total where it is new."""
    budgets = manage_budgets.list_budgets(ctx, LOCAL)
    return next((one["period"] for one in budgets if one["scope"] == scope), "total")


def resolve(
    answer_id: Annotated[
        str, typer.Argument(metavar="ANSWER_ID", help="An answer in doubt: its id, or last.")
    ],
    billed: Annotated[
        bool | None, typer.Option("--billed/--not-billed", help="What the provider's own records show.")
    ] = None,
    prompt_tokens: Tokens = None,
    completion_tokens: Tokens = None,
    cached_tokens: Tokens = None,
    amount: Annotated[
        str | None, typer.Option(metavar="USD", help="What the invoice says it cost, instead of tokens.")
    ] = None,
    call: Annotated[int | None, typer.Option(min=0, help="Which call, where several are meant.")] = None,
    *,
    json: Json = False,
) -> None:
    """Say whether an answer in doubt was billed, or what one was that cost "at most" so much.

    What is held or booked for it is put right. In doubt, and billed without its tokens or amount, it is
    booked at its ceiling.

    Example: unabridged resolve ans_… --billed --amount 0.42
    """
    if billed is None:
        raise Invalid("Say --billed or --not-billed: what the provider's own records show.")
    ctx = opening.concluded(opening.settings())
    usage = _usage(prompt_tokens, completion_tokens, cached_tokens)
    billed_usd = None if amount is None else terminal.usd(amount, option="--amount")
    verdict = Verdict(billed, usage, amount_usd=billed_usd, call=call)
    answer = describe_answer(resolve_answer(ctx, LOCAL, opening.answer_id(ctx, answer_id), verdict))
    if json:
        console.as_json(answer)
    elif (answer["error"] or {}).get("code") == "in_doubt":
        console.say(answer["error"]["detail"])
    else:
        console.say(f"The answer is booked at {endings.cost_of(answer)}.")


def limits_forgotten(
    model: Annotated[str | None, typer.Argument(help="The model; the usual one unless named.")] = None,
) -> None:
    """Forget the provider's limits of tokens per minute, so that a larger request is tried again.

    Example: unabridged forget-limits gpt-5.5
    """
    ctx = opening.context(opening.settings())
    name = ctx.catalog.model(model or ctx.terms.model).id
    forget_limits(ctx, name)
    console.say(f"The limits of {name} are forgotten: the next question is tried.")


def _usage(prompt: int | None, completion: int | None, cached: int | None) -> Usage | None:
    """Return the usage that was told; None where none was."""
    if prompt is None and completion is None and cached is None:
        return None
    if prompt is None or completion is None:
        raise Invalid("Name both --prompt-tokens and --completion-tokens, or neither.")
    return Usage(prompt, completion, cached or 0)


def _show_sums(report: dict[str, Any]) -> None:
    """Show sums of what was spent, in all on the last line."""
    out = console.results()
    groups = [*report["data"], {"key": "in all", "name": None, **report["total"]}]
    columns = (
        Column(
            report["group_by"], tuple(escape(group["name"] or group["key"]) for group in groups), left=True
        ),
        Column("spent", tuple(console.dollars(group["spent_usd"]) for group in groups)),
        Column("ceilings", tuple(console.dollars(group["reserved_usd"]) for group in groups), leaves=3),
        Column("answers", tuple(f"{group['answers']:,}" for group in groups), leaves=1),
        Column("input tokens", tuple(f"{group['prompt_tokens']:,}" for group in groups), leaves=2),
        Column("cached", tuple(f"{group['cached_tokens']:,}" for group in groups), leaves=4),
        Column("output", tuple(f"{group['completion_tokens']:,}" for group in groups), leaves=5),
    )
    out.print(fitted(columns, out.width))
    if Decimal(report["held_usd"]):
        out.print(f"{console.dollars(report['held_usd'])} more is held for calls under way or in doubt.")


def _show_at_most(total: dict[str, Any]) -> None:
    """Say how much of what was spent is only known not to be more, and how to put it right."""
    if total["at_most_calls"]:
        exact, most = console.dollars(total["exact_usd"]), console.dollars(total["at_most_usd"])
        console.say(
            f"Of this {exact} is exact and {most} is at most: of "
            f"{console.counted(total['at_most_calls'], 'call')} the provider told no usage. Put them right "
            "by its invoice: unabridged resolve ANSWER_ID --billed --amount USD"
        )


def _show_estimates(estimate: dict[str, Any] | None) -> None:
    """Say how far off the prices before the questions were."""
    if estimate is not None:
        off, calls = console.dollars(estimate["mean_absolute_error_usd"]), estimate["calls"]
        expected, cached = estimate["expected_cached_tokens"], estimate["cached_tokens"]
        console.say(
            f"Estimates were off by {off} a call on average, over {console.counted(calls, 'call')}; "
            f"{cached:,} tokens came from the cache, {expected:,} were expected to."
        )


def _scope(ctx: Context, said: str) -> str:
    """Return the scope with the corpus's id where its name was given."""
    if not said.startswith(CORPUS):
        return said
    return CORPUS + arrange_corpus.find(ctx, LOCAL, said.removeprefix(CORPUS)).id

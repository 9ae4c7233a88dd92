"""The command line: the whole product without a server, and the commands that run one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape

from service import (
    admitting,
    advising,
    answering,
    batching,
    console,
    doctoring,
    exporting,
    folders,
    keeping,
    opening,
    pricelist,
    repeating,
    serving,
    spending,
    terminal,
    wording,
)
from service.console import Listed
from service.domain.questions import DEFAULT_MAX_COMPLETION_TOKENS, Question
from service.domain.ranked import MIN_BUDGET
from service.errors import (
    Invalid,
    UnabridgedError,
)
from service.keeping import Part
from service.mcp import command as mcp
from service.opening import Worker
from service.settings import Settings
from service.usecases import arrange_corpus, preview_question
from service.usecases.ask_question import Request, ask_question
from service.usecases.context import LOCAL, Context
from service.usecases.index_pages import make_searchable
from service.usecases.keep_conversation import to_continue
from service.usecases.preview_question import Offer, Preview
from service.usecases.report_waste import report_waste
from service.usecases.take_images import showing

UNREADABLE = 4
READING_STOPPED = "Stopped. What was not read yet is read the next time unabridged runs."

app = typer.Typer(
    name="unabridged",
    help='Ask the whole corpus, know the price first.\n\nStart with: unabridged ask FOLDER "your question"',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
ModelName = Annotated[str | None, typer.Option(help="Model to price or ask; `unabridged models` lists them.")]
Tier = Annotated[terminal.TierName | None, typer.Option("--tier", help="How it is processed and priced.")]
Effort = Annotated[terminal.EffortName | None, typer.Option("--effort", help="How long the model may think.")]
MaxTokens = Annotated[
    int, typer.Option("--max-tokens", min=1, help="Output reserved a call, reasoning included.")
]
Also = Annotated[
    list[str], typer.Option(metavar="QUESTION", help="Another question, asked in the same call; repeatable.")
]
LeaveOut = Annotated[
    list[terminal.WasteName], typer.Option(help="Waste that is not sent; `unabridged waste` tells of it.")
]
PageImages = Annotated[
    terminal.PageImagesName,
    typer.Option(help="Pages sent as pictures too: without text, or all scans."),
]
BudgetTokens = Annotated[
    int | None,
    typer.Option(min=MIN_BUDGET, help="Read only the most relevant pages, within so many tokens of input."),
]
Only = Annotated[
    list[str], typer.Option(metavar="NAME", help="Ask this document alone: file name, id or D7; repeatable.")
]
Without = Annotated[list[str], typer.Option(metavar="NAME", help="Leave this document out; repeatable.")]
Images = Annotated[
    list[str], typer.Option("--image", metavar="FILE|URL", help="Show this picture with it; repeatable.")
]
Repair = Annotated[
    bool, typer.Option("--repair", help="Ask once more where quotes fail; its price is in the ceiling.")
]


def main() -> NoReturn:
    """Run a command; exit with its code: 0, 1 failed, 2 usage, 3 price or window, 4 unread, 130 stopped."""
    try:
        app()
    except UnabridgedError as error:
        console.show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(terminal.STOPPED)
    except Exception as error:
        if _debugging():
            raise
        said = console.errors()
        said.print(f"[red]Something went wrong here.[/] {type(error).__name__}: {escape(str(error))}")
        said.print("  → Nothing stored or paid for is lost. UNABRIDGED_DEBUG=1 shows where it happened.")
        sys.exit(1)
    sys.exit(0)


def _debugging() -> bool:
    try:
        return opening.settings().debug
    except UnabridgedError:
        return False


def _version(asked: bool) -> None:  # noqa: FBT001 - the form of an option's callback
    if asked:
        typer.echo(f"unabridged {version('unabridged')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Say which version this is.")
    ] = False,
) -> None:
    pass


@app.command()
def ask(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[PATH]… QUESTION", help="What to ask, then the question."),
    ],
    corpus: Annotated[str | None, typer.Option(help="Ask a corpus by name or id instead of paths.")] = None,
    strategy: Annotated[
        terminal.StrategyName | None, typer.Option(help="One call or several; recommended by default.")
    ] = None,
    also: Also = [],  # noqa: B006 - the form of an option's default
    model: ModelName = None,
    tier: Tier = None,
    effort: Effort = None,
    max_tokens: MaxTokens = DEFAULT_MAX_COMPLETION_TOKENS,
    leave_out: LeaveOut = [],  # noqa: B006 - the form of an option's default
    page_images: PageImages = terminal.PageImagesName.NONE,
    budget_tokens: BudgetTokens = None,
    only: Only = [],  # noqa: B006 - the form of an option's default
    without: Without = [],  # noqa: B006 - the form of an option's default
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Ask in a conversation: its id, `last` or `new`.")
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on in the last conversation, or begin the first.")
    ] = False,
    image: Images = [],  # noqa: B006 - the form of an option's default
    repair: Repair = False,
    max_cost: Annotated[str | None, typer.Option(metavar="USD", help="Refuse a higher ceiling.")] = None,
    confirm_above: Annotated[
        str, typer.Option(metavar="USD", help="Ask before a ceiling above this is spent.")
    ] = "1.00",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Spend without asking.")] = False,
    json: Json = False,
) -> None:
    """Ask documents a question: read them, show the price, answer with proved citations.

    Example: unabridged ask reports/ "What changed between 2021 and 2022?"
    """
    paths, question = [Path(word) for word in words[:-1]], words[-1]
    if not paths and corpus is None:
        raise Invalid('Name what to ask: unabridged ask FOLDER "question", or --corpus NAME.')
    if paths and corpus is not None:
        raise Invalid(
            "Ask either files or a corpus: leave out the paths, or --corpus. "
            "`unabridged add PATH --corpus NAME` puts files into one."
        )
    limits = terminal.Limits(
        None if max_cost is None else terminal.usd(max_cost, option="--max-cost"),
        terminal.usd(confirm_above, option="--confirm-above"),
        yes=yes,
    )
    settings = opening.settings()
    asked = _question(question, settings, model, tier, effort, max_tokens)
    asked = terminal.packed(terminal.together(asked, also), leave_out, page_images)
    strategies = terminal.strategies(strategy, budget_tokens)
    asked = replace(asked, strategies=strategies, budget_tokens=budget_tokens, repair=repair)
    asked = replace(asked, conversation_id=terminal.conversation(conversation, go_on=go_on))
    shown = folders.pictures(image)
    with (
        terminal.stopping_at_once(READING_STOPPED),
        opening.working(settings, extract=bool(paths)) as (
            ctx,
            worker,
        ),
    ):
        opening.model(ctx.catalog, asked.model)
        ctx.provider.parameters.prepare(asked.model)
        asked = showing(ctx, asked, shown)
        code = asyncio.run(
            _ask(ctx, worker, paths, corpus, asked, limits, part=Part(only, without), json=json)
        )
    sys.exit(code)


@app.command()
def plan(
    question: Annotated[str, typer.Argument(help="The question to price.")],
    corpus: Annotated[str, typer.Option(help="Name or id of the corpus.")],
    also: Also = [],  # noqa: B006 - the form of an option's default
    model: ModelName = None,
    tier: Tier = None,
    effort: Effort = None,
    max_tokens: MaxTokens = DEFAULT_MAX_COMPLETION_TOKENS,
    leave_out: LeaveOut = [],  # noqa: B006 - the form of an option's default
    page_images: PageImages = terminal.PageImagesName.NONE,
    budget_tokens: BudgetTokens = None,
    only: Only = [],  # noqa: B006 - the form of an option's default
    without: Without = [],  # noqa: B006 - the form of an option's default
    image: Images = [],  # noqa: B006 - the form of an option's default
    repair: Repair = False,
    json: Json = False,
) -> None:
    """Price a question in every way that applies, cold and warm. Costs nothing.

    Example: unabridged plan --corpus reports "What changed?"
    """
    settings = opening.settings()
    asked = _question(question, settings, model, tier, effort, max_tokens)
    asked = terminal.packed(terminal.together(asked, also), leave_out, page_images)
    asked = replace(asked, budget_tokens=budget_tokens, repair=repair)
    shown = folders.pictures(image)
    ctx = opening.context(settings)
    found = arrange_corpus.find(ctx, LOCAL, corpus)
    asked = replace(asked, document_ids=Part(only, without).of(ctx, found.id))
    opening.model(ctx.catalog, asked.model)
    ctx.provider.parameters.prepare(asked.model)
    asked = showing(ctx, asked, shown)
    make_searchable(ctx, LOCAL, found.id, asked, patient=True)
    preview = preview_question.preview_question(ctx, LOCAL, found.id, asked)
    if json:
        console.as_json(_described(preview))
    else:
        _show(preview, ctx, to_results=True)
    if preview.recommended is None:
        sys.exit(3)


@app.command()
def waste(
    corpus: Annotated[str, typer.Option(help="Name or id of the corpus.")],
    model: ModelName = None,
    json: Json = False,
) -> None:
    """Show what each question pays for twice or for nothing, and what leaving it out saves.

    Example: unabridged waste --corpus reports
    """
    ctx = opening.context(opening.settings())
    found = arrange_corpus.find(ctx, LOCAL, corpus)
    report = report_waste(ctx, LOCAL, found.id, model_name=model and opening.model(ctx.catalog, model).id)
    if json:
        console.as_json(report)
    else:
        console.show_waste(report)


@app.command()
def add(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    corpus: Annotated[str | None, typer.Option(help="Corpus to put them in; made where it is new.")] = None,
    json: Json = False,
) -> None:
    """Add documents: read them, count them exactly, and say what could not be read and why.

    Example: unabridged add reports/ --corpus reports
    """
    if corpus is not None and not corpus.strip():
        raise Invalid("--corpus: the name is empty. Say one, or leave the option out.")
    folders.files_in(paths)  # refused before a corpus is made for them
    with terminal.stopping_at_once(READING_STOPPED), opening.working(opening.settings()) as (ctx, _worker):
        target = arrange_corpus.find_or_create(ctx, LOCAL, corpus) if corpus is not None else None
        listed = asyncio.run(folders.add(ctx, paths, target.id if target else None))
        if target is not None:
            folders.take_out_unread(ctx, target.id, listed)
        if json:
            console.as_json([one.described() for one in listed])
        else:
            _summarise(ctx, listed, target.id if target else None)
    if any(one.failed for one in listed):
        sys.exit(UNREADABLE)


app.command()(pricelist.models)
app.command()(serving.serve)
app.command()(serving.worker)
app.command()(serving.migrate)
app.command("list")(keeping.show)
app.command()(keeping.remove)
app.command()(batching.batches)
app.add_typer(exporting.app)
app.command()(mcp.mcp)
for command in (spending.spend, spending.budget, spending.resolve):
    app.command()(command)
app.command()(repeating.retry)
app.command()(repeating.replay)
app.command()(doctoring.doctor)
app.command("forget-limits")(spending.limits_forgotten)
app.add_typer(admitting.app, name="keys")


def _question(
    text: str,
    settings: Settings,
    model: str | None,
    tier: terminal.TierName | None,
    effort: terminal.EffortName | None,
    max_tokens: int,
) -> Question:
    if not text.strip():
        raise Invalid("The question is empty.")
    return Question(
        text=text,
        model=model or settings.model,
        service_tier=tier.value if tier else None,
        reasoning_effort=effort.value if effort else None,
        max_completion_tokens=max_tokens,
    )


async def _ask(
    ctx: Context,
    worker: Worker,
    paths: Sequence[Path],
    corpus: str | None,
    question: Question,
    limits: terminal.Limits,
    *,
    part: Part,
    json: bool,
) -> int:
    unreadable = 0
    if paths:
        corpus_id, listed = await folders.corpus_of(ctx, paths)
        unreadable = sum(one.failed and not one.inside for one in listed)
        console.show_unreadable(listed)
        if not any(one.asked for one in listed):
            return UNREADABLE
    else:
        corpus_id = arrange_corpus.find(ctx, LOCAL, corpus or "").id
    question = replace(question, document_ids=part.of(ctx, corpus_id))
    question = to_continue(ctx, LOCAL, corpus_id, question)
    make_searchable(ctx, LOCAL, corpus_id, question, patient=True)
    preview = preview_question.preview_question(ctx, LOCAL, corpus_id, question)
    _show(preview, ctx, to_results=False)
    if preview.recommended is None:
        if json:
            console.as_json(_described(preview))
        return 3
    request = _agreed(ctx, preview.recommended, limits)
    if question.service_tier == "batch":
        return await batching.put_in(ctx, worker, corpus_id, request, json=json)
    accept = partial(ask_question, ctx, LOCAL, corpus_id, request)
    code = await answering.answered(ctx, worker, accept, json=json)
    return code or (UNREADABLE if unreadable else 0)


def _agreed(ctx: Context, offer: Offer, limits: terminal.Limits) -> Request:
    """Return what is asked once the person at the terminal agrees to its price."""
    if ctx.provider.charges:
        terminal.confirm(offer.description, limits, engine=ctx.provider.name)
    most = limits.max_cost if ctx.provider.charges else None
    return Request(plan_id=offer.id, max_cost_usd=most)


def _show(preview: Preview, ctx: Context, *, to_results: bool) -> None:
    target = console.results() if to_results else console.errors()
    described = _described(preview)
    console.show_plans(
        target, described["data"], described["recommended"], engine=ctx.provider.name, taken=not to_results
    )
    for line in advising.lines(described):
        target.print(line, markup=False)


def _described(preview: Preview) -> dict[str, Any]:
    return {
        "data": [offer.description for offer in preview.offers],
        "recommended": preview.recommended.id if preview.recommended else None,
        "recommended_because": preview.because,
    }


def _summarise(ctx: Context, listed: Sequence[Listed], corpus_id: str | None) -> None:
    console.show_unreadable(listed)
    ready = [one.document for one in listed if one.asked]
    out = console.results()
    pages, tokens = (sum(getattr(d, name) for d in ready) for name in ("pages", "pages_tokens"))
    of = len(ready) + sum(one.failed for one in listed)  # archives are left out: what is in them is listed
    read = f"{len(ready)} of {console.counted(of, 'document')} read"
    out.print(f"{read}: {console.counted(pages, 'page')}, {console.counted(tokens, 'token')}")
    if corpus_id is not None:
        if unread := folders.unread(listed):
            out.print(f"left out of the corpus: {escape(', '.join(one.name for one in unread))}")
        gauge = preview_question.meter(ctx, LOCAL, corpus_id, model_name=None)
        for warning in gauge["warnings"]:
            out.print(f"[yellow]![/] {escape(wording.in_options(warning['detail']))}")

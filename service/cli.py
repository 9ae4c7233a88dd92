"""The command line: the whole product without a server, and the commands that run one."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from rich.markup import escape

from service import console, factory, jobs
from service.api.access import is_loopback
from service.app import create_app
from service.domain.documents import Document, DocumentStatus
from service.domain.questions import DEFAULT_MAX_COMPLETION_TOKENS, Question
from service.errors import Fix, Invalid, NotAllowed, OverMaxCost, UnabridgedError
from service.jobs import Worker
from service.settings import Settings
from service.usecases import arrange_corpus, preview_question, read_document
from service.usecases.add_document import add_document
from service.usecases.ask_question import Request, ask_question
from service.usecases.context import LOCAL, Context
from service.usecases.describe_model import describe_model
from service.usecases.follow_answer import follow_answer
from service.usecases.preview_question import Preview

CHUNK = 1 << 20
POLL_SECONDS = 0.1
UNREADABLE = 4

app = typer.Typer(
    name="unabridged",
    help='Ask the whole corpus, know the price first.\n\nStart with: unabridged ask FOLDER "your question"',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Model = Annotated[str | None, typer.Option(help="Model to price or ask; `unabridged models` lists them.")]
Tier = Annotated[str | None, typer.Option("--tier", help="standard, flex, batch or priority.")]
Effort = Annotated[str | None, typer.Option("--effort", help="none, low, medium, high or xhigh.")]
MaxTokens = Annotated[int, typer.Option("--max-tokens", help="Output reserved a call, reasoning included.")]


def main() -> NoReturn:
    """Run a command and exit with its code: 0, 1 failed, 2 usage, 3 price or window, 4 unreadable."""
    try:
        app()
    except UnabridgedError as error:
        said = console.errors()
        said.print(f"[red]{error.title}.[/] {escape(error.detail)}")
        for fix in error.fixes:
            said.print(f"  → {escape(_said(fix))}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if Settings().debug:
            raise
        said = console.errors()
        said.print(f"[red]Something went wrong here.[/] {type(error).__name__}: {escape(str(error))}")
        said.print("  → Nothing stored or paid for is lost. UNABRIDGED_DEBUG=1 shows where it happened.")
        sys.exit(1)
    sys.exit(0)


@app.command()
def ask(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[PATH]… QUESTION", help="What to ask, then the question."),
    ],
    corpus: Annotated[str | None, typer.Option(help="Ask a corpus by name or id instead of paths.")] = None,
    strategy: Annotated[str | None, typer.Option(help="whole or split; recommended by default.")] = None,
    model: Model = None,
    tier: Tier = None,
    effort: Effort = None,
    max_tokens: MaxTokens = DEFAULT_MAX_COMPLETION_TOKENS,
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
    asked = Question(
        text=question,
        model=model or Settings().model,
        strategies=(strategy,) if strategy else (),
        service_tier=tier,
        reasoning_effort=effort,
        max_completion_tokens=max_tokens,
    )
    limits = _Limits(_usd(max_cost), _usd(confirm_above) or Decimal(0), yes=yes)
    with _working() as (ctx, worker):
        code = asyncio.run(_ask(ctx, worker, paths, corpus, asked, limits, json=json))
    sys.exit(code)


@app.command()
def plan(
    question: Annotated[str, typer.Argument(help="The question to price.")],
    corpus: Annotated[str, typer.Option(help="Name or id of the corpus.")],
    model: Model = None,
    tier: Tier = None,
    effort: Effort = None,
    max_tokens: MaxTokens = DEFAULT_MAX_COMPLETION_TOKENS,
    json: Json = False,
) -> None:
    """Price a question in every way that applies, cold and warm. Costs nothing.

    Example: unabridged plan --corpus reports "What changed?"
    """
    settings = Settings()
    ctx = factory.open_context(settings, queue=jobs.JobQueue)
    found = arrange_corpus.find(ctx, LOCAL, corpus)
    preview = preview_question.preview_question(
        ctx,
        LOCAL,
        found.id,
        Question(
            text=question,
            model=model or settings.model,
            service_tier=tier,
            reasoning_effort=effort,
            max_completion_tokens=max_tokens,
        ),
    )
    if json:
        console.as_json(_described(preview))
    else:
        _show(preview, ctx, to_results=True)
    if preview.recommended is None:
        sys.exit(3)


@app.command()
def add(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    corpus: Annotated[str | None, typer.Option(help="Corpus to put them in; made where it is new.")] = None,
    json: Json = False,
) -> None:
    """Add documents: read them, count them exactly, and say what could not be read and why.

    Example: unabridged add reports/ --corpus reports
    """
    with _working() as (ctx, _worker):
        target = arrange_corpus.find_or_create(ctx, LOCAL, corpus) if corpus else None
        documents = asyncio.run(_add(ctx, paths, target.id if target else None))
        if json:
            console.as_json([_line(document) for document in documents])
        else:
            _summarise(ctx, documents, target.id if target else None)
    if any(document.status is DocumentStatus.FAILED for document in documents):
        sys.exit(UNREADABLE)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Loopback only while there are no keys.")] = "127.0.0.1",
    port: int = 8000,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Leave reading to `unabridged worker`.")
    ] = False,
) -> None:
    """Run the HTTP service; its reference is at /docs."""
    if not is_loopback(host):
        raise NotAllowed(
            f"Without keys the service only listens on this machine, not on {host}.",
            fixes=(Fix("use_host", "Use --host 127.0.0.1."),),
        )
    settings = Settings()
    factory.open_database(settings).close()  # what is wrong with the store is said before the server starts
    uvicorn.run(
        create_app(settings, work=not no_worker),
        host=host,
        port=port,
        log_level="info",
        timeout_graceful_shutdown=jobs.SHUTDOWN_SECONDS,
    )


@app.command()
def worker() -> None:
    """Read documents for a service that runs with --no-worker, until stopped."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _working() as (_ctx, working):
        console.errors().print(f"working as {working.seat}; stop with Ctrl-C")
        stop.wait()


@app.command()
def migrate() -> None:
    """Bring the store's schema to this version's."""
    ctx = factory.open_context(Settings(), queue=jobs.JobQueue, migrate=True)
    jobs.migrate(ctx.db)
    console.errors().print("The store is up to date.")


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="One model in full.")] = None, *, json: Json = False
) -> None:
    """Show the models with their windows, thresholds and dated prices."""
    catalog = factory.make_catalog(Settings())
    chosen = [catalog.model(name)] if name else list(catalog.models)
    if json or name:
        on = catalog.as_of
        described = [{"id": model.id, **describe_model(model, catalog, on=on)} for model in chosen]
        console.as_json(described[0] if name else described)
    else:
        console.results().print(console.models_table(catalog, chosen, catalog.as_of))


class _Limits:
    """What may be spent without asking, and at all."""

    def __init__(self, max_cost: Decimal | None, confirm_above: Decimal, *, yes: bool) -> None:
        self.max_cost = max_cost
        self.confirm_above = confirm_above
        self.yes = yes


@contextmanager
def _working() -> Iterator[tuple[Context, Worker]]:
    settings = Settings()
    ctx = factory.open_context(settings, queue=jobs.JobQueue)
    try:
        with jobs.working(ctx, settings) as worker:
            yield ctx, worker
    finally:
        ctx.close()


async def _ask(
    ctx: Context,
    worker: Worker,
    paths: Sequence[Path],
    corpus: str | None,
    question: Question,
    limits: _Limits,
    *,
    json: bool,
) -> int:
    unreadable = 0
    if paths:
        corpus_id, documents = await _corpus_of(ctx, paths)
        unreadable = sum(document.status is DocumentStatus.FAILED for document in documents)
        console.show_unreadable(documents)
        if unreadable == len(documents):
            return UNREADABLE
    else:
        corpus_id = arrange_corpus.find(ctx, LOCAL, corpus or "").id
    preview = preview_question.preview_question(ctx, LOCAL, corpus_id, question)
    _show(preview, ctx, to_results=False)
    if preview.recommended is None:
        return 3
    _confirm(ctx, preview.recommended.description, limits)
    request = Request(plan_id=preview.recommended.id, max_cost_usd=limits.max_cost)
    answer = ask_question(ctx, LOCAL, corpus_id, request)
    await worker.start_answer(answer.id)
    ended = await _follow(ctx, answer.id, aloud=not json)
    if json:
        console.as_json(ended)
    if ended["status"] != "done":
        detail = (ended["error"] or {}).get("detail", ended["status"])
        console.errors().print(f"[red]{ended['status']}[/] {escape(detail)}")
        return 1
    return UNREADABLE if unreadable else 0


async def _follow(ctx: Context, answer_id: str, *, aloud: bool) -> dict[str, Any]:
    """Print the answer as it comes; return it as it ended."""
    async for event in follow_answer(ctx, LOCAL, answer_id):
        if event is None:
            continue
        if event.name == "delta" and aloud:
            sys.stdout.write(event.data["text"])
            sys.stdout.flush()
        if event.name == "done":
            if aloud:
                sys.stdout.write("\n")
                console.show_answer_end(event.data)
            return event.data
        if event.name == "error":
            ended: dict[str, Any] = event.data["answer"]
            return ended
    raise AssertionError("a followed answer always ends")


async def _corpus_of(ctx: Context, paths: Sequence[Path]) -> tuple[str, list[Document]]:
    """Return the corpus that stands for these paths, holding exactly what can be read in them."""
    name = ", ".join(sorted(str(path.expanduser().resolve()) for path in paths))
    if len(name) > arrange_corpus.MAX_NAME:
        name = f"…{name[1 - arrange_corpus.MAX_NAME :]}"
    documents = await _add(ctx, paths, None)
    corpus = arrange_corpus.find_or_create(ctx, LOCAL, name)
    wanted = [document.id for document in documents if document.status is DocumentStatus.READY]
    for member in arrange_corpus.members(ctx, LOCAL, corpus.id):
        if member.document_id not in wanted:
            arrange_corpus.take_out(ctx, LOCAL, corpus.id, member.document_id)
    for document_id in wanted:
        arrange_corpus.append(ctx, LOCAL, corpus.id, document_id)
    return corpus.id, documents


async def _add(ctx: Context, paths: Sequence[Path], corpus_id: str | None) -> list[Document]:
    """Store files and wait until each is read or refused; each document once, in the order of its name."""
    files = _files(paths)
    added: dict[str, Document] = {}
    with console.progress() as bar:
        storing = bar.add_task("storing", total=len(files), note="files")
        for path in files:
            one = await add_document(
                ctx, LOCAL, filename=path.name, chunks=_chunks(path), corpus_id=corpus_id
            )
            added[one.document.id] = one.document
            bar.advance(storing)
        reading = bar.add_task("reading", total=1, note="")
        while True:
            for document_id, document in added.items():
                if document.status not in {DocumentStatus.READY, DocumentStatus.FAILED}:
                    added[document_id] = await asyncio.to_thread(
                        read_document.get_document, ctx, LOCAL, document_id
                    )
            console.show_reading(bar, reading, list(added.values()))
            if all(d.status in {DocumentStatus.READY, DocumentStatus.FAILED} for d in added.values()):
                return list(added.values())
            await asyncio.sleep(POLL_SECONDS)


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that these paths mean, hidden ones left out.

    Raises:
        Invalid: a path does not exist, or there is no file at all.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.is_file())
            found.extend(
                sorted(p for p in inside if not any(s.startswith(".") for s in p.relative_to(path).parts))
            )
        elif path.is_file():
            found.append(path)
        else:
            raise Invalid(f"There is no file or folder {path}.")
    if not found:
        raise Invalid("There are no files to read in " + ", ".join(str(path) for path in paths) + ".")
    return list(dict.fromkeys(found))


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk


def _confirm(ctx: Context, chosen: dict[str, Any], limits: _Limits) -> None:
    """Ask before money above the limit is spent.

    Raises:
        OverMaxCost: nobody agreed.
    """
    if not ctx.provider.charges or limits.yes or limits.max_cost is not None:
        return
    cost = chosen["cost"]
    if cost is not None and Decimal(cost["max_usd"]) <= limits.confirm_above:
        return
    ceiling = f"${cost['max_usd']}" if cost else "an unknown amount"
    usual = f" (most likely ${cost['expected_usd']})" if cost else ""
    asked = f"Spend up to {ceiling}{usual} on {ctx.provider.name}?"
    if not sys.stdin.isatty() or not typer.confirm(asked, err=True):
        raise OverMaxCost(
            f"Nothing was spent. {asked}", fixes=(Fix("agree", "Say --yes, or --max-cost USD."),)
        )


def _show(preview: Preview, ctx: Context, *, to_results: bool) -> None:
    target = console.results() if to_results else console.errors()
    described = _described(preview)
    console.show_plans(target, described["data"], described["recommended"], engine=ctx.provider.name)


def _described(preview: Preview) -> dict[str, Any]:
    return {
        "data": [offer.description for offer in preview.offers],
        "recommended": preview.recommended.id if preview.recommended else None,
    }


def _summarise(ctx: Context, documents: Sequence[Document], corpus_id: str | None) -> None:
    console.show_unreadable(documents)
    ready = [document for document in documents if document.status is DocumentStatus.READY]
    out = console.results()
    pages, tokens = (sum(getattr(d, name) for d in ready) for name in ("pages", "pages_tokens"))
    out.print(f"{len(ready)} of {len(documents)} documents read: {pages:,} pages, {tokens:,} tokens")
    if corpus_id is not None:
        gauge = preview_question.meter(ctx, LOCAL, corpus_id, model_name=None)
        for warning in gauge["warnings"]:
            out.print(f"[yellow]![/] {warning['detail']}")


def _line(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "filename": document.filename,
        "status": document.status.value,
        "pages": document.pages,
        "tokens": document.pages_tokens,
        "error": {"code": document.error.code, "detail": document.error.detail} if document.error else None,
    }


def _usd(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text.lstrip("$"))
    except InvalidOperation as error:
        raise Invalid(f"“{text}” is no amount in dollars.") from error


def _said(fix: Fix) -> str:
    values = ", ".join(f"{name} {value}" for name, value in fix.values)
    return fix.detail or " ".join(part for part in (fix.do.replace("_", " "), values) if part)

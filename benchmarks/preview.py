"""What a preview costs as a corpus grows: python benchmarks/preview.py [--plot docs/preview.svg].

Documents are made up as rows, since a preview reads no text; their page index is up to date, so that ranked
plans are among those made. The time is of the whole use case, from reading the members to storing the plans;
over REST, in the same process, from the request to the last byte. It grows with the number of documents, not
with their tokens and pages. With a provider that charges, each plan is also held against what was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select, update

from service import factory, jobs
from service.api import corpora as api
from service.api.access import tenant
from service.domain.caching import KEPT, Sent
from service.domain.documents import Document, DocumentStatus, PageCount, Progress
from service.domain.questions import Question
from service.provider.offline import OfflineProvider
from service.settings import Settings
from service.store import corpora, documents, prefixes, tables
from service.store.search import Counted, Entry
from service.usecases import arrange_corpus
from service.usecases.context import LOCAL, Context
from service.usecases.forecast_cache import chain_of, lead_of, names_of
from service.usecases.index_pages import entries_of
from service.usecases.preview_question import Preview, meter, preview_question

QUESTION = Question(text="How did cost and revenue change between the years?", model="gpt-5.5")
RUNS = 9
SIZES = (125, 250, 500, 1000, 2000)
"""Documents of one page; from 1,000 on they are over the threshold."""

PAGES = (5, 20, 50)
"""Of as many documents as the largest of `SIZES`, up to 100,000 pages: no call holds them."""

COLUMNS = {
    "meter": "meter",
    "preview": "preview",
    "changed": "all documents changed",
    "cold": "with a provider, cold",
    "warm": "warm",
    "posted": "cold, over REST",
}

WORDS = ("annual", "report", "cost", "revenue", "change", "year", "margin", "table", "figure", "note", "part")


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of one use case: the median, and the least processor time (busy)."""

    elapsed: float
    busy: float


@dataclass(frozen=True, slots=True)
class Timed:
    """What one corpus took.

    Attributes:
        changed: previews right after something of every document changed: nothing known of them serves.
        cold, warm: with a provider that charges, when nothing was sent and when everything was.
        posted: the cold ones over REST.
    """

    documents: int
    pages: int
    tokens: int
    status: str
    meter: Times
    preview: Times
    changed: Times
    cold: Times
    warm: Times
    posted: Times


def fill(ctx: Context, corpus_id: str, numbers: Iterable[int], *, pages: int = 1) -> None:
    """Add documents with these numbers, of so many pages of 200 to 600 tokens each, and index them."""
    with ctx.db.write() as tx:
        for number in numbers:
            document = made_up(number, pages)
            documents.add(tx, document)
            documents.start(tx, document.id)
            counted = [
                (PageCount(page, tokens=tokens_of(number, page), chars=1600), "text")
                for page in range(1, pages + 1)
            ]
            documents.add_pages(tx, document.id, counted)
            documents.finish(
                tx,
                document.id,
                pack_sha256=document.sha256,
                encoding="o200k_base",
                title=None,
                warnings=[],
                at=document.created_at,
            )
            arrange_corpus.append_in(tx, corpus_id, document)
    with ctx.db.read() as tx:
        entries = entries_of(corpora.members_of(tx, corpus_id))
    ctx.index.update(corpus_id, entries, texts_of)


def tokens_of(number: int, page: int) -> int:
    """Return what a page counts: 400 on the average, and another number than its neighbours."""
    return 200 + (number * 211 + page * 97) % 401


def texts_of(entries: Sequence[Entry]) -> Iterator[tuple[Counted, str]]:
    """Yield each page with a few words, some of them asked for."""
    for one in entries:
        number = int(one.document_id.rpartition("-")[2])
        for page in range(1, one.pages + 1):
            said = [WORDS[(number * step + page) % len(WORDS)] for step in (1, 3, 5, 7)]
            yield Counted(one.ordinal, page, tokens_of(number, page)), " ".join(said)


def made_up(number: int, pages: int) -> Document:
    """Return a document that is waiting to be read."""
    return Document(
        id=f"doc_{pages:03}-{number:08}",
        tenant=LOCAL,
        sha256=f"{pages:032x}{number:032x}",
        filename=f"report-{number}.pdf",
        media_type="application/pdf",
        bytes=1,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=datetime.now(UTC),
    )


class Charging(OfflineProvider):
    """A provider that charges; it is never called."""

    @property
    def name(self) -> str:
        """Another than the offline engine's."""
        return "openai"

    @property
    def charges(self) -> bool:
        """It does."""
        return True

    @property
    def takes_tiers(self) -> bool:
        """It does."""
        return True


def send(ctx: Context, corpus_id: str, preview: Preview) -> None:
    """Remember the calls of a preview's plans as sent just now."""
    now = datetime.now(UTC)
    calls = [call for offer in preview.offers for call in offer.plan.calls if call.slices]
    for call in calls:
        lead = lead_of(call.kind, None).identity
        sent = Sent(call.prefix_sha256, corpus_id, now, lead, chain_of(call))
        with ctx.db.write() as tx:
            prefixes.remember(
                tx,
                sent,
                names_of(call),
                tenant=LOCAL,
                engine=ctx.provider.name,
                model=QUESTION.model,
                oldest=now - KEPT - timedelta(days=1),
            )


def change(ctx: Context, corpus_id: str) -> None:
    """Have every document of a corpus count one character more."""
    of_corpus = select(tables.members.c.document_id).where(tables.members.c.corpus_id == corpus_id)
    with ctx.db.write() as tx:
        tx.execute(
            update(tables.documents)
            .where(tables.documents.c.id.in_(of_corpus))
            .values(chars=tables.documents.c.chars + 1)
        )


class Posting:
    """A corpus's plans over REST, without a network."""

    def __init__(self, ctx: Context, corpus_id: str) -> None:
        self._app = FastAPI()
        self._app.include_router(api.router)
        self._app.state.context = ctx
        self._app.dependency_overrides[tenant] = lambda: LOCAL
        self._path = f"/v1/corpora/{corpus_id}/plans"
        self._body = json.dumps({"question": QUESTION.text, "model": QUESTION.model}).encode()
        self._loop = asyncio.new_event_loop()

    def __call__(self) -> None:
        """Ask for plans, as a client does."""
        self._loop.run_until_complete(self._post())

    async def _post(self) -> None:
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": self._body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": self._path,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        await self._app(scope, receive, send)
        if sent[0]["status"] != HTTPStatus.CREATED:
            raise SystemExit(f"{self._path} answered {sent[0]['status']}")

    def close(self) -> None:
        """End its threads."""
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


def times(run: Callable[[], object], *, before: Callable[[], object] = lambda: None) -> Times:
    """Return what a run takes, of several; what is done before each is not timed."""
    elapsed, busy = [], []
    for _ in range(RUNS):
        before()
        began, worked = time.perf_counter(), time.process_time()
        run()
        elapsed.append((time.perf_counter() - began) * 1000)
        busy.append((time.process_time() - worked) * 1000)
    return Times(statistics.median(elapsed), min(busy))


def measured(ctx: Context, corpus_id: str, pages: int) -> Timed:
    """Time the meter and the previews of a corpus."""
    charging = replace(ctx, provider=Charging())
    gauge = meter(ctx, LOCAL, corpus_id, model_name=None)
    meters = times(lambda: meter(ctx, LOCAL, corpus_id, model_name=None))
    previews = times(lambda: preview_question(ctx, LOCAL, corpus_id, QUESTION))
    changed = times(
        lambda: preview_question(ctx, LOCAL, corpus_id, QUESTION), before=lambda: change(ctx, corpus_id)
    )
    cold = times(lambda: preview_question(charging, LOCAL, corpus_id, QUESTION))
    posting = Posting(charging, corpus_id)
    posted = times(posting)
    posting.close()
    send(charging, corpus_id, preview_question(charging, LOCAL, corpus_id, QUESTION))
    warm = times(lambda: preview_question(charging, LOCAL, corpus_id, QUESTION))
    over = [name for name in ("window", "threshold") if gauge[name]["status"] == "over"]
    return Timed(
        documents=len(gauge["documents"]),
        pages=pages,
        tokens=gauge["input_tokens"],
        status=f"over the {over[0]}" if over else "below the threshold",
        meter=meters,
        preview=previews,
        changed=changed,
        cold=cold,
        warm=warm,
        posted=posted,
    )


def by_documents(ctx: Context) -> list[Timed]:
    """Time corpora of more and more documents of one page."""
    corpus = arrange_corpus.create(ctx, LOCAL, name="growing")
    found: list[Timed] = []
    for size in SIZES:
        fill(ctx, corpus.id, range(found[-1].documents if found else 0, size))
        found.append(measured(ctx, corpus.id, 1))
    return found


def by_tokens(ctx: Context) -> list[Timed]:
    """Time corpora of as many documents, with more and more pages each."""
    return [of_size(ctx, SIZES[-1], pages) for pages in PAGES]


def of_size(ctx: Context, size: int, pages: int) -> Timed:
    """Time a corpus of so many documents of so many pages."""
    corpus = arrange_corpus.create(ctx, LOCAL, name=f"{size} of {pages} pages")
    fill(ctx, corpus.id, range(size), pages=pages)
    return measured(ctx, corpus.id, pages)


def show(found: Sequence[Timed], *, busy: bool) -> None:
    """Print the times as a table of docs/benchmarks.md."""
    print("| documents | pages each | tokens | | " + " | ".join(COLUMNS.values()) + " |")
    print("|---" * (4 + len(COLUMNS)) + "|")
    for one in found:
        each: list[Times] = [getattr(one, name) for name in COLUMNS]
        told = [f"{time.busy if busy else time.elapsed:.1f} ms" for time in each]
        row = (f"{one.documents:,}", f"{one.pages:,}", f"{one.tokens:,}", one.status, *told)
        print("| " + " | ".join(row) + " |")


@dataclass(frozen=True, slots=True)
class Scale:
    """The milliseconds of both panels: where the y-axis ends, and its steps."""

    top: float
    step: float

    def y(self, ms: float) -> float:
        """Pixels from the top of the picture."""
        return 250 - 200 * ms / self.top


def panel(left: int, found: Sequence[Timed], at: Sequence[float], names: Sequence[str], scale: Scale) -> str:
    """Draw what previews and meters took, with axes.

    Args:
        left: where it begins, in pixels; it is 290 wide and 200 high.
        found: what is drawn.
        at: where on the x-axis, from 0 to 1.
        names: of these places.
        scale: of the y-axis.
    """
    ticks = [number * scale.step for number in range(round(scale.top / scale.step) + 1)]
    grid = "".join(
        f'<path d="M{left} {scale.y(ms):.1f}H{left + 300}" class="grid"/>'
        f'<text x="{left - 8}" y="{scale.y(ms) + 4:.1f}" class="end">{ms:.0f}</text>'
        for ms in ticks
    )
    places = [left + 290 * x for x in at]
    marks = "".join(
        f'<text x="{x:.0f}" y="268">{name}</text>' for x, name in zip(places, names, strict=True) if name
    )
    drawn = [grid, marks]
    for kind, named in (("preview", "preview"), ("meter", "meter")):
        spots = [
            (x, scale.y(getattr(one, kind).busy), getattr(one, kind).busy)
            for x, one in zip(places, found, strict=True)
        ]
        drawn.append(
            f'<polyline points="{" ".join(f"{x:.0f},{y:.1f}" for x, y, _ in spots)}" class="{kind} line"/>'
        )
        drawn += [f'<circle cx="{x:.0f}" cy="{y:.1f}" r="3.5" class="{kind}"/>' for x, y, _ in spots]
        x, y, ms = spots[-1]
        drawn.append(f'<text x="{x:.0f}" y="{y - 10:.1f}" class="end {kind}">{named} {ms:.0f} ms</text>')
    return "".join(drawn)


STYLE = (
    "svg{font:12px sans-serif;text-anchor:middle}.end{text-anchor:end}text{fill:#1f2328}.back{fill:#fff}"
    ".grid{stroke:#d1d9e0}.line{fill:none!important;stroke-width:2}"
    ".preview{stroke:#0550ae;fill:#0550ae}.meter{stroke:#116329;fill:#116329}text{stroke:none!important}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}.grid{stroke:#3d444d}"
    ".preview{stroke:#79c0ff;fill:#79c0ff}.meter{stroke:#7ee787;fill:#7ee787}}"
)


def plot(growing: Sequence[Timed], longer: Sequence[Timed]) -> str:
    """Return both curves as SVG, on one scale of milliseconds of processor time."""
    most = max(one.preview.busy for one in (*growing, *longer))
    scale = Scale(top=10 * (most // 10 + 1), step=10)
    sizes = [f"{one.documents:,}" if one.documents >= SIZES[1] else "" for one in growing]
    tokens = [f"{one.tokens / 1e6:.0f} M" if one.pages != PAGES[0] else "" for one in longer]
    shares = [one.documents / growing[-1].documents for one in growing]
    lengths = [one.tokens / longer[-1].tokens for one in longer]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 320"><style>' + STYLE + "</style>"
        '<rect width="760" height="320" class="back"/>'
        '<text x="380" y="20">Milliseconds of processor time: with documents, not with tokens</text>'
        + panel(50, growing, shares, sizes, scale)
        + panel(440, longer, lengths, tokens, scale)
        + '<text x="195" y="295">documents of one page, 400 tokens each</text>'
        f'<text x="585" y="295">tokens of {longer[0].documents:,} documents of 1 to {PAGES[-1]} pages</text>'
        "</svg>\n"
    )


def main() -> None:
    """Print the times, and draw them where that is wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, help="write the curves to this SVG file")
    parser.add_argument("--busy", action="store_true", help="tell the least processor time, not the median")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ctx = factory.open_context(Settings(data=Path(folder)), queue=jobs.JobQueue)
        gc.freeze()  # as the service does
        growing, longer = by_documents(ctx), by_tokens(ctx)
        ctx.close()
    show([*growing, *longer], busy=args.busy)
    if args.plot:
        args.plot.write_text(plot(growing, [growing[-1], *longer]), encoding="utf-8")


if __name__ == "__main__":
    main()

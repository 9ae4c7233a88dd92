"""What a preview costs as a corpus grows: python benchmarks/preview.py [--plot docs/preview.svg].

Documents are made up as rows, since a preview reads no text; their page index is up to date, so that ranked
plans are among those made. The time is of the whole use case, from reading the members to storing the plans.
It grows with the number of documents, not with their tokens and pages. With a provider that charges, each
plan is also held against what was sent before.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from service import factory, jobs
from service.domain.caching import KEPT, Sent
from service.domain.documents import Document, DocumentStatus, PageCount, Progress
from service.domain.questions import Question
from service.provider.offline import OfflineProvider
from service.settings import Settings
from service.store import corpora, documents, prefixes
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

PAGES = (2, 20, 200)
FIXED = 250
"""So many documents with more and more pages: below the threshold, over it, over the window."""

LARGEST = (2000, 50)
"""Documents and pages each of a corpus that no call holds: 100,000 pages."""

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
        cold, warm: previews with a provider that charges, when nothing was sent and when everything was.
    """

    documents: int
    pages: int
    tokens: int
    status: str
    meter: Times
    preview: Times
    cold: Times
    warm: Times


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


def times(run: Callable[[], object]) -> Times:
    """Return what a run takes, of several."""
    elapsed, busy = [], []
    for _ in range(RUNS):
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
    cold = times(lambda: preview_question(charging, LOCAL, corpus_id, QUESTION))
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
        cold=cold,
        warm=warm,
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
    return [of_size(ctx, FIXED, pages) for pages in PAGES]


def of_size(ctx: Context, size: int, pages: int) -> Timed:
    """Time a corpus of so many documents of so many pages."""
    corpus = arrange_corpus.create(ctx, LOCAL, name=f"{size} of {pages} pages")
    fill(ctx, corpus.id, range(size), pages=pages)
    return measured(ctx, corpus.id, pages)


def show(found: Sequence[Timed], *, busy: bool) -> None:
    """Print the times as a table of docs/benchmarks.md."""
    print("| documents | pages each | tokens | | meter | preview | with a provider, cold | warm |")
    print("|---|---|---|---|---|---|---|---|")
    for one in found:
        told = [each.busy if busy else each.elapsed for each in (one.meter, one.preview, one.cold, one.warm)]
        print(
            f"| {one.documents:,} | {one.pages:,} | {one.tokens:,} | {one.status} | "
            + " | ".join(f"{each:.1f} ms" for each in told)
            + " |"
        )


def panel(
    left: int, points: Sequence[tuple[float, float]], names: Sequence[str], label: str, *, top: float
) -> str:
    """Draw one curve with its axes.

    Args:
        left: where it begins, in pixels; it is 300 wide and 200 high.
        points: on the x-axis from 0 to 1, and milliseconds.
        names: of the points on the x-axis.
        label: of the x-axis.
        top: milliseconds at the end of the y-axis.
    """
    placed = [(left + 300 * x, 240 - 200 * ms / top) for x, ms in points]
    curve = " ".join(f"{x:.0f},{y:.1f}" for x, y in placed)
    dots = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.1f}" r="3"/><text x="{x:.0f}" y="{y - 8:.1f}">{ms:.0f}</text>'
        f'<text x="{x:.0f}" y="258">{name}</text>'
        for (x, y), (_, ms), name in zip(placed, points, names, strict=True)
    )
    return (
        f'<path d="M{left} 30V240H{left + 310}" class="line"/><polyline points="{curve}" class="line"/>{dots}'
        f'<text x="{left + 150}" y="280">{label}</text>'
        f'<text x="{left - 14}" y="135" transform="rotate(-90 {left - 14} 135)">'
        "preview, ms of processor time</text>"
    )


def plot(growing: Sequence[Timed], longer: Sequence[Timed]) -> str:
    """Return both curves as SVG, on one scale of milliseconds of processor time."""
    top = 10 * (max(one.preview.busy for one in (*growing, *longer)) // 10 + 1)
    sizes = [(one.documents / growing[-1].documents, one.preview.busy) for one in growing]
    tokens = [(one.pages / longer[-1].pages, one.preview.busy) for one in longer]
    fixed = "documents of 400 tokens"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 290" font-family="sans-serif" '
        'font-size="12" text-anchor="middle"><style>.line{fill:none;stroke:#246}circle{fill:#246}</style>'
        '<rect width="760" height="290" fill="#fff"/>'
        + panel(
            50,
            sizes,
            [f"{one.documents:,}" if one.documents >= FIXED else "" for one in growing],
            fixed,
            top=top,
        )
        + panel(
            430,
            tokens,
            [f"{one.tokens / 1e6:.1f} M" for one in longer],
            f"tokens of {FIXED} documents",
            top=top,
        )
        + "</svg>\n"
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
        largest = of_size(ctx, *LARGEST)
        ctx.close()
    show([*growing, *longer, largest], busy=args.busy)
    if args.plot:
        args.plot.write_text(plot(growing, longer), encoding="utf-8")


if __name__ == "__main__":
    main()

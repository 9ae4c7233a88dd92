"""What a preview costs as a corpus grows: python benchmarks/preview.py [--plot docs/preview.svg].

Documents are made up as rows, since a preview reads no text; the time is of the whole use case, from reading
the members to storing the plans. It grows with the number of documents, not with their tokens and pages.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from service import factory, jobs
from service.domain.documents import Document, DocumentStatus, PageCount, Progress
from service.domain.questions import Question
from service.settings import Settings
from service.store import documents
from service.usecases import arrange_corpus
from service.usecases.context import LOCAL, Context
from service.usecases.preview_question import meter, preview_question

QUESTION = Question(text="What changed between the years?", model="gpt-5.5")
RUNS = 9
SIZES = (125, 250, 500, 1000, 2000)
"""Documents of one page; from 1,000 on they are over the threshold."""

PAGES = (2, 20, 200)
FIXED = 250
"""So many documents with more and more pages: below the threshold, over it, over the window."""

PAGE_TOKENS = 400


@dataclass(frozen=True, slots=True)
class Timed:
    """What one corpus took, in milliseconds: the median, and the least processor time (busy)."""

    documents: int
    pages: int
    tokens: int
    status: str
    meter: float
    preview: float
    busy_meter: float
    busy_preview: float


def fill(ctx: Context, corpus_id: str, numbers: Iterable[int], *, pages: int = 1) -> None:
    """Add documents with these numbers to a corpus, of so many pages of 400 tokens each."""
    for number in numbers:
        add(ctx, corpus_id, number, pages)


def add(ctx: Context, corpus_id: str, number: int, pages: int) -> None:
    """Add a document that looks as if it had been read."""
    now = datetime.now(UTC)
    document = Document(
        id=f"doc_{pages:03}-{number:08}",
        tenant=LOCAL,
        sha256=f"{pages:032x}{number:032x}",
        filename=f"report-{number}.pdf",
        media_type="application/pdf",
        bytes=1,
        status=DocumentStatus.QUEUED,
        progress=Progress(),
        created_at=now,
    )
    counted = [(PageCount(number + 1, tokens=PAGE_TOKENS, chars=4), "text") for number in range(pages)]
    with ctx.db.write() as tx:
        documents.add(tx, document)
        documents.start(tx, document.id)
        documents.add_pages(tx, document.id, counted)
        documents.finish(
            tx,
            document.id,
            pack_sha256=document.sha256,
            encoding="o200k_base",
            title=None,
            warnings=[],
            at=now,
        )
        arrange_corpus.append_in(tx, corpus_id, document)


def times_ms(run: Callable[[], object]) -> tuple[float, float]:
    """Return the median time of several runs and the least processor time, in milliseconds."""
    times, busy = [], []
    for _ in range(RUNS):
        began, worked = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - began) * 1000)
        busy.append((time.process_time() - worked) * 1000)
    return statistics.median(times), min(busy)


def measured(ctx: Context, corpus_id: str, pages: int) -> Timed:
    """Time the meter and the preview of a corpus."""
    gauge = meter(ctx, LOCAL, corpus_id, model_name=None)
    meters, busy_meter = times_ms(lambda: meter(ctx, LOCAL, corpus_id, model_name=None))
    previews, busy_preview = times_ms(lambda: preview_question(ctx, LOCAL, corpus_id, QUESTION))
    over = [name for name in ("window", "threshold") if gauge[name]["status"] == "over"]
    return Timed(
        documents=len(gauge["documents"]),
        pages=pages,
        tokens=gauge["input_tokens"],
        status=f"over the {over[0]}" if over else "below",
        meter=meters,
        preview=previews,
        busy_meter=busy_meter,
        busy_preview=busy_preview,
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
    found = []
    for pages in PAGES:
        corpus = arrange_corpus.create(ctx, LOCAL, name=f"{pages} pages")
        fill(ctx, corpus.id, range(FIXED), pages=pages)
        found.append(measured(ctx, corpus.id, pages))
    return found


def show(found: Sequence[Timed]) -> None:
    """Print the times."""
    heads = ("documents", "pages each", "tokens", "", "meter ms", "busy", "preview ms", "busy")
    print("  ".join(f"{head:>18}" if not head else f"{head:>11}" for head in heads))
    for one in found:
        print(
            f"{one.documents:11,}  {one.pages:11,}  {one.tokens:11,}  {one.status:>18}  {one.meter:11.1f}  "
            f"{one.busy_meter:11.1f}  {one.preview:11.1f}  {one.busy_preview:11.1f}"
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
    top = 10 * (max(one.busy_preview for one in (*growing, *longer)) // 10 + 1)
    sizes = [(one.documents / growing[-1].documents, one.busy_preview) for one in growing]
    tokens = [(one.pages / longer[-1].pages, one.busy_preview) for one in longer]
    fixed = f"documents of {PAGE_TOKENS} tokens"
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
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ctx = factory.open_context(Settings(data=Path(folder)), queue=jobs.JobQueue)
        growing, longer = by_documents(ctx), by_tokens(ctx)
        ctx.close()
    show([*growing, *longer])
    if args.plot:
        args.plot.write_text(plot(growing, longer), encoding="utf-8")


if __name__ == "__main__":
    main()

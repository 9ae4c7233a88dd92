"""What a preview costs as a corpus grows: python benchmarks/preview.py.

Documents are made up as rows, since a preview reads no text; the time is of the whole use case, from reading
the members to storing the plans.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
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
RUNS = 7


def fill(ctx: Context, corpus_id: str, start: int, end: int) -> None:
    """Add documents of one page of 400 tokens each to a corpus."""
    now = datetime.now(UTC)
    for number in range(start, end):
        document = Document(
            id=f"doc_{number:08}",
            tenant=LOCAL,
            sha256=f"{number:064x}",
            filename=f"report-{number}.pdf",
            media_type="application/pdf",
            bytes=1,
            status=DocumentStatus.QUEUED,
            progress=Progress(),
            created_at=now,
        )
        with ctx.db.write() as tx:
            documents.add(tx, document)
            documents.start(tx, document.id)
            documents.add_pages(tx, document.id, [(PageCount(1, tokens=400, chars=4), "text")])
            documents.finish(
                tx,
                document.id,
                pack_sha256=f"{number:064x}",
                encoding="o200k_base",
                title=None,
                warnings=[],
                at=now,
            )
            arrange_corpus.append_in(tx, corpus_id, document)


def median_ms(run: Callable[[], object]) -> float:
    """Return the median of several runs, in milliseconds."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def main() -> None:
    """Print the times for growing corpora."""
    with tempfile.TemporaryDirectory() as folder:
        ctx = factory.open_context(Settings(data=Path(folder)), queue=jobs.JobQueue)
        corpus = arrange_corpus.create(ctx, LOCAL, name="growing")
        made = 0
        print(f"{'documents':>10}  {'meter ms':>9}  {'preview ms':>10}")
        for size in (125, 250, 500, 1000, 2000):
            fill(ctx, corpus.id, made, size)
            made = size
            gauge = median_ms(lambda: meter(ctx, LOCAL, corpus.id, model_name=None))
            plans = median_ms(lambda: preview_question(ctx, LOCAL, corpus.id, QUESTION))
            print(f"{size:10,}  {gauge:9.1f}  {plans:10.1f}")


if __name__ == "__main__":
    main()

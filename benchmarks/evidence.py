"""Whether the pages that hold an answer reach the model: python benchmarks/evidence.py [FOLDER].

Needs the extra `bench`. Each folder of the samples becomes a corpus and all of them together another,
uploaded to a service. For each question in evidence/*.json: are all pages that hold its answer in the pack
that the service plans at 8,000, 32,000 and 128,000 tokens and at the threshold, and in the chunks that
retrieval as it is commonly shipped would send, over the same corpus or with the right document chosen for
it beforehand? A chunk stands for every page of which it holds a word: chunks are judged more kindly than
packs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.chunks import Bm25, Chunk, best, cut
from benchmarks.embedding import MiniLM
from benchmarks.gold import Asked, PageOf, holds, read_questions
from benchmarks.packs import Corpus, page_texts, upload
from tests.support.process import ServiceProcess

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT.parent / "shared/samples"
QUESTIONS = Path(__file__).with_suffix("")
BUDGETS = (8_000, 32_000, 128_000)
TOPS = (4, 8, 20)
EVERYTHING = "everything"
OWN = "all, own corpus"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way of choosing made of one question.

    Attributes:
        found: every page of the answer was there.
        tokens: that the model would read.
        share: of the corpus's tokens, None of chunks.
        usd: what the call would cost, None of chunks.
    """

    way: str
    corpus: str
    question: Asked
    found: bool
    tokens: int
    share: float | None = None
    usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Chunks:
    """The chunks of a corpus, with what finds them.

    Attributes:
        rows: an embedding of each.
    """

    corpus: Corpus
    all: Sequence[Chunk]
    rows: np.ndarray
    words: Bm25


def main(folder: Path) -> None:
    """Print the tables."""
    paths = sorted(path for path in folder.glob("*/*") if path.is_file())
    present = {path.parent.name for path in paths}
    questions = [one for one in read_questions(QUESTIONS) if one.folder in present]
    with (
        tempfile.TemporaryDirectory() as data,
        ServiceProcess(Path(data)) as server,
        httpx.Client(base_url=server.url, timeout=600, trust_env=False) as client,
    ):
        corpora = list(_corpora(client, folder, paths))
        _print_sizes(corpora, questions)
        packed = _timed("packs", _packed(corpora, questions))
        chunked = _timed("chunks", _chunked(client, corpora, questions))
    outcomes = [*packed, *chunked]
    _print_found(outcomes, [corpus.name for corpus in corpora])
    _print_kinds([one for one in outcomes if one.corpus == EVERYTHING])
    _print_costs([one for one in outcomes if one.corpus == EVERYTHING])


def _timed(name: str, outcomes: Iterator[Outcome]) -> list[Outcome]:
    began = time.perf_counter()
    all_of_them = list(outcomes)
    print(f"{name}: {len(all_of_them):,} in {time.perf_counter() - began:.0f} s", flush=True)
    return all_of_them


def _corpora(client: httpx.Client, folder: Path, paths: Sequence[Path]) -> Iterator[Corpus]:
    for name in sorted({path.parent.name for path in paths}):
        yield upload(client, name, folder, [path for path in paths if path.parent.name == name])
    yield upload(client, EVERYTHING, folder, paths)


def _of(corpus: Corpus, questions: Sequence[Asked]) -> list[Asked]:
    """The questions whose evidence lies in a corpus."""
    return [one for one in questions if corpus.name in {EVERYTHING, one.folder}]


def _packed(corpora: Sequence[Corpus], questions: Sequence[Asked]) -> Iterator[Outcome]:
    for corpus in corpora:
        budgets = {f"pack of {budget:,}": budget for budget in BUDGETS}
        budgets["pack up to the threshold"] = corpus.threshold
        for way, budget in budgets.items():
            for asked in _of(corpus, questions):
                pack = corpus.pack(asked.text, budget)
                found = holds(pack.pages, asked)
                yield Outcome(way, corpus.name, asked, found, pack.tokens, pack.share, pack.usd)


def _chunked(
    client: httpx.Client, corpora: Sequence[Corpus], questions: Sequence[Asked]
) -> Iterator[Outcome]:
    model = MiniLM()
    everything = corpora[-1]
    all_of_them = [chunk for one in everything.documents for chunk in cut(one, page_texts(client, one))]
    began = time.perf_counter()
    rows = model.embed([chunk.text for chunk in all_of_them])
    print(f"{len(all_of_them):,} chunks embedded in {time.perf_counter() - began:.0f} s", flush=True)
    vectors = dict(
        zip((one.id for one in questions), model.embed([one.text for one in questions]), strict=True)
    )
    for corpus in corpora:
        chunks = _chunks_of(corpus, all_of_them, rows)
        for asked in _of(corpus, questions):
            embedded = [float(score) for score in chunks.rows @ vectors[asked.id]]
            yield from _retrieved("chunks, embedded", chunks, asked, embedded)
            yield from _retrieved("chunks, BM25", chunks, asked, chunks.words.scores(asked.text))


def _chunks_of(corpus: Corpus, chunks: Sequence[Chunk], rows: np.ndarray) -> Chunks:
    inside = set(corpus.documents)
    places = [place for place, chunk in enumerate(chunks) if chunk.document in inside]
    own = [chunks[place] for place in places]
    return Chunks(corpus, own, rows[places], Bm25(own))


def _retrieved(way: str, chunks: Chunks, asked: Asked, scores: Sequence[float]) -> Iterator[Outcome]:
    """The outcomes over the corpus, and with the documents of the answer chosen beforehand."""
    free = [best(chunks.all, scores, TOPS[-1])]
    rights = [_documents_with(chunks.corpus, wanted) for wanted in asked.alternatives]
    chosen = [best(chunks.all, scores, TOPS[-1], among=right) for right in rights]
    for name, tries in ((way, free), (f"{way}, right document chosen", chosen)):
        for top in TOPS:
            yield _outcome(f"{name}, top {top}", chunks.corpus, asked, [found[:top] for found in tries])


def _outcome(way: str, corpus: Corpus, asked: Asked, tries: Sequence[Sequence[Chunk]]) -> Outcome:
    found = any(holds(_pages(corpus, one), asked) for one in tries)
    return Outcome(way, corpus.name, asked, found, sum(chunk.tokens for chunk in tries[0]))


def _pages(corpus: Corpus, chunks: Sequence[Chunk]) -> set[PageOf]:
    touched = ((one.document, number) for one in chunks for number in one.pages)
    return {(file, number) for document, number in touched for file in corpus.files.get(document, ())}


def _documents_with(corpus: Corpus, wanted: Collection[PageOf]) -> set[str]:
    names = {file for file, _ in wanted}
    return {document for document, files in corpus.files.items() if names & set(files)}


def _print_sizes(corpora: Sequence[Corpus], questions: Sequence[Asked]) -> None:
    print("\n| corpus | documents | tokens | questions |\n|---|---|---|---|")
    for corpus in corpora:
        documents, tokens = len(corpus.documents), corpus.meter["input_tokens"]
        print(f"| {corpus.name} | {documents} | {tokens:,} | {len(_of(corpus, questions))} |")


def _print_found(outcomes: Sequence[Outcome], corpora: Sequence[str]) -> None:
    """Print the share of questions with all their pages there, by corpus."""
    columns = {name: [one for one in outcomes if one.corpus == name] for name in corpora}
    columns[OWN] = [one for one in outcomes if one.corpus != EVERYTHING]
    _print_table(columns, [OWN, *corpora])


def _print_kinds(outcomes: Sequence[Outcome]) -> None:
    """Print the same by kind of question."""
    kinds = sorted({one.question.kind for one in outcomes})
    columns = {kind: [one for one in outcomes if one.question.kind == kind] for kind in kinds}
    counts = {kind: len({one.question.id for one in found}) for kind, found in columns.items()}
    print(f"\nOver {EVERYTHING}, by kind: {', '.join(f'{kind} {counts[kind]}' for kind in kinds)}")
    _print_table(columns, kinds)


def _print_table(columns: dict[str, list[Outcome]], names: Sequence[str]) -> None:
    print(f"\n| every page of the answer is in, % | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    ways = dict.fromkeys(one.way for name in names for one in columns[name])
    for way in ways:
        shares = [_percent([one.found for one in columns[name] if one.way == way]) for name in names]
        print(f"| {way} | {' | '.join(shares)} |")


def _percent(found: Sequence[bool]) -> str:
    return f"{100 * sum(found) / len(found):.0f}" if found else ""


def _print_costs(outcomes: Sequence[Outcome]) -> None:
    """Print what is read and what it costs, on average over the questions."""
    print(f"\n| over {EVERYTHING} | tokens read | share of the corpus, % | USD a question, cold |")
    print("|---|---|---|---|")
    for way in dict.fromkeys(one.way for one in outcomes):
        these = [one for one in outcomes if one.way == way]
        shares = [100 * one.share for one in these if one.share is not None]
        prices = [one.usd for one in these if one.usd is not None]
        share = f"{statistics.mean(shares):.1f}" if shares else ""
        price = f"{statistics.mean(prices):.3f}" if prices else ""
        print(f"| {way} | {statistics.mean(one.tokens for one in these):,.0f} | {share} | {price} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES)

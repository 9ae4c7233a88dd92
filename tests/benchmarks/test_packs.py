"""The benchmark's side of the service: files become corpora, and packs are told as pages of files."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.packs import Corpus, page_texts, upload
from tests.support.server import Server, serving, settings_in

WHOLE = 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(settings_in(tmp_path_factory.mktemp("service"))) as running:
        yield running


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Two folders with a text, the same text under two other names, and a file that can't be read."""
    for name, text in {
        "a/harbour.txt": b"The harbour opened in 1871.",
        "a/copy.txt": b"The ferry tariff rose by nine percent.",
        "b/original.txt": b"The ferry tariff rose by nine percent.",
        "b/broken.pdf": b"%PDF-1.7\nnothing follows",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text)
    return tmp_path


@pytest.fixture
def corpus(server: Server, samples: Path) -> Corpus:
    return upload(server.client, "all", samples, list(samples.glob("*/*")))


def test_files_of_the_same_bytes_are_one_document_and_unreadable_ones_stay_out(corpus: Corpus) -> None:
    assert sorted(corpus.files.values()) == [["a/copy.txt", "b/original.txt"], ["a/harbour.txt"]]
    assert set(corpus.documents) == set(corpus.files)


def test_a_budget_above_the_corpus_reads_every_page_of_every_file(corpus: Corpus) -> None:
    pack = corpus.pack("When did the harbour open?", WHOLE)
    assert pack.pages == {("a/copy.txt", 1), ("b/original.txt", 1), ("a/harbour.txt", 1)}
    assert pack.share == 1
    assert pack.tokens == corpus.meter["input_tokens"]
    assert pack.usd == Decimal(corpus.meter["per_question"]["cold_usd"])


def test_page_texts_are_as_they_are_packed(server: Server, corpus: Corpus) -> None:
    texts = [page_texts(server.client, document) for document in corpus.documents]
    assert sorted(text[1] for text in texts) == [
        "The ferry tariff rose by nine percent.",
        "The harbour opened in 1871.",
    ]


def test_a_smaller_budget_reads_the_pages_that_rank_first(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(30):
        filler = f"Report {number} on roads, bridges and quays. " * 20
        (tmp_path / f"a/report-{number}.txt").write_text(filler + ("The lighthouse burned." * (number == 7)))
    corpus = upload(server.client, "many", tmp_path, list(tmp_path.glob("*/*")))
    pack = corpus.pack("What became of the lighthouse?", 2_000)
    assert ("a/report-7.txt", 1) in pack.pages
    assert 0 < pack.tokens <= 2_000
    assert 0 < pack.share < 1
    assert pack.usd is not None

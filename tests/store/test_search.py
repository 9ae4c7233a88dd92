"""The page index: finds what is there, says nothing of what is gone, and is built anew whenever in doubt."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import terms
from service.store import search
from service.store.search import Counted, Entry, PageIndex

Book = dict[int, list[str]]
BOOK: Book = {
    1: ["The harbour opened in 1871.", "Grain and timber were shipped."],
    2: ["Customs revenues of FY18 rose.", "The harbour master resigned.", ""],
    4: ["東京都の人口は2020年に増えた。"],
}
COR = "cor_1"


def entries(book: Book) -> list[Entry]:
    """The documents of a corpus; a page counts as many tokens as it has characters, and one more."""
    return [
        Entry(ordinal, f"doc_{ordinal}", len(pages), sum(len(p) + 1 for p in pages), f"{hash(tuple(pages))}")
        for ordinal, pages in book.items()
    ]


def texts(book: Book) -> search.Texts:
    def read(some: Sequence[Entry]) -> Iterable[tuple[Counted, str]]:
        for one in some:
            for number, text in enumerate(book[one.ordinal], 1):
                yield Counted(one.ordinal, number, len(text) + 1, number, blank=not text), text

    return read


def update(index: PageIndex, book: Book, **more: Callable[[], bool]) -> bool:
    return index.update(COR, entries(book), texts(book), **more)  # type: ignore[arg-type]


def hits(
    index: PageIndex,
    question: str,
    *,
    limit: int = 100,
    boosts: Sequence[tuple[float, Sequence[int]]] = (),
    only: Sequence[int] | None = None,
) -> list[tuple[int, int]]:
    found = index.search(COR, terms.of_question(question), limit=limit, boosts=boosts, only=only)
    assert found is not None
    return [(hit.page.ordinal, hit.page.page) for hit in found.hits]


@pytest.fixture
def index(tmp_path: Path) -> PageIndex:
    """An empty folder of indexes."""
    return PageIndex(tmp_path / "search")


@pytest.fixture
def filled(index: PageIndex) -> PageIndex:
    """The same with the book."""
    assert update(index, BOOK)
    return index


def folder(tmp_path: Path) -> Path:
    """The one index below."""
    (found,) = (path for path in (tmp_path / "search" / COR).iterdir() if path.is_dir())
    return found


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("When did the harbour open?", [(1, 1), (2, 2)]),
        ("revenue 2018", [(2, 1)]),
        ("人口", [(4, 1)]),
        ("nothing of that kind", []),
        ("", []),
    ],
)
def test_pages_are_found_by_their_words(
    filled: PageIndex, question: str, found: list[tuple[int, int]]
) -> None:
    assert hits(filled, question) == found


def test_a_hit_has_the_counts_that_were_stored(filled: PageIndex) -> None:
    found = filled.search(COR, ("custom",), limit=5)
    assert found is not None
    (hit,) = found.hits
    assert hit.page == Counted(2, 1, len(BOOK[2][0]) + 1, 1)
    assert found.complete


def test_a_boost_lifts_every_page_of_its_documents_and_only_parts_from_others(filled: PageIndex) -> None:
    assert hits(filled, "harbour", boosts=[(9.0, [2])]) == [(2, 2), (2, 1), (1, 1)]
    assert hits(filled, "harbour", boosts=[(9.0, [2])], only=[1]) == [(1, 1)]
    assert hits(filled, "harbour", only=[2, 4]) == [(2, 2)]


def test_pages_that_tie_with_the_last_of_more_are_left_out_together(index: PageIndex) -> None:
    book = {n: ["harbour"] for n in range(1, 9)} | {9: ["harbour harbour harbour"]}
    book |= {n: ["grain"] for n in range(10, 50)}
    assert update(index, book)
    found = index.search(COR, ("harbour",), limit=4)
    assert found is not None
    assert ([hit.page.ordinal for hit in found.hits], found.complete) == ([9], False)
    assert hits(index, "harbour") == [(9, 1), *((n, 1) for n in range(1, 9))]


def test_no_more_pages_are_handed_out_than_count_enough(filled: PageIndex) -> None:
    first = len(BOOK[2][1]) + 1
    for enough, pages in ((1, [(2, 2)]), (first - 2, [(2, 2)]), (first, [(2, 2), (1, 1)])):
        found = filled.search(COR, ("harbour",), limit=9, enough_tokens=enough)
        assert found is not None
        assert [(hit.page.ordinal, hit.page.page) for hit in found.hits] == pages
        assert found.complete


def test_a_page_that_is_too_large_to_be_read_takes_no_other_pages_place(filled: PageIndex) -> None:
    first = len(BOOK[2][1]) + 1
    found = filled.search(COR, ("harbour",), limit=9, enough_tokens=1, largest_tokens=first - 3)
    assert found is not None
    assert [(hit.page.ordinal, hit.page.page) for hit in found.hits] == [(2, 2), (1, 1)]


def test_only_the_rarest_terms_of_a_pasted_page_are_asked(index: PageIndex) -> None:
    common = [f"word{n}" for n in range(search.MAX_TERMS + 5)]
    assert update(index, {1: [" ".join(common)], 2: [" ".join([*common, "rare"])]})
    assert hits(index, " ".join([*common, "rare"]))[0] == (2, 1)


# Up to date.


def test_nothing_is_searched_before_it_is_indexed(index: PageIndex) -> None:
    assert index.search(COR, ("harbour",), limit=5) is None
    assert not index.is_ready(COR, entries(BOOK))
    assert index.missing(COR, entries(BOOK)) == sum(one.tokens for one in entries(BOOK))


def test_a_document_more_is_added_to_what_there_is(filled: PageIndex, tmp_path: Path) -> None:
    before = folder(tmp_path)
    book = BOOK | {7: ["Pilots met the vessels."]}
    assert not filled.is_ready(COR, entries(book))
    assert filled.missing(COR, entries(book)) == len(book[7][0]) + 1
    assert update(filled, book)
    assert hits(filled, "pilot") == [(7, 1)]
    assert folder(tmp_path) == before


def test_a_document_less_or_another_text_begins_anew(filled: PageIndex, tmp_path: Path) -> None:
    before = folder(tmp_path)
    assert update(filled, {1: BOOK[1]})
    assert hits(filled, "harbour revenue") == [(1, 1)]
    between = folder(tmp_path)
    assert update(filled, {1: ["All was changed."]})
    assert (hits(filled, "harbour"), hits(filled, "changed")) == ([], [(1, 1)])
    assert len({before, between, folder(tmp_path)}) == 3


def test_what_is_ready_is_not_read_again(filled: PageIndex) -> None:
    def never(_some: Sequence[Entry]) -> Iterable[tuple[Counted, str]]:
        raise AssertionError("read again")

    assert filled.update(COR, entries(BOOK), never)


def test_a_document_that_changed_while_it_was_read_is_not_in(index: PageIndex) -> None:
    assert not index.update(COR, entries(BOOK), texts(BOOK | {2: ["Other pages."]}))
    assert not index.is_ready(COR, entries(BOOK))


def test_an_update_that_is_stopped_goes_on_from_there(
    index: PageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BATCH_TOKENS", 1)
    assert not update(index, BOOK, stop=lambda: True)
    assert index.missing(COR, entries(BOOK)) == sum(one.tokens for one in entries(BOOK)[1:])
    assert update(index, BOOK)
    assert hits(index, "harbour") == [(2, 2), (1, 1)]


@given(order=st.permutations(sorted(BOOK)), steps=st.lists(st.integers(1, 3), max_size=3))
@settings(max_examples=15, deadline=None)
def test_however_it_came_about_the_ranking_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], steps: list[int]
) -> None:
    index = PageIndex(tmp_path_factory.mktemp("search"))
    for step in steps:
        assert update(index, {ordinal: BOOK[ordinal] for ordinal in order[:step]})
    assert update(index, BOOK)
    found = index.search(COR, terms.of_question("harbour grain revenues 1871 人口"), limit=50)
    other = PageIndex(tmp_path_factory.mktemp("search"))
    assert update(other, BOOK)
    assert found == other.search(COR, terms.of_question("harbour grain revenues 1871 人口"), limit=50)


# In doubt.


def break_manifest(place: Path) -> None:
    (place.parent / "manifest.json").write_text("{")


def of_another_layout(place: Path) -> None:
    path = place.parent / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "layout": "0"}))


def lose_a_file(place: Path) -> None:
    next(path for path in place.iterdir() if path.suffix == ".idx").unlink()


def cut_a_file(place: Path) -> None:
    path = next(path for path in place.iterdir() if path.suffix == ".store")
    path.write_bytes(path.read_bytes()[:-3])


def break_meta(place: Path) -> None:
    (place / "meta.json").write_text("{}")


def turn_a_bit(place: Path) -> None:
    path = next(path for path in place.iterdir() if path.suffix == ".fast")
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)


def lose_all(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    "damage", [break_manifest, of_another_layout, lose_a_file, cut_a_file, turn_a_bit, break_meta, lose_all]
)
@pytest.mark.usefixtures("filled")
def test_a_damaged_index_is_built_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    damage(folder(tmp_path))
    index = PageIndex(tmp_path / "search")
    assert not index.is_ready(COR, entries(BOOK))
    assert update(index, BOOK)
    assert hits(index, "harbour") == [(2, 2), (1, 1)]


def test_an_index_that_is_thrown_away_under_a_search_is_built_anew(filled: PageIndex) -> None:
    PageIndex(filled._folder).forget(COR)  # noqa: SLF001 - another process on the same folder
    assert filled.search(COR, ("harbour",), limit=5) is None
    assert update(filled, BOOK)
    assert hits(filled, "harbour") == [(2, 2), (1, 1)]


def test_indexes_of_corpora_that_are_gone_are_swept(filled: PageIndex, tmp_path: Path) -> None:
    assert filled.update("cor_2", entries(BOOK), texts(BOOK))
    filled.sweep({"cor_2"})
    assert [path.name for path in (tmp_path / "search").iterdir()] == ["cor_2"]
    filled.forget("cor_3")
    assert filled.is_ready("cor_2", entries(BOOK))


def test_what_was_added_before_a_full_disk_is_not_added_again(
    filled: PageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    book = BOOK | {7: ["Pilots met the vessels."]}
    with monkeypatch.context() as patched:
        patched.setattr(search, "_swap_in", full)
        assert not update(filled, book)
    assert "No space left" in (filled.failure(COR) or "")
    assert update(filled, book)
    assert (hits(filled, "pilot"), filled.failure(COR)) == ([(7, 1)], None)


def test_a_folder_that_can_not_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "search").write_text("a file in its place")
    index = PageIndex(tmp_path / "search")
    assert not update(index, BOOK)
    assert index.failure(COR)
    index.forget(COR)
    index.sweep(())
    assert index.search(COR, ("harbour",), limit=5) is None


def test_what_a_try_left_on_a_full_disk_is_removed_by_the_next(
    index: PageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_place: Path, *_more: object) -> None:
        raise ValueError("An IO error occurred: 'No space left on device (os error 28) at path \"/x/y\"'")

    monkeypatch.setattr(search, "_add", full)
    for _ in range(3):
        assert not update(index, BOOK)
        assert index.failure(COR) == "No space left on device"
        folder(tmp_path)


def test_an_index_that_can_not_be_removed_is_no_error(filled: PageIndex, tmp_path: Path) -> None:
    lock = tmp_path / "search" / COR / "lock"
    lock.unlink()
    lock.mkdir()
    filled.forget(COR)
    assert not update(filled, {1: BOOK[1]})


def test_only_the_index_of_just_these_documents_is_searched(filled: PageIndex) -> None:
    for book, found in ((BOOK, True), ({1: BOOK[1]}, False)):
        hit = filled.search(COR, ("harbour",), limit=5, entries=entries(book))
        assert (hit is not None) == found


def test_other_counts_of_the_same_pages_begin_anew(filled: PageIndex) -> None:
    counted = [one._replace(counted=":3") for one in entries(BOOK)]
    assert not filled.is_ready(COR, counted)
    assert filled.update(COR, counted, texts(BOOK))
    assert hits(filled, "harbour") == [(2, 2), (1, 1)]


# Several at once.


def test_who_finds_the_index_being_written_waits_for_it_but_not_for_ever(
    index: PageIndex, tmp_path: Path
) -> None:
    place = tmp_path / "search" / COR
    place.mkdir(parents=True)
    with (place / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert not update(index, BOOK)
        threading.Timer(0.2, lambda: fcntl.flock(handle, fcntl.LOCK_UN)).start()
        assert index.update(COR, entries(BOOK), texts(BOOK), wait_seconds=30)


def test_threads_that_update_and_search_at_once_all_find_the_same(index: PageIndex) -> None:
    found: list[list[tuple[int, int]]] = []

    def work() -> None:
        assert index.update(COR, entries(BOOK), texts(BOOK), wait_seconds=30)
        found.append(hits(index, "harbour"))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[(2, 2), (1, 1)]] * 6


WRITER = """
import sys, time
from pathlib import Path
from service.store import search
from service.store.search import Counted, Entry, PageIndex
search.BATCH_TOKENS = search.COMMIT_TOKENS = 1
def texts(some):
    for one in some:
        for page in range(1, 51):
            yield Counted(one.ordinal, page, 3), f"harbour {one.ordinal} word{page}"
        print(one.ordinal, flush=True)
entries = [Entry(n, f"doc_{n}", 50, 150, f"sha{n}") for n in range(1, 400)]
index = PageIndex(Path(sys.argv[1]))
print(index.update("cor_1", entries, texts, wait_seconds=60), flush=True)
"""


def writing(tmp_path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "search")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_an_update_that_is_killed_leaves_nothing_that_can_not_be_mended(
    index: PageIndex, tmp_path: Path
) -> None:
    with writing(tmp_path) as process:
        assert process.stdout is not None
        for _ in range(6):
            assert process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert update(index, BOOK)
    assert hits(index, "harbour") == [(2, 2), (1, 1)]
    folder(tmp_path)


def test_two_processes_update_one_after_the_other(tmp_path: Path) -> None:
    book = {n: ["x"] for n in (1, 2)}
    mine = PageIndex(tmp_path / "search")
    with writing(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        assert not update(mine, book)  # held by the other process
        process.send_signal(signal.SIGTERM)
    assert mine.update(COR, entries(book), texts(book), wait_seconds=30)
    assert hits(mine, "x") == [(1, 1), (2, 1)]

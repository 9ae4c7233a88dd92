"""An index of pages to search by, one a corpus: derived from the stored texts, built anew where in doubt.

The only importer of tantivy. A corpus has an index of its own, so that what a word is worth depends on that
corpus alone. Its folder holds the index and a manifest, written last and swapped in whole: what the manifest
does not vouch for (another version, a missing file, a killed update) is thrown away, never an error. Who
writes holds a lock on a file; who only searches needs none.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import tantivy

from service.domain import terms
from service.store.index_files import in_a_word, lock, state_of, tidy

LAYOUT: Final = f"2/{terms.ANALYSIS}/{version('tantivy')}"
"""Of an index: one of another layout is built anew."""

HEAP_BYTES = 48 << 20
"""What an update holds in memory before it writes."""

BATCH_TOKENS = 200_000
"""Texts are handed over in batches of about so many tokens: between them an update can be stopped."""

COMMIT_TOKENS = 4_000_000
"""What is indexed is kept at least so often: an update that is broken off goes on from there."""

MAX_OPEN = 16
MAX_TERMS = 48
"""Of a question, its rarest ones: a pasted page as question must not take seconds."""

LOCK_STEP_SECONDS = 0.02
DIGITS = 2
"""That scores are told apart by: the order of summing must not decide the order of pages."""

_PAGE_BITS = 32
_PAGE = (1 << _PAGE_BITS) - 1
_WITHOUT_TEXT, _BLANK = 1, 2
_LOCK = "lock"
_MANIFEST = "manifest.json"

log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """A document that is to be searched.

    Attributes:
        pack_sha256: of its stored pages: other pages, another document.
        counted: what tells other counts of the same pages.
    """

    ordinal: int
    document_id: str
    pages: int
    tokens: int
    pack_sha256: str
    counted: str = ""


class Counted(NamedTuple):
    """A page with what it counts, as it is stored.

    Attributes:
        repeated_tokens: what it counts less without its repeated header and footer.
        without_text, blank: its flags of these names.
    """

    ordinal: int
    page: int
    tokens: int
    repeated_tokens: int = 0
    without_text: bool = False
    blank: bool = False


class Hit(NamedTuple):
    """A page that matches, and how well."""

    page: Counted
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """Hits, best first, then in the corpus's order; `complete` where none that is wanted is missing."""

    hits: tuple[Hit, ...]
    complete: bool


Texts = Callable[[Sequence[Entry]], Iterable[tuple[Counted, str]]]
"""Gives every page of these documents with its text, in any order."""


@dataclass(frozen=True, slots=True)
class _Open:
    """An index that is open for searching, which documents it holds, and which manifest it was opened by.

    Attributes:
        seen: the documents that were last found to be just these: the same ones are not compared again.
    """

    signature: tuple[int, int, int]
    folder: str
    members: dict[int, str]
    schema: tantivy.Schema
    searcher: tantivy.Searcher
    seen: list[Sequence[Entry]] = field(default_factory=list)

    def holds(self, entries: Sequence[Entry]) -> bool:
        """Whether it has just these documents."""
        same = (bool(self.seen) and self.seen[0] == entries) or self.members == _members(entries)
        if same:
            self.seen[:] = [entries]
        return same


class PageIndex:
    """The indexes below one folder; for any number of threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._guard = threading.Lock()
        self._failures: dict[str, str] = {}

    def failure(self, corpus_id: str) -> str | None:
        """Return why this index could not be written at the last try, in the system's words."""
        return self._failures.get(corpus_id)

    def is_ready(self, corpus_id: str, entries: Sequence[Entry]) -> bool:
        """Whether just these documents can be searched."""
        known = self._opened(corpus_id)
        return known is not None and known.holds(entries)

    def missing(self, corpus_id: str, entries: Sequence[Entry]) -> int:
        """Return how many tokens would have to be indexed before these documents can be searched."""
        known = self._opened(corpus_id)
        held = {} if known is None else known.members
        wanted = _members(entries)
        kept = held if all(wanted.get(ordinal) == sha for ordinal, sha in held.items()) else {}
        return sum(one.tokens for one in entries if one.ordinal not in kept)

    def update(
        self,
        corpus_id: str,
        entries: Sequence[Entry],
        texts: Texts,
        *,
        stop: Callable[[], bool] = lambda: False,
        wait_seconds: float = 0.0,
    ) -> bool:
        """Have an index hold just these documents; what was done before a stop is kept.

        Args:
            corpus_id: whose.
            entries: all documents of the corpus that can be searched.
            texts: reads pages; called without any transaction of the caller's open.
            stop: asked between batches.
            wait_seconds: how long somebody else's update is waited for.

        Returns:
            Whether the index is ready. Where the disk is full or the folder can't be written, it is not, and
            `failure` tells why.
        """
        try:
            with self._locked(corpus_id, wait_seconds) as mine:
                ready = self.is_ready(corpus_id, entries) or (
                    mine and self._write(corpus_id, entries, texts, stop=stop)
                )
        except (OSError, ValueError) as error:  # tantivy tells of the disk by ValueError
            log.warning("the page index of %s could not be written: %s", corpus_id, error)
            self._failures[corpus_id] = in_a_word(error)
            return False
        self._failures.pop(corpus_id, None)
        return ready

    def search(
        self,
        corpus_id: str,
        asked: Sequence[str],
        *,
        limit: int,
        entries: Sequence[Entry] | None = None,
        boosts: Sequence[tuple[float, Sequence[int]]] = (),
        only: Collection[int] | None = None,
        enough_tokens: int | None = None,
        largest_tokens: int | None = None,
    ) -> Found | None:
        """Return the pages that match best.

        Args:
            corpus_id: where.
            asked: terms of the question, each once.
            limit: return about so many; pages that tie with the last of more are left out.
            entries: the documents that the index is to hold, just these; None is any.
            boosts: what to add to the score of every page of these documents, which then all match.
            only: search these documents alone; None is all of them.
            enough_tokens: pages after those that count so much are not wanted.
            largest_tokens: a page of more counts for nothing in that.

        Returns:
            None where there is no such index.
        """
        known = self._opened(corpus_id)
        if known is None or (entries is not None and not known.holds(entries)):
            return None
        if not asked:
            return Found((), complete=True)
        query = _query(known, asked, boosts, only)
        try:
            rows = _rows(known.searcher, known.searcher.search(query, limit, count=False).hits)
        except (ValueError, OSError):
            self.forget(corpus_id)
            return None
        complete = len(rows) < limit
        best = rows if complete else [row for row in rows if row[0] < rows[-1][0]]
        return _cut(best, enough_tokens, largest_tokens, complete=complete)

    def forget(self, corpus_id: str) -> None:
        """Throw an index away; where somebody is writing it just now, the next sweep does."""
        with self._guard:
            self._open.pop(corpus_id, None)
        if not (self._folder / corpus_id).is_dir():
            return
        try:
            with self._locked(corpus_id, 0.0) as mine:
                if mine:
                    shutil.rmtree(self._folder / corpus_id, ignore_errors=True)
        except OSError as error:  # what is derived is never in the way of what is asked
            log.warning("the page index of %s could not be removed: %s", corpus_id, error)

    def sweep(self, corpora: Collection[str]) -> None:
        """Throw away the indexes of all but these corpora."""
        if not self._folder.is_dir():
            return
        for name in [path.name for path in self._folder.iterdir() if path.name not in corpora]:
            self.forget(name)

    def _opened(self, corpus_id: str) -> _Open | None:
        """Return the index as its manifest has it now; None where there is none that can be used."""
        path = self._folder / corpus_id / _MANIFEST
        try:
            status = path.stat()
            signature = (status.st_ino, status.st_mtime_ns, status.st_size)
            with self._guard:
                known = self._open.get(corpus_id)
            if known is not None and known.signature == signature:
                return known
            opened = _opened(path, signature)
        except (
            OSError,
            ValueError,
            KeyError,
            AttributeError,
        ):  # no manifest, or files that are none: the next update builds them
            return None
        if opened is not None:
            self._hold(corpus_id, opened)
        return opened

    def _hold(self, corpus_id: str, opened: _Open) -> None:
        with self._guard:
            self._open[corpus_id] = opened
            self._open.move_to_end(corpus_id)
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)

    @contextmanager
    def _locked(self, corpus_id: str, wait_seconds: float) -> Iterator[bool]:
        """Hold the corpus's lock; False where somebody else still does after that time."""
        folder = self._folder / corpus_id
        folder.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + wait_seconds
        with (folder / _LOCK).open("a") as handle:
            while not lock(handle.fileno()):
                if time.monotonic() >= until:
                    yield False
                    return
                time.sleep(LOCK_STEP_SECONDS)
            yield True

    def _write(
        self,
        corpus_id: str,
        entries: Sequence[Entry],
        texts: Texts,
        *,
        stop: Callable[[], bool],
    ) -> bool:
        """Add what is missing; begin anew where the index holds what the corpus does not.

        Nothing is added to an index that its manifest does not vouch for as it is on the disk now: another
        update may have been broken off between the two.
        """
        folder = self._folder / corpus_id
        with self._guard:
            self._open.pop(corpus_id, None)
        known = self._opened(corpus_id)
        wanted = _members(entries)
        held = {} if known is None else dict(known.members)
        tidy(folder, "" if known is None else known.folder)  # what earlier tries left takes room
        if known is None or any(wanted.get(ordinal) != sha for ordinal, sha in held.items()):
            held, place = {}, folder / secrets.token_hex(8)
            place.mkdir()
        else:
            place = folder / known.folder
        waiting = [one for one in entries if one.ordinal not in held]
        while waiting and not (held and stop()):
            added = _add(place, waiting, texts, stop)
            if not added:
                break
            held.update(_members(added))
            waiting = waiting[len(added) :]
            _swap_in(folder, place, held)
        tidy(folder, place.name)
        return held == wanted


def _add(place: Path, waiting: Sequence[Entry], texts: Texts, stop: Callable[[], bool]) -> Sequence[Entry]:
    """Index the first of these documents and commit; return those that are in.

    None of them are where a document turns out to be gone, or to have other pages by now.
    """
    schema = _schema()
    writer = _index(place, schema).writer(HEAP_BYTES, 1)
    done = tokens = 0
    try:
        for batch in _batches(waiting):
            counts: Counter[int] = Counter()
            for page, text in texts(batch):
                counts[page.ordinal] += page.tokens
                found = terms.joined(text)
                if found:
                    writer.add_document(_row(page, found))
            if any(counts[one.ordinal] != one.tokens for one in batch):
                return ()
            done += len(batch)
            tokens += sum(one.tokens for one in batch)
            if tokens >= COMMIT_TOKENS or stop():
                break
        writer.commit()
    finally:
        writer.wait_merging_threads()
    return waiting[:done]


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    held: list[Entry] = []
    tokens = 0
    for one in entries:
        held.append(one)
        tokens += one.tokens
        if tokens >= BATCH_TOKENS:
            yield held
            held, tokens = [], 0
    if held:
        yield held


def _members(entries: Iterable[Entry]) -> dict[int, str]:
    return {one.ordinal: one.pack_sha256 + one.counted for one in entries}


def _schema() -> tantivy.Schema:
    """Terms come ready-made and parted by spaces; where in a page they stand is not kept."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field("ordinal", indexed=True)
    for name in ("key", "tokens", "repeated", "marks"):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


def _index(place: Path, schema: tantivy.Schema) -> tantivy.Index:
    return tantivy.Index(schema, path=str(place))


def _row(page: Counted, found: str) -> tantivy.Document:
    row = tantivy.Document()
    row.add_text("terms", found)
    row.add_unsigned("ordinal", page.ordinal)
    row.add_unsigned("key", page.ordinal << _PAGE_BITS | page.page)
    row.add_unsigned("tokens", page.tokens)
    row.add_unsigned("repeated", max(0, page.repeated_tokens))
    row.add_unsigned("marks", page.without_text * _WITHOUT_TEXT | page.blank * _BLANK)
    return row


def _rows(
    searcher: tantivy.Searcher, found: Sequence[tuple[float, tantivy.DocAddress]]
) -> list[tuple[float, int, int, int, int]]:
    """Return score (below zero), key, tokens, repeated tokens and marks of each hit, best first."""
    addresses = [address for _, address in found]
    columns = [
        [int(value or 0) for value in searcher.fast_field_values(name, addresses)]
        for name in ("key", "tokens", "repeated", "marks")
    ]
    return sorted(zip([-round(score, DIGITS) for score, _ in found], *columns, strict=True))


def _cut(
    rows: Sequence[tuple[float, int, int, int, int]],
    enough: int | None,
    largest: int | None,
    *,
    complete: bool,
) -> Found:
    """Return the first hits, as many as count so much."""
    hits: list[Hit] = []
    tokens = 0
    for score, key, counts, repeated, marks in rows:
        without_text, blank = bool(marks & _WITHOUT_TEXT), bool(marks & _BLANK)
        page = Counted(key >> _PAGE_BITS, key & _PAGE, counts, repeated, without_text, blank)
        hits.append(Hit(page, -score))
        least = counts - repeated
        tokens += least if largest is None or least <= largest else 0
        if enough is not None and tokens >= enough:
            return Found(tuple(hits), complete=True)
    return Found(tuple(hits), complete=complete)


def _query(
    known: _Open,
    asked: Sequence[str],
    boosts: Sequence[tuple[float, Sequence[int]]],
    only: Collection[int] | None,
) -> tantivy.Query:
    schema, should = known.schema, tantivy.Occur.Should
    if len(asked) > MAX_TERMS:
        asked = sorted(asked, key=lambda term: (known.searcher.doc_freq("terms", term) or sys.maxsize, term))
    wanted: list[tuple[tantivy.Occur, tantivy.Query]] = [
        (should, tantivy.Query.term_query(schema, "terms", term, "freq")) for term in asked[:MAX_TERMS]
    ]
    for weight, ordinals in boosts:
        among = tantivy.Query.term_set_query(schema, "ordinal", list(ordinals))
        wanted.append((should, tantivy.Query.const_score_query(among, weight)))
    query = tantivy.Query.boolean_query(wanted)
    if only is None:
        return query
    among = tantivy.Query.term_set_query(schema, "ordinal", sorted(only))
    kept = (tantivy.Occur.Must, tantivy.Query.const_score_query(among, 0.0))
    return tantivy.Query.boolean_query([(tantivy.Occur.Must, query), kept])


def _read(path: Path) -> dict[str, Any] | None:
    """Return a manifest of this version's layout."""
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest if manifest.get("layout") == LAYOUT else None


def _opened(path: Path, signature: tuple[int, int, int]) -> _Open | None:
    """Open what a manifest vouches for."""
    manifest = _read(path)
    if manifest is None:
        return None
    place = path.parent / str(manifest["folder"])
    if state_of(place) != manifest["state"]:
        return None
    schema = _schema()
    searcher = tantivy.Index.open(str(place)).searcher()
    members = {int(ordinal): str(sha) for ordinal, sha in manifest["members"].items()}
    return _Open(signature, place.name, members, schema, searcher)


def _swap_in(folder: Path, place: Path, held: dict[int, str]) -> None:
    """Vouch for the index as it is now."""
    manifest = {"layout": LAYOUT, "folder": place.name, "state": state_of(place), "members": held}
    path = folder / f"{_MANIFEST}.new"
    with path.open("w", encoding="utf-8") as file:
        json.dump(manifest, file)
        file.flush()
        os.fsync(file.fileno())
    path.replace(folder / _MANIFEST)

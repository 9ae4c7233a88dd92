"""Files inside documents become documents: once each, wherever their parent is, whatever dies in between."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import Enclosed, Finished, Limits, Notice, Page, Piece, Sealed, Started, Unit
from service.domain.documents import Document, DocumentStatus, Progress
from service.errors import NotFound, StoreUnavailable
from service.store import blobs, documents
from service.usecases import arrange_corpus, read_document
from service.usecases import extract_document as extracting
from service.usecases.add_document import add_document
from service.usecases.context import LOCAL, Context
from service.usecases.extract_document import Event, extract_document
from service.usecases.read_document import get_document
from service.usecases.remove_document import remove_document
from service.usecases.unpack_document import BATCH_FILES, MAX_PATH, safe_path
from tests.usecases.test_extract_document import Kept, Killed, add, pieces, process

Files = Sequence[tuple[str, bytes | Notice]]

BROKEN = Notice("file_unreadable", "It is encrypted.")


def inside(files: Files) -> Iterator[Event]:
    """The events of files inside a document; one that breaks off comes with the reason."""
    for name, content in files:
        yield Enclosed(name)
        data = b"only half of " if isinstance(content, Notice) else content
        for start in range(0, len(data), 7):
            yield Piece(data[start : start + 7])
        yield Sealed(content if isinstance(content, Notice) else None)


def archive(files: Files) -> Iterator[Event]:
    """The events of an archive."""
    yield Started("application/zip", Unit.FILE, len(files))
    yield from inside(files)
    yield Finished()


def mail(text: str, files: Files) -> Iterator[Event]:
    """The events of a document with files in it; some formats yield them between the pages."""
    yield Started("message/rfc822", Unit.SECTION, 2)
    yield Page(1, text, tokens=10)
    yield from inside(files)
    yield Page(2, "Regards.", tokens=5)
    yield Finished(title="A mail")


def read_as(ctx: Context, document: Document, events: Iterator[Event]) -> Document:
    """Have a stored file read as if it held this, up to its end or its failure."""

    def read(_path: Path, **_more: object) -> Iterator[Event]:
        return events

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extracting, "read", read)
        extract_document(ctx, document.id)
    return get_document(ctx, LOCAL, document.id)


def unpacked(ctx: Context, name: str, files: Files) -> Document:
    """An archive that was added and read."""
    document = add(ctx, f"The bytes of {name}.".encode(), name).document
    return read_as(ctx, document, archive(files))


def listed(ctx: Context, document: Document) -> list[tuple[str, Document]]:
    return [(one.name, one.document) for one in read_document.list_files(ctx, LOCAL, document.id)]


def names(ctx: Context, document: Document) -> list[str]:
    return [name for name, _ in listed(ctx, document)]


def in_corpus(ctx: Context, corpus_id: str) -> list[str]:
    return [member.filename for member in arrange_corpus.members(ctx, LOCAL, corpus_id)]


def all_documents(ctx: Context) -> list[Document]:
    with ctx.db.read() as tx:
        return documents.page_through(tx, LOCAL, after=None, limit=1000)


def stored_files(folder: Path) -> list[str]:
    """The names of all stored files, waiting ones among them."""
    found = (path for path in (folder / "data").rglob("*") if path.is_file())
    return sorted(path.name for path in found if {"sha256", "uploads"} & set(path.parts))


def kept(ctx: Context) -> Kept:
    assert isinstance(ctx.queue, Kept)
    return ctx.queue


def test_progress_passes_no_total_that_fell_short(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        document = add(ctx, b"A tape.", "a.tar.gz").document
        with ctx.db.write() as tx:
            documents.identify(tx, document.id, media_type="x", progress=Progress(0, 3, "file"))
        seen = []
        for done in (2, 5):
            with ctx.db.write() as tx:
                documents.count_files(tx, document.id, done)
            progress = get_document(ctx, LOCAL, document.id).progress
            seen.append((progress.done, progress.total))
        assert seen == [(2, 3), (5, 5)]


def test_files_inside_become_documents(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        parent = unpacked(ctx, "a.zip", [("one.txt", b"The first."), ("dir/two.txt", b"The second." * 99)])
        assert (parent.status, parent.pages, parent.pages_tokens) == (DocumentStatus.READY, 0, 0)
        assert (parent.progress.done, parent.progress.total, parent.files) == (2, 2, 2)
        (one, first), (two, second) = listed(ctx, parent)
        assert (one, two) == ("one.txt", "dir/two.txt")
        assert (second.filename, second.media_type, second.bytes) == ("dir/two.txt", "text/plain", 11 * 99)
        assert (second.uploaded, second.depth, second.root_id) == (False, 1, parent.id)
        assert second.parent_ids == (parent.id,)
        assert kept(ctx).left == [parent.id, first.id, second.id]
        for document in (first, second):
            extract_document(ctx, document.id)
        assert get_document(ctx, LOCAL, first.id).status is DocumentStatus.READY
        assert read_document.get_page(ctx, LOCAL, second.id, 1).text.startswith("The second.")
        assert stored_files(tmp_path) == sorted({parent.sha256, first.sha256, second.sha256})


def test_a_mail_has_a_text_of_its_own(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        letter = add(ctx, b"A mail.", "a.eml").document
        read = read_as(ctx, letter, mail("See the attached.", [("report.txt", b"The report.")]))
        assert (read.pages, read.files, read.progress.done, read.progress.unit) == (2, 1, 2, "section")
        assert names(ctx, letter) == ["report.txt"]


def test_a_file_that_cannot_be_taken_out_is_a_warning(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        parent = unpacked(ctx, "a.zip", [("bad.txt", BROKEN), ("good.txt", b"Good."), ("x.bin", BROKEN)])
        assert [(w.code, w.detail) for w in parent.warnings] == [
            ("file_unreadable", "bad.txt: It is encrypted."),
            ("file_unreadable", "x.bin: It is encrypted."),
        ]
        assert (names(ctx, parent), parent.progress.done) == (["good.txt"], 3)
        assert len(stored_files(tmp_path)) == 2


def test_warnings_have_an_end(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        parent = unpacked(ctx, "a.zip", [(f"{n}.txt", BROKEN) for n in range(230)])
        assert len(parent.warnings) == 201
        assert "30 more" in parent.warnings[-1].detail


def test_known_bytes_are_the_known_document(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        known = add(ctx, b"Known.", "known.txt").document
        extract_document(ctx, known.id)
        parent = unpacked(
            ctx, "a.zip", [("same.txt", b"Known."), ("new.txt", b"New."), ("again.txt", b"New.")]
        )
        same, new, again = (document for _, document in listed(ctx, parent))
        assert same.id == known.id
        assert (same.filename, same.uploaded, same.status) == ("known.txt", True, DocumentStatus.READY)
        assert new.id == again.id
        assert new.parent_ids == (parent.id,)
        assert names(ctx, parent) == ["same.txt", "new.txt", "again.txt"]
        assert kept(ctx).left == [known.id, parent.id, new.id]
        assert stored_files(tmp_path) == sorted({parent.sha256, known.sha256, new.sha256})


def test_known_document_that_had_failed_is_read_again(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        broken = add(ctx, b"%PDF-1.7\nbroken", "broken.pdf").document
        extract_document(ctx, broken.id)
        parent = unpacked(ctx, "a.zip", [("b.pdf", b"%PDF-1.7\nbroken")])
        assert kept(ctx).left == [broken.id, parent.id, broken.id]
        assert get_document(ctx, LOCAL, broken.id).status is DocumentStatus.QUEUED


def test_what_failed_inside_a_ready_document_is_read_again_with_it(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        parent = unpacked(
            ctx, "a.zip", [("inner.zip", b"Inner."), ("one.txt", b"One."), ("b.pdf", b"%PDF-1")]
        )
        inner, one, broken = (document for _, document in listed(ctx, parent))
        read_as(ctx, inner, archive([("c.pdf", b"%PDF-1.7\nbroken")]))
        ((_, deep),) = listed(ctx, inner)
        for document in (one, broken, deep):
            extract_document(ctx, document.id)
        before = list(kept(ctx).left)
        again = add(ctx, b"The bytes of a.zip.", "a.zip")
        assert (again.duplicate, again.document.status) == (True, DocumentStatus.READY)
        assert kept(ctx).left == [*before, deep.id, broken.id]
        states = [get_document(ctx, LOCAL, document.id).status for document in (inner, one, broken, deep)]
        assert states == [DocumentStatus.READY] * 2 + [DocumentStatus.QUEUED] * 2
        assert add(ctx, b"The bytes of a.zip.", "a.zip").duplicate
        assert kept(ctx).left == [*before, deep.id, broken.id]


def test_file_uploaded_later_stands_by_itself(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        parent = unpacked(ctx, "a.zip", [("dir/one.txt", b"One.")])
        again = add(ctx, b"One.", "one.txt")
        assert again.duplicate
        assert (again.document.uploaded, again.document.depth, again.document.root_id) == (True, 0, None)
        assert again.document.parent_ids == (parent.id,)
        remove_document(ctx, LOCAL, parent.id)
        assert [one.id for one in all_documents(ctx)] == [again.document.id]
        assert stored_files(tmp_path) == [again.document.sha256]


@pytest.mark.parametrize("at", [0, 1, BATCH_FILES - 1, BATCH_FILES, BATCH_FILES + 1, 2 * BATCH_FILES + 5])
def test_reading_that_starts_over_makes_nothing_twice(tmp_path: Path, at: int) -> None:
    files = [(f"{n}.txt", f"File {n}.".encode()) for n in range(2 * BATCH_FILES + 5)]

    def dying() -> Iterator[Event]:
        yield Started("application/zip", Unit.FILE, len(files))
        yield from inside(files[:at])
        yield Enclosed("cut.txt")
        yield Piece(b"cut")
        raise Killed

    with process(tmp_path) as ctx:
        corpus = arrange_corpus.create(ctx, LOCAL, name="All")
        parent = add(ctx, b"An archive.", "a.zip").document
        arrange_corpus.append(ctx, LOCAL, corpus.id, parent.id)
        with pytest.raises(Killed):
            read_as(ctx, parent, dying())
        before = listed(ctx, parent)
        assert len(before) == at // BATCH_FILES * BATCH_FILES
        assert get_document(ctx, LOCAL, parent.id).progress.done == len(before)
    with process(tmp_path) as ctx:
        read_as(ctx, parent, archive(files))
        after = listed(ctx, parent)
        assert after[: len(before)] == before
        assert [name for name, _ in after] == [name for name, _ in files]
        assert kept(ctx).left == [document.id for _, document in after[len(before) :]]
        assert in_corpus(ctx, corpus.id) == ["a.zip", *(name for name, _ in files)]
        assert stored_files(tmp_path) == sorted(one.sha256 for one in all_documents(ctx))


def test_parent_removed_while_it_is_unpacked(tmp_path: Path) -> None:
    def removing() -> Iterator[Event]:
        yield Started("application/zip", Unit.FILE, 3)
        yield from inside([(f"{n}.txt", f"File {n}.".encode()) for n in range(BATCH_FILES)])
        remove_document(ctx, LOCAL, parent.id)
        yield from inside([("last.txt", b"Too late.")])
        yield Finished()

    with process(tmp_path) as ctx:
        parent = add(ctx, b"An archive.", "a.zip").document
        with pytest.raises(NotFound):
            read_as(ctx, parent, removing())
        assert (all_documents(ctx), stored_files(tmp_path)) == ([], [])


def test_failing_in_the_end_keeps_nothing_but_what_came_otherwise(tmp_path: Path) -> None:
    def failing() -> Iterator[Event]:
        yield Started("application/zip", Unit.FILE, 3)
        yield from inside([(f"{n}.txt", f"File {n}.".encode()) for n in range(BATCH_FILES)])
        yield Piece(b"nobody asked")

    with process(tmp_path) as ctx:
        own = add(ctx, b"File 5.", "own.txt").document
        parent = add(ctx, b"An archive.", "a.zip").document
        failed = read_as(ctx, parent, failing())
        assert failed.error is not None
        assert (failed.status, failed.error.code, failed.files) == (
            DocumentStatus.FAILED,
            "reader_crashed",
            0,
        )
        assert [one.id for one in all_documents(ctx)] == [own.id, parent.id]
        assert stored_files(tmp_path) == sorted({own.sha256, parent.sha256})
        add(ctx, b"An archive.", "a.zip")
        again = read_as(ctx, parent, archive([("5.txt", b"File 5."), ("6.txt", b"File 6.")]))
        assert (again.status, names(ctx, parent)) == (DocumentStatus.READY, ["5.txt", "6.txt"])


def test_full_disk_fails_the_parent_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def filling() -> Iterator[Event]:
        yield Started("application/zip", Unit.FILE, 2)
        yield from inside([(f"{n}.txt", f"File {n}.".encode()) for n in range(BATCH_FILES)])
        monkeypatch.setattr(os, "fsync", full)
        yield from inside([("last.txt", b"It does not fit.")])

    with process(tmp_path) as ctx:
        parent = add(ctx, b"An archive.", "a.zip").document
        failed = read_as(ctx, parent, filling())
        assert failed.error is not None
        assert (failed.status, failed.error.code) == (DocumentStatus.FAILED, "store_unavailable")
        assert "disk is full" in failed.error.detail
        assert stored_files(tmp_path) == [parent.sha256]
        monkeypatch.undo()
        assert add(ctx, b"An archive.").document.status is DocumentStatus.QUEUED
        assert read_as(ctx, parent, archive([("a.txt", b"A.")])).status is DocumentStatus.READY


def test_disk_that_fills_up_while_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renamed already, and not recorded: the names go too."""

    def full(_path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with process(tmp_path) as ctx:
        parent = add(ctx, b"An archive.", "a.zip").document
        monkeypatch.setattr(blobs, "_sync", full)
        failed = read_as(ctx, parent, archive([("a.txt", b"A."), ("b.txt", b"B.")]))
        assert failed.status is DocumentStatus.FAILED
        assert (len(all_documents(ctx)), stored_files(tmp_path)) == (1, [parent.sha256])


def test_queue_that_is_away_leaves_nothing(tmp_path: Path) -> None:
    class Away(Kept):
        def extract(self, tx: object, document_id: str) -> None:
            del tx, document_id
            raise StoreUnavailable("The queue is away.")

    with process(tmp_path) as ctx:
        parent = add(ctx, b"An archive.", "a.zip").document
        failed = read_as(replace(ctx, queue=Away(ctx.db)), parent, archive([("a.txt", b"A.")]))
        assert failed.status is DocumentStatus.FAILED
        assert (len(all_documents(ctx)), stored_files(tmp_path)) == (1, [parent.sha256])


def test_files_nested_too_deeply_say_so(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        document = unpacked(ctx, "0.zip", [("1.zip", b"Level 1.")])
        for level in range(2, 6):
            ((_, document),) = listed(ctx, document)
            assert document.depth == level - 1
            read = read_as(ctx, document, archive([(f"{level}.zip", f"Level {level}.".encode())]))
            assert read.status is DocumentStatus.READY
        ((_, deepest),) = listed(ctx, document)
        assert deepest.depth == 5
        failed = read_as(ctx, deepest, archive([("6.zip", b"Level 6.")]))
        assert failed.error is not None
        assert (failed.error.code, failed.files) == ("nested_too_deeply", 0)
        add(ctx, b"Level 5.", "5.zip")
        by_itself = read_as(ctx, deepest, archive([("6.zip", b"Level 6.")]))
        assert (by_itself.status, by_itself.depth, by_itself.files) == (DocumentStatus.READY, 0, 1)


@pytest.mark.parametrize("limits", [Limits(max_files=3), Limits(max_files_bytes=20)], ids=["files", "bytes"])
def test_what_comes_out_of_one_upload_is_bounded_over_all_levels(tmp_path: Path, limits: Limits) -> None:
    with process(tmp_path) as usual:
        ctx = replace(usual, limits=limits)
        parent = unpacked(ctx, "a.zip", [("x.zip", b"X bytes"), ("y.zip", b"Y bytes")])
        (_, one), (_, other) = listed(ctx, parent)
        assert read_as(ctx, one, archive([("a.txt", b"A bytes")])).status is DocumentStatus.READY or (
            limits.max_files_bytes == 20
        )
        failed = read_as(ctx, other, archive([("b.txt", b"B bytes"), ("c.txt", b"C bytes")]))
        assert failed.error is not None
        assert (failed.error.code, failed.files) == ("too_large", 0)
        assert "Unpack it" in failed.error.detail
        assert get_document(ctx, LOCAL, parent.id).status is DocumentStatus.READY
        assert not any(d.filename in {"b.txt", "c.txt"} for d in all_documents(ctx))
        assert stored_files(tmp_path) == sorted(one.sha256 for one in all_documents(ctx))


def test_an_archive_that_holds_itself(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        corpus = arrange_corpus.create(ctx, LOCAL, name="Endless")
        parent = add(ctx, b"Droste.", "droste.zip").document
        arrange_corpus.append(ctx, LOCAL, corpus.id, parent.id)
        read = read_as(ctx, parent, archive([("droste.zip", b"Droste."), ("a.txt", b"A.")]))
        assert (read.status, read.files, read.parent_ids) == (DocumentStatus.READY, 2, (parent.id,))
        assert in_corpus(ctx, corpus.id) == ["droste.zip", "a.txt"]
        remove_document(ctx, LOCAL, parent.id)
        assert (all_documents(ctx), stored_files(tmp_path)) == ([], [])


def test_failed_archives_in_each_other_come_to_an_end(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        one = add(ctx, b"One.", "one.zip").document
        other = add(ctx, b"Other.", "other.zip").document
        read_as(ctx, one, archive([("other.zip", b"Other.")]))
        with ctx.db.write() as tx:
            tx.exec_driver_sql("UPDATE documents SET status = 'failed' WHERE filename = 'one.zip'")
        left = len(kept(ctx).left)
        read_as(ctx, other, archive([("one.zip", b"One.")]))
        assert len(kept(ctx).left) == left, "the failed one lies around this one: nobody reads it again"


def test_files_go_wherever_their_parent_goes(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        early, late = (arrange_corpus.create(ctx, LOCAL, name=name) for name in ("Early", "Late"))
        parent = add(ctx, b"An archive.", "a.zip").document
        arrange_corpus.append(ctx, LOCAL, early.id, parent.id)
        read_as(ctx, parent, archive([("in.zip", b"Inner."), ("b.txt", b"B.")]))
        (_, inner), _ = listed(ctx, parent)
        read_as(ctx, inner, archive([("c.txt", b"C.")]))
        assert in_corpus(ctx, early.id) == ["a.zip", "in.zip", "b.txt", "c.txt"], "as they were found"
        asyncio.run(
            add_document(
                ctx, LOCAL, filename="a.zip", chunks=pieces(b"An archive."), corpus_id=late.id
            )  # a duplicate
        )
        assert in_corpus(ctx, late.id) == ["a.zip", "in.zip", "c.txt", "b.txt"], "each after its parent"
        arrange_corpus.append(ctx, LOCAL, late.id, parent.id)
        assert len(in_corpus(ctx, late.id)) == 4


def test_taking_out_takes_what_is_there_only_through_it(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        one = unpacked(ctx, "one.zip", [("a.txt", b"A."), ("both.txt", b"Both."), ("own.txt", b"Own.")])
        other = unpacked(ctx, "other.zip", [("both.txt", b"Both."), ("z.txt", b"Z.")])
        add(ctx, b"Own.", "own.txt")
        corpus = arrange_corpus.create(ctx, LOCAL, name="Two", document_ids=[one.id, other.id])
        alone = arrange_corpus.create(ctx, LOCAL, name="One", document_ids=[one.id])
        arrange_corpus.take_out(ctx, LOCAL, corpus.id, one.id)
        assert in_corpus(ctx, corpus.id) == ["both.txt", "own.txt", "other.zip", "z.txt"]
        arrange_corpus.take_out(ctx, LOCAL, alone.id, one.id)
        assert in_corpus(ctx, alone.id) == ["own.txt"]


def test_holding_exactly(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        one = unpacked(ctx, "one.zip", [("a.txt", b"A."), ("b.txt", b"B.")])
        other = add(ctx, b"B.", "b.txt").document
        corpus = arrange_corpus.create(ctx, LOCAL, name="All", document_ids=[one.id])
        arrange_corpus.hold_exactly(ctx, LOCAL, corpus.id, [other.id])
        assert in_corpus(ctx, corpus.id) == ["b.txt"]
        arrange_corpus.hold_exactly(ctx, LOCAL, corpus.id, [one.id])
        assert in_corpus(ctx, corpus.id) == ["b.txt", "one.zip", "a.txt"]
        arrange_corpus.hold_exactly(ctx, LOCAL, corpus.id, [one.id], but=[other.id])
        assert in_corpus(ctx, corpus.id) == ["one.zip", "a.txt"]


def test_deleting_deletes_what_came_only_with_it(tmp_path: Path) -> None:
    with process(tmp_path) as ctx:
        one = unpacked(ctx, "one.zip", [("in.zip", b"Inner."), ("both.txt", b"Both.")])
        (_, inner), _ = listed(ctx, one)
        read_as(ctx, inner, archive([("deep.txt", b"Deep.")]))
        other = unpacked(ctx, "other.zip", [("both.txt", b"Both.")])
        remove_document(ctx, LOCAL, one.id)
        assert [document.filename for document in all_documents(ctx)] == ["both.txt", "other.zip"]
        assert listed(ctx, other)[0][1].parent_ids == (other.id,)
        assert stored_files(tmp_path) == sorted(one.sha256 for one in all_documents(ctx))


def test_two_archives_with_common_members_at_once(tmp_path: Path) -> None:
    common = [(f"common/{n}.txt", f"Common {n}.".encode()) for n in range(150)]
    with process(tmp_path) as ctx:
        parents = [add(ctx, f"Archive {n}.".encode(), f"{n}.zip").document for n in range(2)]
        gate = threading.Barrier(2)

        def unpack(number: int) -> None:
            own = [(f"own {number}.txt", f"Own {number}.".encode())]
            events = iter([*archive([*own, *common] if number else [*reversed(common), *own])])
            gate.wait()
            extracting.store_events(ctx, parents[number], events)

        with ctx.db.write() as tx:
            for parent in parents:
                documents.start(tx, parent.id)
        threads = [threading.Thread(target=unpack, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = [{document.id for _, document in listed(ctx, parent)} for parent in parents]
        assert [len(one) for one in found] == [151, 151]
        assert len(found[0] & found[1]) == 150
        assert sorted(kept(ctx).left) == sorted(document.id for document in all_documents(ctx))
        assert stored_files(tmp_path) == sorted(one.sha256 for one in all_documents(ctx))
        with sqlite3.connect(tmp_path / "data" / "unabridged.db") as database:
            rows = database.execute("SELECT count(*), count(DISTINCT sha256) FROM documents").fetchone()
        assert rows == (154, 154)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.txt", "a.txt"),
        ("dir/sub/a.txt", "dir/sub/a.txt"),
        ("../../etc/passwd", "etc/passwd"),
        ("/root/./x", "root/x"),
        ("C:\\dir\\a.txt", "C:/dir/a.txt"),
        ("a\x00b\n/\u202ec.txt", "ab/c.txt"),
        ("", "unnamed"),
        ("//", "unnamed"),
    ],
)
def test_names_inside_are_safe(name: str, safe: str) -> None:
    assert safe_path(name) == safe


def test_long_names_inside_keep_their_end() -> None:
    long = safe_path("/".join(["folder" * 10] * 40) + "/end.txt")
    assert long == "end.txt"
    assert len(safe_path("x" * 9000 + ".txt")) <= MAX_PATH

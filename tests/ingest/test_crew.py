"""Many processes on one document give what one gives, in the same order, and end the same way."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.constants import PageLabelStyle

import ingest
from ingest import Finished, Limits, Notice, Page, Started, Unit, child, crew, reader, sandbox, wire, zygote
from ingest.document import Enclosed, Heading, Piece
from ingest.margins import Margins
from ingest.reader import Frame, Request
from tests.support import frames, pdfs, range_frames

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample documents are not here")

PAGES = 130
STARTED = Started("application/pdf", Unit.PAGE, 3 * reader.RANGE_PAGES)


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """Text, blank pages, scans and labels, and more text than the sockets hold."""
    scan = PdfReader(pdfs.scanned_pdf(tmp_path / "scan.pdf")).pages[0]
    blank_or_text = [[] if n % 11 == 0 else [f"Page {n} naïve", "word " * 18] * 20 for n in range(PAGES - 2)]
    writer = PdfWriter(clone_from=pdfs.text_pdf(tmp_path / "text.pdf", blank_or_text, title="Long"))
    writer.insert_page(scan, 50)
    writer.insert_page(scan, 99)
    writer.set_page_label(0, 30, style=PageLabelStyle.LOWERCASE_ROMAN)
    path = tmp_path / "long.pdf"
    with path.open("wb") as file:
        writer.write(file)
    return path


@pytest.fixture(autouse=True)
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with four processors, whatever else runs on this one."""
    monkeypatch.setattr(sandbox, "_processors", lambda: 4)


def read(path: Path, frame: Frame | None = None, limits: Limits = sandbox.DEFAULT_LIMITS) -> list[object]:
    return list(ingest.read(path, filename=path.name, frame=frame, limits=limits))


def unsplit(path: Path, frame: Frame | None = None) -> list[object]:
    """Read in this process, in one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "RANGE_PAGES", 1_000_000)
        opened, taken, *events, given = reader.events(Request(path, path.name, frame, Limits()))
    pages = [event for event in events if event != wire.Beat()]
    assert isinstance(opened, wire.Opened)
    assert isinstance(given, wire.Given)
    assert taken == wire.Taken(0)
    assert given.more_notices == 0
    margins = Margins()
    for page in pages:
        if isinstance(page, Page):
            margins.add(page.number, page.text)
    finished = Finished(
        given.title, given.encoding, given.notices, given.sketch, margins.found(), given.outline
    )
    return [opened.started, *pages, finished]


def before_the_end(path: Path, frame: Frame) -> tuple[list[int], str]:
    """Return the numbers of the pages that came before the error, and the error."""
    events = ingest.read(path, filename="a.pdf", frame=frame)
    numbers: list[int] = []
    with pytest.raises(ingest.IngestError) as caught:
        numbers.extend(event.number for event in events if isinstance(event, Page))
    return numbers, type(caught.value).__name__


# Whole documents


@pytest.mark.parametrize("processors", [1, 2, 4])
def test_many_processes_give_what_one_gives(
    long: Path, monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    monkeypatch.setattr(sandbox, "_processors", lambda: processors)
    events = read(long, frames.tagged)
    assert events == unsplit(long, frames.tagged)
    assert len(events) == PAGES + 2


def test_a_long_document_is_shared_by_as_many_processes_as_there_are_processors(long: Path) -> None:
    pages = [event for event in read(long, range_frames.process) if isinstance(event, Page)]
    bare = [event for event in read(long) if isinstance(event, Page)]
    readers = {page.tokens - alone.tokens for page, alone in zip(pages, bare, strict=True)}
    assert 2 <= len(readers) <= 4


def test_a_short_document_has_one_process(tmp_path: Path) -> None:
    path = pdfs.text_pdf(tmp_path / "a.pdf", [["x"]] * reader.RANGE_PAGES)
    pages = [event for event in read(path, range_frames.process) if isinstance(event, Page)]
    assert len({page.tokens for page in pages}) == 1


@pytest.mark.parametrize("ahead", [1, 4 << 20])
def test_pages_come_in_order_when_the_first_are_the_last_to_be_read(
    long: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setattr(child, "AHEAD_BYTES", ahead)
    assert read(long, partial(range_frames.slow, till=25)) == unsplit(long)


def test_a_crash_ends_the_reading_at_its_range(long: Path) -> None:
    numbers, error = before_the_end(long, partial(range_frames.crashing, at=70))
    assert error == "ReaderCrashed"
    assert numbers == list(range(1, len(numbers) + 1))
    assert 60 <= len(numbers) < 70


def test_the_first_fault_counts_not_the_soonest(long: Path, caplog: pytest.LogCaptureFixture) -> None:
    numbers, error = before_the_end(long, partial(range_frames.failing, at=(33, 47, 110)))
    assert (numbers, error) == (list(range(1, 33)), "ReaderCrashed")
    assert "page 33" in caplog.text


def test_characters_of_all_ranges_count(long: Path) -> None:
    chars = sum(len(event.text) for event in read(long) if isinstance(event, Page))
    assert read(long, limits=Limits(max_chars=2 * chars))
    with pytest.raises(ingest.TooLarge, match="in all"):
        read(long, limits=Limits(max_chars=chars // 2))


def test_closing_early_ends_all_of_them(long: Path) -> None:
    events = ingest.read(long, filename="a.pdf")
    for event in events:
        if isinstance(event, Page) and event.number == 45:
            break
    events.close()  # type: ignore[attr-defined]
    assert sandbox.home.running == 0


def test_warming_starts_the_zygote_once(long: Path) -> None:
    sandbox.home.close()
    ingest.warm()
    pid = sandbox.home.pid
    ingest.warm()
    assert pid is not None
    assert len(read(long)) == PAGES + 2
    assert sandbox.home.pid == pid


@needs_samples
def test_real_reports_are_the_same_in_ranges() -> None:
    for name in ("2019-annual-performance-report.pdf", "DOL2022.pdf", "2013-annual-performance-report.pdf"):
        path = SAMPLES / "us-agency-reports" / name
        assert read(path, frames.tagged) == unsplit(path, frames.tagged)


# What each process does


def test_a_process_that_does_not_lead_reads_what_it_takes(long: Path) -> None:
    request = Request(long, "a.pdf", None, Limits(), leads=False)
    events = list(reader.events(request, [40, 120]))
    taken = [event for event in events if isinstance(event, wire.Taken)]
    assert taken == [wire.Taken(40), wire.Taken(120)]
    numbers = [event.number for event in events if isinstance(event, Page)]
    assert numbers == [*range(41, 61), *range(121, 131)]
    assert events == [event for event in events if not isinstance(event, wire.Opened)]


def test_there_are_never_more_ranges_than_the_pipe_holds(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_RANGES", 3)
    opened = next(iter(reader.events(Request(long, "a.pdf", None, Limits()))))
    assert isinstance(opened, wire.Opened)
    assert opened.step == -(-PAGES // 3)


# Processes of which anything may come


class Scripted:
    """An employer whose processes send what a test says, each in turn, and are gone."""

    def __init__(self, *scripts: list[wire.Event]) -> None:
        self._scripts = list(scripts)
        self._leads = True

    def hire(self, orders: int, *, leads: bool) -> child.Child:
        assert orders >= 0
        assert leads is self._leads
        self._leads = False
        answer, theirs = socket.socketpair()
        lease, their_lease = socket.socketpair()
        with theirs, their_lease:
            theirs.sendall(b"".join(map(wire.pack, self._scripts.pop(0))))
            their_lease.sendall((0).to_bytes(zygote.STATUS_BYTES, "big"))
        return child.Child(answer, lease)

    def is_busy(self) -> bool:
        return not self._scripts

    def keep(self, child: child.Child) -> bool:  # noqa: ARG002 - nobody is kept here
        return False


def given(*notices: Notice, more: int = 0, chars: int = 1) -> wire.Given:
    return wire.Given("Title", "o200k_base", notices, more, chars)


def rest(*firsts: int) -> list[wire.Event]:
    return [event for first in firsts for event in (wire.Taken(first), Page(first + 1, "x"), given())]


OPENED = wire.Opened(STARTED, reader.RANGE_PAGES)


def together(*scripts: list[wire.Event], limits: Limits = sandbox.DEFAULT_LIMITS) -> list[object]:
    with pytest.MonkeyPatch.context() as patch, crew.Crew(Scripted(*scripts), limits) as hands:
        patch.setattr(crew, "WORTH_ANOTHER", -9)
        return list(hands.events())


WHOLE = [STARTED, Page(1, "x"), Page(21, "x"), Page(41, "x"), Finished("Title", "o200k_base")]


@pytest.mark.parametrize(
    "scripts",
    [
        ([OPENED, *rest(0, 20, 40)],),
        ([OPENED, *rest(0, 40)], rest(20)),
        ([OPENED, *rest(0)], rest(20, 40)),
        ([OPENED, *rest(0, 20, 40)], []),
        ([OPENED, *rest(0, 20, 40)], [wire.Failed("DamagedDocument", "It opened once.")]),
    ],
)
def test_ranges_are_put_in_order_whoever_read_them(scripts: tuple[list[wire.Event], ...]) -> None:
    assert together(*scripts) == WHOLE


@pytest.mark.parametrize(
    ("scripts", "kind"),
    [
        (([],), ingest.ReaderCrashed),
        ((rest(0),), ingest.ReaderCrashed),
        (([wire.Failed("EncryptedDocument", "Locked.")],), ingest.EncryptedDocument),
        (([OPENED, *rest(0, 20)],), ingest.ReaderCrashed),
        (([OPENED, *rest(0, 20), wire.Taken(40), Page(41, "x")],), ingest.ReaderCrashed),
        (([OPENED, wire.Taken(0), OPENED],), ingest.ReaderCrashed),
        (([OPENED, wire.Taken(0), wire.Failed("TooLarge", "Large.")],), ingest.TooLarge),
        (([OPENED, *rest(0)], [wire.Failed("DamagedDocument", "Broken.")]), ingest.DamagedDocument),
        (([OPENED, *rest(0, 20)], [wire.Taken(40), wire.Failed("TooLarge", "L.")]), ingest.TooLarge),
    ],
)
def test_a_range_that_never_comes_ends_the_reading(
    scripts: tuple[list[wire.Event], ...], kind: type[ingest.IngestError]
) -> None:
    with pytest.raises(ingest.IngestError) as caught:
        together(*scripts)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("unit", "total", "step"),
    [
        (Unit.PAGE, 0, 20),
        (Unit.PAGE, -1, 20),
        (Unit.PAGE, 60, -1),
        (Unit.PAGE, 100_000, 1),
        (Unit.PAGE, 200_001, 20),
        (Unit.PAGE, 5 * 10**9, 10**6),
        (Unit.FILE, 10_001, 0),
    ],
)
def test_no_process_makes_its_parent_leave_orders_without_end(unit: Unit, total: int, step: int) -> None:
    opened = wire.Opened(Started("x", unit, total), step)
    with pytest.raises(ingest.ReaderCrashed):
        together([opened, *rest(0)], limits=Limits())


def test_orders_that_the_pipe_does_not_take_end_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "MAX_RANGES", 100_000)
    with pytest.raises(ingest.ReaderCrashed):
        together([wire.Opened(Started("x", Unit.PAGE, 100_000), 1), *rest(0)], limits=Limits())


@pytest.mark.parametrize("numbers", [(2,), (1, 1), (1, 3), (0,), (1, 2, 3)])
def test_pages_have_the_numbers_that_come_next(numbers: tuple[int, ...]) -> None:
    opened = wire.Opened(Started("x", Unit.PAGE, 2), 0)
    with pytest.raises(ingest.ReaderCrashed):
        together([opened, wire.Taken(0), *(Page(number, "x") for number in numbers), given()])


def test_a_range_holds_no_pages_of_the_next() -> None:
    pages = [Page(number, "x") for number in range(1, reader.RANGE_PAGES + 2)]
    with pytest.raises(ingest.ReaderCrashed):
        together([OPENED, wire.Taken(0), *pages, given(), *rest(20, 40)])


@pytest.mark.parametrize(
    "limits", [Limits(max_page_chars=2), Limits(max_chars=5), Limits(max_files=1), Limits(max_files_bytes=3)]
)
def test_limits_hold_for_a_process_that_does_not_keep_them(limits: Limits) -> None:
    inside = [event for name in "ab" for event in (Enclosed(name), Piece(b"12"))]
    pages = [Page(1, "abc"), Page(2, "abc")]
    opened = wire.Opened(Started("x", Unit.PAGE, 2), 0)
    script: list[wire.Event] = [opened, wire.Taken(0), *pages, *inside, given(chars=0)]
    assert together(script)
    with pytest.raises(ingest.TooLarge):
        together(script, limits=limits)


def test_outlines_do_not_add_up() -> None:
    entries = tuple(Heading("x", 1, 1) for _ in range(reader.MAX_HEADINGS + 1))
    outlined = wire.Given("Title", "o200k_base", (), 0, 1, (), entries)
    lead = [event for first in (0, 20, 40) for event in (wire.Taken(first), outlined)]
    finished = together([OPENED, *lead])[-1]
    assert isinstance(finished, Finished)
    assert finished.outline == entries[: reader.MAX_HEADINGS]


def test_notices_are_told_in_the_order_of_the_pages() -> None:
    first, second, third = (Notice("page_unreadable", f"Page {n}.", n) for n in (1, 21, 41))
    lead: list[wire.Event] = [OPENED, wire.Taken(0), given(first), wire.Taken(40), given(third)]
    finished = together(lead, [wire.Taken(20), given(second)])[-1]
    assert finished == Finished("Title", "o200k_base", (first, second, third))


def test_notices_too_many_to_read_are_summed_up() -> None:
    many = tuple(Notice("page_unreadable", f"Page {n}.", n) for n in range(1, reader.MAX_NOTICES))
    lead: list[wire.Event] = [OPENED, wire.Taken(0), given(*many), wire.Taken(20), given(*many[:3], more=4)]
    finished = together([*lead, wire.Taken(40), given(many[0])])[-1]
    assert isinstance(finished, Finished)
    assert finished.warnings[:-1] == (*many, many[0])
    assert finished.warnings[-1] == Notice("more_notices", "7 more notices are left out here.")


def test_characters_add_up_over_ranges() -> None:
    lead = [OPENED, *rest(0, 20, 40)]
    assert together(lead, limits=Limits(max_chars=3)) == WHOLE
    with pytest.raises(ingest.TooLarge):
        together(lead, limits=Limits(max_chars=2))


def test_what_was_not_asked_for_is_never_waited_for(tmp_path: Path) -> None:
    """Formats that are read in one go leave the pipe alone."""
    path = tmp_path / "a.md"
    path.write_text("# Head\n\nBody\n")
    started, *pages, finished = read(path)
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    assert len(pages) == started.total

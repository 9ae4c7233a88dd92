"""The reading processes of one document: its ranges put together in the order of the pages.

The ranges' numbers lie in a pipe from which each process takes the next; see `ingest.reader`. One process
leads: it opens the file, says what it is and begins at once. Others join while processors are free. What runs
ahead is held, up to a bound for each process; past it the process waits.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Iterator
from typing import Final, Protocol, Self

from ingest import margins, wire
from ingest.child import CRASHED, TOO_SLOW, Child, error_of
from ingest.document import Enclosed, Finished, Heading, Notice, Page, Piece, Sealed, Started, Unit
from ingest.errors import ReaderCrashed, TimedOut
from ingest.limits import Limits
from ingest.reader import MAX_HEADINGS, MAX_NOTICES, MAX_RANGES, ORDER_BYTES, too_many_files, too_much_text
from ingest.resemblance import Sketch

WORTH_ANOTHER: Final = 2
"""Ranges that nobody has taken: with fewer, another process would cost more than it saves."""


class Employer(Protocol):
    """Where reading processes come from."""

    def hire(self, orders: int, *, leads: bool) -> Child:
        """Start one that takes its ranges from the pipe `orders`.

        Raises:
            ReaderCrashed: none could be started.
        """
        ...

    def is_busy(self) -> bool:
        """Whether there is no processor left for one more."""
        ...

    def keep(self, child: Child) -> bool:
        """Take back one that has done its part; return whether it is kept for another document."""
        ...


class Crew:
    """Reads one document; use it in a `with` block, whose end is the end of all its processes."""

    def __init__(self, employer: Employer, limits: Limits) -> None:
        self._employer = employer
        self._limits = limits
        self._orders, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._children: list[Child] = []
        self._silent = self._waited = self._scanned = 0.0
        self._patience = min(limits.first_seconds, limits.silent_seconds)
        self._whole = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        leaving = [child for child in self._children if not (self._whole and self._keeps(child))]
        for child in leaving:
            child.dismiss()
        for child in leaving:
            child.close()
        os.close(self._orders)
        self._give_out(())

    def _keeps(self, child: Child) -> bool:
        """Whether it goes on to another document; one that came too late may still be opening this one."""
        return child.taken > 0 and self._employer.keep(child)

    def events(self) -> Iterator[Started | Page | Enclosed | Piece | Sealed | Finished]:
        """Yield `Started`, all pages in order and the files inside, `Finished`.

        Raises:
            ingest.errors.IngestError: as the document's first faulty range ends, or a limit is passed.
        """
        opened = self._opened()
        yield opened.started
        total = opened.started.total
        firsts = range(0, total, opened.step) if opened.step else range(1)
        self._give_out(firsts[1:])
        report = _Report(self._limits, opened.started.media_type)
        for first in firsts:
            self._reinforce(len(firsts))
            report.expect(range(first + 1, min(first + (opened.step or total), total) + 1))
            yield from self._pages(self._taker(first), report)
        self._whole = True
        yield report.finished()

    def _opened(self) -> wire.Opened:
        lead = self._lead()
        while lead.documents > 1 and lead.over and lead.front is None:
            lead = self._lead()  # it ended while it rested, and nobody knew yet
        event = self._next(lead)
        if not isinstance(event, wire.Opened) or not _is_possible(event, self._limits):
            raise ReaderCrashed(CRASHED)
        return event

    def _lead(self) -> Child:
        """Hire the process that leads, and wait for its first word or its end."""
        lead = self._employer.hire(self._orders, leads=True)
        self._children.append(lead)
        while lead.front is None and not lead.over:
            self._receive()
        return lead

    def _reinforce(self, ranges: int) -> None:
        """Hire one more process where it pays."""
        untaken = ranges - sum(child.taken for child in self._children)
        if untaken >= WORTH_ANOTHER and not self._employer.is_busy():
            with contextlib.suppress(ReaderCrashed):  # those that are there do it alone
                self._children.append(self._employer.hire(self._orders, leads=False))

    def _give_out(self, firsts: range | tuple[()]) -> None:
        """Leave the orders in the pipe and end it: the last process to come finds that there is no more.

        Raises:
            ReaderCrashed: the system's pipes hold fewer; nobody may wait for a process to make room.
        """
        if self._write_end < 0:
            return
        orders = b"".join(first.to_bytes(ORDER_BYTES, "big") for first in firsts)
        if os.write(self._write_end, orders) < len(orders):
            raise ReaderCrashed(CRASHED)
        os.close(self._write_end)
        self._write_end = -1

    def _taker(self, first: int) -> Child:
        """Return the child that has taken the range, its pages next."""
        while True:
            for child in self._children:
                if child.front == wire.Taken(first):
                    self._next(child)
                    return child
            alive = [child for child in self._children if not child.over]
            if not alive:
                self._blame()
            self._receive()

    def _blame(self) -> None:
        """Raise the reason why nobody is left though pages are missing."""
        for child in self._children:
            if isinstance(child.front, wire.Failed | wire.Defect):
                raise error_of(child.front)
        raise self._children[0].verdict()

    def _pages(self, child: Child, report: _Report) -> Iterator[Page | Enclosed | Piece | Sealed]:
        while True:
            event = self._next(child)
            if isinstance(event, wire.Given):
                report.add(event)
                return
            if not isinstance(event, Page | Enclosed | Piece | Sealed):
                raise ReaderCrashed(CRASHED)
            self._patience = self._limits.silent_seconds
            report.take(event)
            yield event

    def _next(self, child: Child) -> wire.Event:
        """Return the child's next event.

        Raises:
            TimedOut: it was silent for too long, or all of them slow in all.
            ingest.errors.IngestError: the one that the child reported, or its end without a word.
        """
        while child.front is None:
            if child.over:
                raise child.verdict()
            self._receive()
        self._silent = 0.0
        event = child.pop()
        if isinstance(event, wire.Failed | wire.Defect):
            raise error_of(event)
        return event

    def _receive(self) -> None:
        """Wait until something arrives, and take it.

        Only time spent here counts against the limits: a caller may take as long as it likes. While scanned
        pages are recognised, it counts against the bound for that alone.
        """
        began = time.monotonic()
        seconds = min(self._patience - self._silent, self._limits.wall_seconds - self._waited)
        if seconds <= 0:
            raise TimedOut(TOO_SLOW)
        with selectors.PollSelector() as selector:
            for child in self._children:
                if not child.over and not child.full:
                    selector.register(child.answer, selectors.EVENT_READ, child)
            ready = selector.select(seconds)
        before = sum(child.beats for child in self._children)
        for key, _ in ready:
            key.data.receive()
        self._count(time.monotonic() - began, scanning=sum(child.beats for child in self._children) > before)

    def _count(self, seconds: float, *, scanning: bool) -> None:
        if scanning and self._scanned < self._limits.scan_seconds:
            self._scanned += seconds
            self._silent = 0.0
        else:
            self._waited += seconds
            self._silent += seconds


def _is_possible(opened: wire.Opened, limits: Limits) -> bool:
    """Whether an honest process opens a document so: one that a file has taken over says anything."""
    total, step = opened.started.total, opened.step
    most = limits.max_pages
    if opened.started.unit is Unit.FILE:
        most = min(most, limits.max_files)
    return 0 < total <= most and step >= 0 and (step == 0 or -(-total // step) <= MAX_RANGES)


class _Report:
    """What the ranges say together, held against the limits: no process is trusted to keep them."""

    def __init__(self, limits: Limits, media_type: str) -> None:
        self._limits = limits
        self._has_margins = margins.may_be_in(media_type)
        self._title: str | None = None
        self._encoding = ""
        self._notices: list[Notice] = []
        self._sketch = Sketch()
        self._margins = margins.Margins()
        self._outline: tuple[Heading, ...] = ()
        self._more = self._chars = self._cleaned = self._files = self._bytes = 0
        self._number = self._stop = 1

    def expect(self, numbers: range) -> None:
        """Begin a range, whose pages have these numbers."""
        self._number, self._stop = numbers.start, numbers.stop

    def take(self, event: Page | Enclosed | Piece | Sealed) -> None:
        """Count what comes, and compare a page with those before it.

        Raises:
            ReaderCrashed: a page has not the number that comes next.
            ingest.errors.TooLarge: it is more than one document may hold.
        """
        if isinstance(event, Page):
            self._take_page(event)
            return
        self._files += isinstance(event, Enclosed)
        self._bytes += len(event.data) if isinstance(event, Piece) else 0
        if self._files > self._limits.max_files or self._bytes > self._limits.max_files_bytes:
            raise too_many_files(self._limits)

    def _take_page(self, page: Page) -> None:
        if page.number != self._number or page.number >= self._stop:
            raise ReaderCrashed(CRASHED)
        self._number += 1
        chars = len(page.text)
        self._cleaned += chars
        if chars > self._limits.max_page_chars or self._cleaned > self._limits.max_chars:
            raise too_much_text(self._limits)
        if self._has_margins:
            self._margins.add(page.number, page.text)

    def add(self, given: wire.Given) -> None:
        """Add a range, in order.

        Raises:
            ingest.errors.TooLarge: all ranges so far have too many characters.
        """
        self._title, self._encoding = given.title, given.encoding
        kept = given.notices[: MAX_NOTICES - len(self._notices)]
        self._notices.extend(kept)
        self._sketch.merge(given.sketch)
        self._outline = (self._outline or given.outline)[:MAX_HEADINGS]
        self._more += len(given.notices) - len(kept) + given.more_notices
        self._chars += given.chars
        if self._chars > self._limits.max_chars:
            raise too_much_text(self._limits)

    def finished(self) -> Finished:
        """Return the last event; notices too many to read are summed up."""
        notices = tuple(self._notices)
        if self._more:
            notices = (*notices, Notice("more_notices", f"{self._more:,} more notices are left out here."))
        return Finished(
            self._title,
            self._encoding,
            notices,
            self._sketch.values(),
            self._margins.found(),
            self._outline,
        )

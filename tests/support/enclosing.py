"""What a reading gives, put together: pages, the files inside with their bytes, and what was told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ingest import wire
from ingest.document import Enclosed, Finished, Notice, Page, Piece, Sealed, Started
from ingest.formats.enclosed import PIECE_BYTES
from ingest.limits import Limits
from ingest.reader import Request, events


@dataclass(slots=True)
class Read:
    """A whole reading.

    Attributes:
        files: the bytes of each whole file by its name, in order.
        faults: why the others are not whole, by their names.
        largest: bytes of the largest piece.
    """

    started: Started | None = None
    pages: list[Page] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Notice] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    title: str | None = None
    largest: int = 0

    @property
    def codes(self) -> list[str]:
        """The codes of what was told, in order."""
        return [notice.code for notice in self.notices]

    @property
    def text(self) -> str:
        """The text of all pages."""
        return "\n".join(page.text for page in self.pages)


def read_here(path: Path, filename: str | None = None, limits: Limits | None = None) -> Read:
    """Read the file in this process."""
    request = Request(path, filename or path.name, None, limits or Limits())
    return gathered(events(request))


def gathered(found: Iterable[object]) -> Read:
    """Put the events of a reading together, checking their order."""
    read, open_name, data = Read(), None, bytearray()
    for event in found:
        match event:
            case Started() | wire.Opened():
                read.started = event if isinstance(event, Started) else event.started
            case Page():
                assert open_name is None
                read.pages.append(event)
            case Enclosed(name):
                assert open_name is None
                assert name not in read.files | read.faults
                open_name = name
                data.clear()
            case Piece(piece):
                assert open_name is not None
                assert 0 < len(piece) <= PIECE_BYTES
                read.largest = max(read.largest, len(piece))
                data += piece
            case Sealed(fault):
                assert open_name is not None
                if fault is None:
                    read.files[open_name] = bytes(data)
                else:
                    read.faults[open_name] = fault
                open_name = None
            case wire.Given() | Finished():
                assert open_name is None
                read.notices = event.warnings if isinstance(event, Finished) else event.notices
                read.title = event.title
    return read

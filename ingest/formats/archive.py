"""A document that is a ZIP of XML: bounded in all, its faults told with the program that can mend it."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingest.document import Heading, Notice, Unit
from ingest.errors import DamagedDocument, EncryptedDocument, TooLarge
from ingest.formats import RawPage
from ingest.formats.ooxml import End, Package, Start, Text

MAX_UNPACKED: Final = 512 * 1024 * 1024
"""All parts of one document that are read, unpacked."""
MAX_LABEL: Final = 120
# expat raises LookupError for an encoding that Python does not know.
_FAULTS: Final = (
    *(DamagedDocument, zipfile.BadZipFile, zlib.error),
    *(EOFError, OSError, ValueError, LookupError),
)


class Archive(Package):
    """An open OOXML, OpenDocument or EPUB file."""

    def __init__(self, path: Path, *, program: str) -> None:
        """`program` is what opens such a file, for the messages."""
        self._program = program
        self._left = MAX_UNPACKED
        with self._faults_told("its directory"):
            super().__init__(path)

    def parse(self, part: str, *, start: Start, end: End | None = None, text: Text | None = None) -> None:
        """As `Package.parse`, within what the whole document may unpack to.

        Raises:
            TooLarge: the part or the document passes a limit.
            EncryptedDocument: the part has a password.
            DamagedDocument: it can't be unpacked, is no XML or declares a document type.
        """
        self._take(part)
        with self._faults_told(part):
            super().parse(part, start=start, end=end, text=text)

    def read(self, part: str, *, limit: int) -> bytes:
        """Return the part's bytes, at most `limit` of them.

        Raises:
            TooLarge: there are more.
            EncryptedDocument: the part has a password.
            DamagedDocument: it can't be unpacked.
        """
        info = self._take(part)
        if info.file_size > limit:
            raise TooLarge(
                f"A part of the file unpacks to {info.file_size / 2**20:,.0f} MB, too much to read. "
                "Split it into several files and upload those."
            )
        if info.flag_bits & 1:
            raise EncryptedDocument("The file has a password. Remove the password and upload it again.")
        with self._faults_told(part), self._zip.open(info) as stream:
            return stream.read(limit + 1)  # with a bound: it may unpack to more than its directory says

    def texts_of(self, part: str, element: str) -> list[str]:
        """Return the text inside each outermost `element` of the part, without surrounding blanks."""
        texts: list[str] = []
        depth = 0

        def start(tag: str, _: dict[str, str]) -> None:
            nonlocal depth
            if tag == element:
                depth += 1
                if depth == 1:
                    texts.append("")

        def end(tag: str) -> None:
            nonlocal depth
            depth -= tag == element

        def text(data: str) -> None:
            if depth:
                texts[-1] += data

        if part in self.names:
            self.parse(part, start=start, end=end, text=text)
        return [found.strip() for found in texts]

    def _take(self, part: str) -> zipfile.ZipInfo:
        """Count the part against what the whole document may unpack to."""
        try:
            info = self._zip.getinfo(part)
        except KeyError:
            raise DamagedDocument(self._damaged(f"{part} is missing")) from None
        self._left -= info.file_size
        if self._left < 0:
            raise TooLarge(
                f"The file unpacks to over {MAX_UNPACKED / 2**20:,.0f} MB: too much to read. "
                "Split it into several files and upload those."
            )
        return info

    def _damaged(self, why: str) -> str:
        return (
            f"The file is damaged ({why}). Open it in {self._program}, save it under a new name "
            "and upload that file."
        )

    @contextmanager
    def _faults_told(self, part: str) -> Iterator[None]:
        try:
            yield
        except _FAULTS as error:
            raise DamagedDocument(self._damaged(f"{part} can't be read")) from error
        except NotImplementedError as error:
            raise DamagedDocument(self._damaged(f"{part} is packed in an unknown way")) from error


@dataclass(slots=True)
class Pages:
    """A document that was read whole: its pages' texts in memory, each with a label or none."""

    media_type: str
    unit: Unit
    title: str | None
    texts: list[tuple[str | None, str]]
    notices: list[Notice] = field(default_factory=list)
    headings: tuple[Heading, ...] = ()

    @property
    def total(self) -> int:
        """How many pages there are."""
        return len(self.texts)

    def pages(self) -> Iterator[RawPage]:
        """Yield the pages in order."""
        for number, (label, text) in enumerate(self.texts, start=1):
            yield RawPage(number, text, label=label[:MAX_LABEL] if label else None)

    def outline(self) -> tuple[Heading, ...]:
        """Return what the document has of a table of contents."""
        return self.headings

    def close(self) -> None:
        """Nothing stays open between pages."""


def unlabelled(texts: Iterable[str]) -> list[tuple[str | None, str]]:
    """Return the texts as pages without labels."""
    return [(None, text) for text in texts]


def on_one_line(text: str) -> str:
    """Return the text with each run of white space as one blank."""
    return " ".join(text.split())

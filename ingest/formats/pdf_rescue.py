"""Second opinions on PDFs that pdfium refuses: the only importer of pypdf and pdf_oxide.

pypdf opens odd encryption and gives text as a last resort; pdf_oxide opens some files that break the format.
Both run in the reading process alone: pdf_oxide is known to crash on deep nesting.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from ingest.document import Notice, Unit
from ingest.errors import DamagedDocument, EncryptedDocument
from ingest.formats import RawPage

if TYPE_CHECKING:
    from pypdf import PdfReader

CUT_OFF: Final = Notice(
    "cut_off", "The file was cut off or has no proper end; pages or text near its end may be missing."
)
RESCUED: Final = Notice(
    "rescued",
    "The file is damaged and was rescued by a second reader: pages may be missing, and page numbers may "
    "differ from the original's.",
)

_T = TypeVar("_T")

_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What reading a broken file in Python ends with, besides the libraries' own errors."""


class _Opened(NamedTuple):
    """A file that a second reader opened: its pages, its title, and the text of a page by its index."""

    total: int
    title: str | None
    text_of: Callable[[int], str]


def open_document(path: Path, media_type: str, *, locked: bool) -> _RescuedReading:
    """Open a PDF that pdfium refused; `locked` says that it asked for a password.

    Raises:
        EncryptedDocument: it opens only with a password.
        DamagedDocument: no reader can make sense of it.
    """
    openers = (_with_pypdf,) if locked else (_with_oxide, _with_pypdf)
    for opener in openers:
        try:
            opened = opener(path)
        except DamagedDocument:
            continue
        if _shows_text(opened):
            return _RescuedReading(media_type, opened)
    if locked:
        raise EncryptedDocument(
            "The PDF opens only with a password. Remove the password and upload it again."
        )
    raise DamagedDocument(
        "The PDF is damaged and can't be read. Open it in a PDF viewer, save it anew and upload that file."
    )


def page_text(path: Path, index: int) -> str:
    """Return one page's text, slowly.

    Raises:
        DamagedDocument: the page can't be read.
    """
    reader = _pypdf_reader(path)
    return _sound(lambda: _pypdf_text(reader, index))


def unreadable(number: int) -> Notice:
    """Return the notice of a page that no reader could read."""
    return Notice("page_unreadable", f"Page {number} is damaged and could not be read.", number)


class _RescuedReading:
    """A PDF read by a second reader, page by page."""

    unit = Unit.PAGE

    def __init__(self, media_type: str, opened: _Opened) -> None:
        self.media_type = media_type
        self.total = opened.total
        self.title = opened.title
        self.notices = [RESCUED]
        self._text_of = opened.text_of

    def pages(self) -> Iterator[RawPage]:
        for number in range(1, self.total + 1):
            yield self._page(number)

    def close(self) -> None:
        """Nothing to free: the process ends with the document."""

    def _page(self, number: int) -> RawPage:
        try:
            return RawPage(number, self._text_of(number - 1))
        except DamagedDocument:
            return RawPage(number, "", notices=(unreadable(number),))


def _shows_text(opened: _Opened) -> bool:
    """Whether any page has text: blank pages in a damaged file are lost ones."""
    reading = _RescuedReading("", opened)
    return any(page.text.strip() for page in reading.pages())


def _with_oxide(path: Path) -> _Opened:
    import pdf_oxide  # noqa: PLC0415 - heavy, and needed for few files

    pdf_oxide.disable_logging()
    document = _sound(lambda: pdf_oxide.PdfDocument(str(path)))
    total = _sound(lambda: int(document.page_count()))
    return _Opened(total, None, lambda index: _sound(lambda: str(document.extract_text(index))))


def _with_pypdf(path: Path) -> _Opened:
    reader = _pypdf_reader(path)
    total = _sound(lambda: len(reader.pages))
    return _Opened(total, _pypdf_title(reader), lambda index: _sound(lambda: _pypdf_text(reader, index)))


def _pypdf_text(reader: PdfReader, index: int) -> str:
    return reader.pages[index].extract_text()


def _pypdf_title(reader: PdfReader) -> str | None:
    try:
        return _sound(lambda: reader.metadata and reader.metadata.title) or None
    except DamagedDocument:
        return None


@lru_cache(maxsize=1)
def _pypdf_reader(path: Path) -> PdfReader:
    """Open once for all pages of a document.

    Raises:
        DamagedDocument: pypdf can't open it, not even with the empty password.
    """
    import pypdf  # noqa: PLC0415 - heavy, and needed for few files

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = _sound(lambda: pypdf.PdfReader(path))
    if reader.is_encrypted and not _sound(lambda: reader.decrypt("")):
        raise DamagedDocument("The PDF opens only with a password.")
    return reader


def _sound(read: Callable[[], _T]) -> _T:
    """Return what `read` gives.

    Raises:
        DamagedDocument: in place of whatever the library ends with.
    """
    from pypdf.errors import PyPdfError  # noqa: PLC0415 - heavy, and needed for few files

    try:
        return read()
    except (PyPdfError, *_FAULTS) as fault:
        raise DamagedDocument("A second reader failed.") from fault

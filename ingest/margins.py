"""Headers and footers that the pages of one document repeat."""

from __future__ import annotations

from ingest.document import Margin


class Margins:
    """Compares the first and last lines of a document's pages, as they come."""

    def add(self, number: int, text: str) -> None:
        """Take in a page's cleaned text."""

    def found(self) -> tuple[Margin, ...]:
        """Return what is repeated, by page."""
        return ()

"""How documents' pages are packed: what a question leaves out of them, and which travel as pictures too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

from service.domain import vision
from service.domain.vision import Detail, Fitted

REPEATED = "repeated"
BLANK = "blank"

PageImages = Literal["none", "without_text", "scans"]
"""Which pages are sent as pictures too: none, those without text, or also those that were read by OCR."""

PAGE_IMAGES: tuple[PageImages, ...] = get_args(PageImages)
_PICTURED: dict[PageImages, frozenset[str]] = {
    "none": frozenset(),
    "without_text": frozenset({"no_text"}),
    "scans": frozenset({"no_text", "scan", "ocr"}),
}
_LOOKS = "1"
"""Raise it with whatever changes the bytes of a picture that is sent: they are part of a prefix."""


class Measured(Protocol):
    """A stored page as it was counted (see `documents.PageCount`)."""

    @property
    def number(self) -> int:
        """1-based."""
        ...

    @property
    def tokens(self) -> int:
        """Of its block."""
        ...

    @property
    def flags(self) -> tuple[str, ...]:
        """`blank` among them."""
        ...

    @property
    def repeated_tokens(self) -> int:
        """What its block counts less without its repeated header and footer."""
        ...

    @property
    def width(self) -> int | None:
        """In pixels, where it can be seen as a picture."""
        ...

    @property
    def height(self) -> int | None:
        """The same."""
        ...


class Written(Measured, Protocol):
    """The same with its text."""

    @property
    def text(self) -> str:
        """As it is stored."""
        ...

    @property
    def head(self) -> int:
        """Characters at its start that other pages repeat."""
        ...

    @property
    def foot(self) -> int:
        """The same at its end."""
        ...


@dataclass(frozen=True, slots=True)
class Images:
    """Pages that are sent as pictures, and the tokens they are billed as: a range.

    Attributes:
        without_text: the pages among them that hold no text.
        identity: of the bytes that are sent; empty of none, and of sums.
    """

    pages: int = 0
    tokens_min: int = 0
    tokens_max: int = 0
    without_text: int = 0
    identity: str = ""

    @property
    def spread(self) -> int:
        """How far the bill may lie above the least."""
        return self.tokens_max - self.tokens_min


def sum_of(images: Iterable[Images]) -> Images:
    """Return all of them together."""
    found = [one for one in images if one.pages]
    if not found:
        return NO_IMAGES
    return Images(
        sum(one.pages for one in found),
        sum(one.tokens_min for one in found),
        sum(one.tokens_max for one in found),
        sum(one.without_text for one in found),
    )


NO_IMAGES = Images()


@dataclass(frozen=True, slots=True)
class Manner:
    """What of every page is packed.

    A blank page is packed as it is stored or not at all, so what both switches save adds up. A header and
    footer are only left out where that saves tokens: leaving out never makes a prompt longer.

    Attributes:
        repeated: headers and footers that other pages repeat are packed too.
        blank: pages with nothing on them are packed too.
        images: which pages are sent as pictures, right behind their texts; a blank one never is.
        detail: of those pictures.
    """

    repeated: bool = True
    blank: bool = True
    images: PageImages = "none"
    detail: Detail = "high"

    @staticmethod
    def without(names: Collection[str]) -> Manner:
        """Return the manner that leaves these out; names that say nothing of pages are passed over."""
        return WHOLE.leaving_out(names)

    def leaving_out(self, names: Collection[str]) -> Manner:
        """Return the manner that leaves these out too."""
        return replace(
            self, repeated=self.repeated and REPEATED not in names, blank=self.blank and BLANK not in names
        )

    @property
    def left_out(self) -> tuple[str, ...]:
        """The names of what it leaves out: `without` of them is the same manner."""
        if self.repeated:
            return () if self.blank else (BLANK,)
        return (REPEATED,) if self.blank else (REPEATED, BLANK)

    @property
    def is_plain(self) -> bool:
        """Whether every page is packed as it is stored, and nothing else."""
        return self.repeated and self.blank and self.images == "none"

    def packs(self, page: Measured) -> bool:
        """Whether the page is in the prompt at all."""
        return self.blank or BLANK not in page.flags

    def trims(self, page: Measured) -> bool:
        """Whether the page is packed without its header and footer."""
        return not self.repeated and page.repeated_tokens > 0 and BLANK not in page.flags

    def tokens(self, page: Measured) -> int:
        """Exact count of the page as it is packed; 0 where it is not."""
        if not self.packs(page):
            return 0
        return page.tokens - (page.repeated_tokens if self.trims(page) else 0)

    def text(self, page: Written) -> str:
        """Return the text of a page that is packed."""
        return page.text[page.head : len(page.text) - page.foot] if self.trims(page) else page.text

    def picture(self, page: Measured) -> Fitted | None:
        """Return the size at which the page is sent as a picture, where it is."""
        if page.width is None or page.height is None or BLANK in page.flags:
            return None
        wanted = not _PICTURED[self.images].isdisjoint(page.flags)
        return vision.fit(page.width, page.height, self.detail) if wanted else None

    def images_of(self, pages: Iterable[Measured], *, source: str) -> Images:
        """Return the pictures among these pages.

        Args:
            pages: of one document.
            source: the hash of the bytes that they are drawn from.
        """
        fitted = [(page, one) for page in pages if (one := self.picture(page)) is not None]
        if not fitted:
            return NO_IMAGES
        told = [_LOOKS, source, self.detail, [[page.number, one.width, one.height] for page, one in fitted]]
        ranges = [vision.tokens(one.patches) for _, one in fitted]
        return Images(
            pages=len(fitted),
            tokens_min=sum(least for least, _ in ranges),
            tokens_max=sum(most for _, most in ranges),
            without_text=sum("no_text" in page.flags for page, _ in fitted),
            identity=hashlib.sha256(json.dumps(told).encode()).hexdigest(),
        )


WHOLE = Manner()
"""Everything, as it is stored."""

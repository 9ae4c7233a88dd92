"""What of a document one call reads: all of it, a run of its pages, or pages that were chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from service.domain.corpora import Member
from service.domain.manner import NO_IMAGES, WHOLE, Images, Manner


@dataclass(frozen=True, slots=True)
class Chosen:
    """Pages that were chosen of a document.

    Attributes:
        runs: first and last page of each run, in order.
        without_text: pages among them that hold no text.
        repeated_tokens: of headers and footers that are left out of them.
    """

    runs: tuple[tuple[int, int], ...]
    without_text: int = 0
    repeated_tokens: int = 0

    @property
    def numbers(self) -> list[int]:
        """The pages, in order."""
        return [number for first, last in self.runs for number in range(first, last + 1)]


class Slice(NamedTuple):
    """A document, or a run of its pages, or chosen ones, in one call.

    A tuple, since thousands of them are made for every preview.

    Attributes:
        first, last: pages, both included.
        chosen: the pages between them that are read, where not all are.
        tokens: of its text, with the document's tags.
        images: its pages that are sent as pictures too.
        identity: of the pages as they are packed.
    """

    document_id: str
    ordinal: int
    filename: str
    first: int
    last: int
    tokens: int
    identity: str
    manner: Manner = WHOLE
    images: Images = NO_IMAGES
    chosen: Chosen | None = None

    @property
    def most_tokens(self) -> int:
        """With the most that its pictures may count."""
        return self.tokens + self.images.tokens_max

    def reads(self, number: int) -> bool:
        """Whether a page is among those that are read."""
        return any(first <= number <= last for first, last in self.runs)

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """First and last page of each run that is read."""
        return self.chosen.runs if self.chosen else ((self.first, self.last),)


def whole_slice(member: Member) -> Slice:
    """Return all of a document, as it is packed."""
    return Slice(
        member.document_id,
        member.ordinal,
        member.filename,
        first=1,
        last=member.pages,
        tokens=member.tokens,
        identity=member.identity,
        manner=member.manner,
        images=member.images,
    )

"""What of a document one call reads: all of it, a run of its pages, or pages that were chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from service.domain import obstacles, packing
from service.domain.corpora import Member
from service.domain.kept import kept, once
from service.domain.manner import NO_IMAGES, WHOLE, Images, Manner, sum_of
from service.domain.obstacles import Obstacle


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


class _Part(NamedTuple):
    """What of a document one call reads.

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


class Slice(_Part):
    """A document, or a run of its pages, or chosen ones, in one call.

    A tuple with a dictionary, as a member of a corpus is.
    """

    @kept
    def most_tokens(self) -> int:
        """With the most that its pictures may count."""
        return self.tokens + self.images.tokens_max

    @kept
    def told(self) -> tuple[str, str]:
        """Its opening block and its identity: what a prefix is known by."""
        return packing.open_document(self.ordinal, self.filename), self.identity

    @kept
    def least_tokens(self) -> int:
        """With the least."""
        return self.tokens + self.images.tokens_min

    def reads(self, number: int) -> bool:
        """Whether a page is among those that are read."""
        return any(first <= number <= last for first, last in self.runs)

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """First and last page of each run that is read."""
        return self.chosen.runs if self.chosen else ((self.first, self.last),)


def whole_slice(member: Member) -> Slice:
    """Return all of a document, as it is packed: the same one each time."""
    return once(member, _whole)


def _whole(member: Member) -> Slice:
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


class PageTooLarge(Exception):
    """One page alone passes what a call of a split may hold."""

    def __init__(self, why: Obstacle) -> None:
        super().__init__(why.because)
        self.why = why


def cut(
    member: Member, page_tokens: Sequence[int], page_images: Mapping[int, Images], capacity: int
) -> list[Slice]:
    """Cut a document between pages into runs that fit, each with the document's tags around it.

    Raises:
        PageTooLarge: one page alone does not fit.
    """
    room = capacity - member.wrapper_tokens
    runs: list[tuple[int, int]] = []
    first, held = 1, 0
    for number, text_tokens in enumerate(page_tokens, 1):
        tokens = text_tokens + page_images.get(number, NO_IMAGES).tokens_max
        if tokens > room:
            raise PageTooLarge(obstacles.page_too_large(member, number, tokens=tokens, room=room))
        if held + tokens > room:
            runs.append((first, number - 1))
            first, held = number, 0
        held += tokens
    runs.append((first, len(page_tokens)))
    return [
        Slice(
            document_id=member.document_id,
            ordinal=member.ordinal,
            filename=member.filename,
            first=start,
            last=end,
            tokens=sum(page_tokens[start - 1 : end]) + member.wrapper_tokens,
            identity=f"{member.identity}:{start}-{end}",
            manner=member.manner,
            images=sum_of(page_images.get(number, NO_IMAGES) for number in range(start, end + 1)),
        )
        for start, end in runs
    ]

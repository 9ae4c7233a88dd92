"""Pages of lists: how many at once, where a list goes on, and what is no cursor of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import AfterValidator

from service.api.schemas import Listing

T = TypeVar("T")

MAX_PLACE = 2**31 - 1

Size = Annotated[int, Query(ge=1, le=1000)]
"""Of a list without end."""

Part = Annotated[int | None, Query(ge=1, le=MAX_PLACE, alias="limit", description="All of them unless told.")]
"""Of a list that is shown whole unless it is asked for in parts."""

Place = Annotated[int, Query(ge=0, le=MAX_PLACE, alias="after", description="The `next` of the part before.")]


def cursor(*beginnings: str) -> Callable[[str | None], str | None]:
    """Return what refuses the cursors of other lists.

    Args:
        beginnings: of the ids in the list, such as `doc_`.
    """

    def checked(after: str | None) -> str | None:
        if after and not after.startswith(beginnings):
            raise ValueError("this is no cursor of this list: send the `next` of the page before")
        return after

    return checked


AfterDocument = Annotated[str | None, AfterValidator(cursor("doc_"))]
AfterCorpus = Annotated[str | None, AfterValidator(cursor("cor_"))]
AfterAnswer = Annotated[str | None, AfterValidator(cursor("ans_"))]
AfterConversation = Annotated[str | None, AfterValidator(cursor("cnv_"))]
AfterBatch = Annotated[str | None, AfterValidator(cursor("bat_"))]
AfterFile = Annotated[str | None, AfterValidator(cursor("file-", "doc_"))]
AfterKey = Annotated[str | None, AfterValidator(cursor("key_"))]


def part(rows: Sequence[T], after: int, limit: int | None) -> tuple[list[T], str | None]:
    """Return so many rows behind a place, and the cursor of what follows; None at the end."""
    end = len(rows) if limit is None else after + limit
    return list(rows[after:end]), str(end) if end < len(rows) else None


def listed(rows: Sequence[T], after: int, limit: int | None) -> Listing[T]:
    """Return the same as a page of the list."""
    shown, following = part(rows, after, limit)
    return Listing(data=shown, has_more=following is not None, next=following)

"""The members of corpora as they were last read: for the same rows, the same objects.

Rows are compared value by value, so nothing can be out of date: what was worked out of a member serves as
long as its document stays what it is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from service.domain.corpora import Member
from service.domain.documents import DocumentStatus
from service.domain.manner import NO_IMAGES, WHOLE

MOST_MEMBERS = 20_000
"""That are kept of all corpora together, some 2 KB each."""

_STATUSES = {status.value: status for status in DocumentStatus}
"""Looking one up is ten times as fast as making it of its value, which a corpus of thousands feels."""

Rows = Sequence[tuple[Any, ...]]


class Rosters:
    """The last rows of each corpus with the members made of them, for any number of threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[Rows, list[Member]]] = OrderedDict()
        self._guard = threading.Lock()

    def members(self, corpus_id: str, rows: Rows) -> list[Member]:
        """Return a corpus's members.

        Args:
            corpus_id: whose.
            rows: as the driver returns them: a member's fields in order, the status and whether it was
                uploaded in the database's own values.
        """
        with self._guard:
            known, held = self._held.get(corpus_id, ((), []))
        if known != rows:
            before = dict(zip(known, held, strict=True))
            held = [before.get(row) or _member(row) for row in rows]
            self._keep(corpus_id, rows, held)
        return list(held)

    def _keep(self, corpus_id: str, rows: Rows, held: list[Member]) -> None:
        with self._guard:
            self._held[corpus_id] = rows, held
            self._held.move_to_end(corpus_id)
            while len(self._held) > 1 and sum(len(one) for one, _ in self._held.values()) > MOST_MEMBERS:
                self._held.popitem(last=False)


def _member(row: tuple[Any, ...]) -> Member:
    member = Member._make((*row, WHOLE, NO_IMAGES))
    return member._replace(status=_STATUSES[row[3]], uploaded=bool(member.uploaded))

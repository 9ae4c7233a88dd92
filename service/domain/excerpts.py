"""The stretch of a page that says most of what is looked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from service.domain import terms

CHARS = 400
"""Of an excerpt, about."""

_PIECE = re.compile(r"\S{1,40}")


def excerpt(text: str, wanted: Collection[str]) -> str:
    """Return the text's first stretch of `CHARS` that holds most of the terms, at whole words, in one line.

    What is left out on either side is an ellipsis.
    """
    pieces = [
        (one.start(), one.end(), frozenset(terms.of_text(one.group())) & frozenset(wanted))
        for one in _PIECE.finditer(text)
    ]
    if not pieces:
        return ""
    first, last = _best(pieces)
    said = " ".join(text[pieces[first][0] : pieces[last][1]].split())
    return f"{'… ' if first else ''}{said}{' …' if last < len(pieces) - 1 else ''}"


def _best(pieces: list[tuple[int, int, frozenset[str]]]) -> tuple[int, int]:
    """Return the first and the last piece of the stretch: by different terms, then by how many."""
    held: Counter[str] = Counter()
    best, first, last, start = (0, 0), 0, 0, 0
    for end, (_, stop, said) in enumerate(pieces):
        held.update(said)
        while stop - pieces[start][0] > CHARS:
            held.subtract(pieces[start][2])
            start += 1
        score = (sum(count > 0 for count in held.values()), held.total())
        if score > best:
            best, first, last = score, start, end
    while last + 1 < len(pieces) and pieces[last + 1][1] - pieces[first][0] <= CHARS:
        last += 1
    return first, last

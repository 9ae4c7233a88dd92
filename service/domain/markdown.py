"""Text of documents and models as plain words in Markdown: nothing in it links, loads or builds structure.

Written for CommonMark 0.31 (2.4, backslash escapes) and GitHub's extensions: tables, autolinks, formulas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&#@$]")
_SCHEME = re.compile(r":(?=//)|(?<=mailto):|(?<=xmpp):", re.IGNORECASE)
_WWW = re.compile(r"(?<=www)\.", re.IGNORECASE)
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ue000]")
"""Controls, and what turns the direction of the text behind it; and the sign that stands for a mark below."""

_OPENING = re.compile(r"(\d{1,9})(?=[.)](?:\s|$))|(?=[-+=:](?:[-+=:|\s]|$))")
"""What could begin a list, a rule, a table or a heading's underline, at the start of a line."""

_ITEM = re.compile(r"([-*+]|\d{1,9}[.)])[ \t]+(?=\S)")
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]*[^*\s])\*\*")
_PLACE = "\ue000"
"""Stands for a mark while the text around it is escaped."""


def inline(text: str) -> str:
    """Return text as plain words of one line: for a name, a table's cell, a heading."""
    return _not_opening(_escaped(_spaced(_shown(text)).strip()))


def quoted(text: str) -> str:
    """Return text as a block quote that keeps its lines; nothing in it ends the quote."""
    return "\n".join(f"> {inline(line)}  " for line in text.splitlines() or [""])


def prose(text: str, marks: Sequence[tuple[int, int, str]] = ()) -> str:
    """Return a model's text with its paragraphs, lists and bold words; of its other markup only the letters.

    Args:
        text: what the model said.
        marks: stretches of it, in order, with the Markdown that takes their place, brackets escaped.
    """
    pieces: list[str] = []
    at = 0
    for start, end, _ in marks:
        pieces.append(_shown(text[at:start]))
        at = end
    shown = _PLACE.join([*pieces, _shown(text[at:])])
    first, *rest = "\n".join(map(_line, shown.splitlines())).split(_PLACE)
    return first + "".join(markdown + after for (_, _, markdown), after in zip(marks, rest, strict=True))


def _line(line: str) -> str:
    said = _spaced(line).strip()
    if not said:
        return ""
    item = _ITEM.match(said)
    if item is None:
        return f"{_bold_kept(said)}  "
    marker = item[1] if item[1][0].isdigit() else "-"
    return f"{marker} {_bold_kept(said[item.end() :])}  "


def _bold_kept(line: str) -> str:
    parts = _BOLD.split(line)
    return _not_opening(
        "".join(f"**{_escaped(p)}**" if at % 2 else _escaped(p) for at, p in enumerate(parts))
    )


def _shown(text: str) -> str:
    return _UNSEEN.sub("", text)


def _spaced(line: str) -> str:
    return re.sub(r"\s+", " ", line)


def _escaped(text: str) -> str:
    return _WWW.sub(r"\\.", _SCHEME.sub(r"\\:", _SPECIAL.sub(r"\\\g<0>", text)))


def _not_opening(line: str) -> str:
    return _OPENING.sub(r"\1\\", line, count=1) if _OPENING.match(line) else line

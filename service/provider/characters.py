"""Whole characters out of strings that a server has cut anywhere: what is shown is always Unicode."""

from __future__ import annotations

import re

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def whole(text: str) -> str:
    """The text with halves of a character joined; a half alone, or NUL, which no database takes: U+FFFD.

    JSON may name a character beyond U+FFFF by its two UTF-16 halves (RFC 8259, section 7), and a server that
    counts in UTF-16 may cut between them.
    """
    if not _NOT_TEXT.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", "\ufffd")


class Characters:
    """Pieces of a text go in, whole characters come out: a half at a piece's end waits for the next piece."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """The characters that are whole by now."""
        if not self._held and not _NOT_TEXT.search(piece):
            return piece
        text = self._held + piece
        self._held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return whole(text[: len(text) - len(self._held)])

    def close(self) -> str:
        """What the end leaves: U+FFFD for a half whose other half never came."""
        held, self._held = self._held, ""
        return whole(held)

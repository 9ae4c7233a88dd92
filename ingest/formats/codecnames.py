"""Which of Python's codecs are character encodings that a file may say it is written in."""

from __future__ import annotations

import codecs
from typing import Final

_NO_CHARSETS: Final = {"unicode-escape", "raw-unicode-escape", "unicode_escape", "raw_unicode_escape"} | {
    *("idna", "punycode", "undefined", "utf-16", "utf-32")
}


def is_text(codec: str) -> bool:
    """Whether Python knows the character encoding, and it is one that texts are written in."""
    try:
        return codecs.lookup(codec).name not in _NO_CHARSETS and not "".encode(codec)
    except (LookupError, ValueError):
        return False

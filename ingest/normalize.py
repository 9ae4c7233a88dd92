"""Text as it is stored, counted, sent and quoted: cleaned once, so that all four are the same characters."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

MAX_MARKS: Final = 30
"""Combining marks kept after one letter: the bound of Unicode's stream-safe text format (UAX #15)."""
MAX_BLANKS: Final = 64
"""Blanks (spaces and tabs) kept in a row before anything else; more would be dear and break tokenizers."""
MAX_INDENT: Final = 16
"""Leading spaces kept on a line, so that code, Markdown and indented lists keep their shape."""

_SPECIAL: Final = re.compile(
    "[\0\1\3-\x08\v\f\x0e-\x1f\x7f-\xa0\xad\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u2060-\u2064\u3000"
    "\ud800-\udfff\ufb00-\ufb06\ufeff\uffff]"
)
"""Every character that is replaced or dropped; the rest of them, which `_REPLACEMENTS` does not name, go."""
_REPLACEMENTS: Final = {
    **dict.fromkeys("\v\f\x85\u2028\u2029", "\n"),
    **dict.fromkeys("\xa0\u1680\u202f\u205f\u3000", " "),
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), " "),
    **dict(zip("ﬀﬁﬂﬃﬄﬅﬆ", ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True)),
    **dict.fromkeys(map(chr, range(0xD800, 0xE000)), "\ufffd"),
}

# pdfium writes a hyphen that ends a line as U+FFFE or U+0002, then a line end or nothing.
_BROKEN_WORD: Final = re.compile(
    "[\ufffe\2][ \t]*\n[ \t]*"
    "([^ \t\n\ufffe\2]+(?:[\ufffe\2][ \t]*\n[ \t]*[^ \t\n\ufffe\2]+)*)"
    "(?:[ \t]*\n|[ \t]+)?"
)
_BREAK: Final = re.compile("[\ufffe\2][ \t]*\n[ \t]*(.)")
_LAST_HYPHEN: Final = re.compile("[\ufffe\2](?=[ \t]*(?:\n|\\Z))")
_JOINED_WORD: Final = re.compile(r"(?<=\w)[\ufffe\2](\w)")
_HYPHEN_MARK: Final = re.compile("[\ufffe\2]")

# A cheap search first: the blocks that hold marks, without the large ones that hold letters alone.
_MAYBE_MARKS: Final = re.compile(
    f"[\u0300-\u036f\u0483-\u302f\u3099\u309a\ua66f-\uabff\ufb1e-\U0010ffff]{{{MAX_MARKS + 1}}}"
)
_BLANK_RUN: Final = re.compile(f"([ \t]{{{MAX_BLANKS}}})[ \t]+")
_LINE_TAIL: Final = re.compile("(?<![ \t])[ \t]+(?=\n|\\Z)")
_WIDE_GAP: Final = re.compile("(?<=[^ \n])   +")
_DEEP_INDENT: Final = re.compile(f"^( {{{MAX_INDENT}}}) +", re.MULTILINE)
_BLANK_LINES: Final = re.compile("\n{4,}")


def normalize(text: str) -> str:
    r"""Clean a page's or section's text.

    The result is NFC, can be encoded as UTF-8, breaks lines with `\n` alone, and cleaning it again changes
    nothing. Takes any string, in linear time.

    - Unicode's spaces become a space, its line and paragraph ends a line end.
    - Control characters, soft hyphens, zero-width spaces, invisible operators and byte order marks go; tabs
      and joiners stay.
    - Words that pdfium marks as broken at a line end are joined; typographic ligatures are spelled out.
    - Lone surrogates become U+FFFD.
    - Inside a line at most two spaces in a row, before it at most `MAX_INDENT`, none after it; at most two
      blank lines in a row, none at the ends.
    """
    text = _plain_characters(text)
    text = _whole_words(text)
    text = _composed(text)
    return _tidy_blanks(text)


def _plain_characters(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SPECIAL.sub(lambda match: _REPLACEMENTS.get(match[0], ""), text)


def _whole_words(text: str) -> str:
    if "\ufffe" not in text and "\2" not in text:
        return text
    text = _BROKEN_WORD.sub(_joined, text)
    text = _LAST_HYPHEN.sub("-", text)
    text = _JOINED_WORD.sub(_with_hyphen, text)
    return _HYPHEN_MARK.sub("", text)


def _joined(match: re.Match[str]) -> str:
    """The word in one piece and the line end after it; a hyphen stays before a capital or a digit."""
    return _BREAK.sub(_with_hyphen, match[0].rstrip()) + "\n"


def _with_hyphen(end: re.Match[str]) -> str:
    return end[1] if end[1].islower() else f"-{end[1]}"


def _composed(text: str) -> str:
    """NFC. Long runs of marks are cut first, because ordering them costs the square of their number."""
    if text.isascii():
        return text
    text = _bounded_marks(text)
    if unicodedata.is_normalized("NFC", text):
        return text
    return _bounded_marks(unicodedata.normalize("NFC", text))


def _bounded_marks(text: str) -> str:
    if _MAYBE_MARKS.search(text) is None:
        return text
    return _long_mark_run().sub(r"\1", text)


@cache
def _long_mark_run() -> re.Pattern[str]:
    """Built on first use from Python's own Unicode tables: some ten milliseconds, once."""
    letters = map(chr, range(0x300, 0x20000))
    marks = "".join(letter for letter in letters if unicodedata.combining(letter))
    return re.compile(f"([{marks}]{{{MAX_MARKS}}})[{marks}]+")


def _tidy_blanks(text: str) -> str:
    """Each step is guarded by a plain search, ten times cheaper than the pattern that would find nothing."""
    if "\t" in text or "   " in text:
        text = _BLANK_RUN.sub(r"\1", text)
    if " \n" in text or "\t\n" in text or text.endswith((" ", "\t")):
        text = _LINE_TAIL.sub("", text)
    if "   " in text:
        text = _WIDE_GAP.sub("  ", text)
        text = _DEEP_INDENT.sub(r"\1", text)
    if "\n\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n\n", text)
    return text.strip("\n")

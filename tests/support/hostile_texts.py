"""Texts, tables and markup made to exhaust or mislead their reader, each in one way."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MEGABYTE: Final = 1_000_000


def _saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def spaces(path: Path) -> Path:
    """A million spaces between two words."""
    return _saved(path, b"before" + b" " * MEGABYTE + b"after")


def line_ends(path: Path) -> Path:
    """Ten million line ends between two words."""
    return _saved(path, b"before" + b"\n" * 10 * MEGABYTE + b"after")


def one_word(path: Path) -> Path:
    """One word of ten megabytes."""
    return _saved(path, b"abcdefghij" * MEGABYTE)


def one_letter(path: Path) -> Path:
    """One letter, five million times."""
    return _saved(path, b"a" * 5 * MEGABYTE)


def marks(path: Path) -> Path:
    """A megabyte of marks above one letter, of two classes that take turns."""
    return _saved(path, b"Still here a" + "\u0301\u0323".encode() * (MEGABYTE // 4))


def directions(path: Path) -> Path:
    """Overrides of the direction, opened a million times."""
    return _saved(path, b"Still here " + "\u202e\u2067\u202d".encode() * (MEGABYTE // 3) + b"end")


def surrogates(path: Path) -> Path:
    """Halves of characters, as UTF-8 forbids them."""
    return _saved(path, b"Still here \xed\xa0\x80\xed\xb0\x80 \xed\xbf\xbf end \xe2\x82 \xff\xfe\n" * 1_000)


def nuls(path: Path) -> Path:
    """A NUL here and there."""
    return _saved(path, b"Still here, and here, and here, and here, and here, and so on.\0\n" * 10_000)


def utf16_unmarked(path: Path) -> Path:
    """UTF-16 that does not say so."""
    return _saved(path, "Still here, in sixteen bits.\n".encode("utf-16-le") * 10_000)


def utf7(path: Path) -> Path:
    """Markup hidden in UTF-7."""
    return _saved(path, b"Still here +ADw-script+AD4-alert(1)+ADw-/script+AD4-\n" * 1_000)


def deep_groups(path: Path) -> Path:
    """RTF groups in groups, a million deep."""
    return _saved(path, rb"{\rtf1 Still here " + b"{" * MEGABYTE + b"deep" + b"}" * MEGABYTE + b"}")


def open_groups(path: Path) -> Path:
    """RTF groups that nothing closes."""
    return _saved(path, rb"{\rtf1 Still here " + b"{\\b " * MEGABYTE)


def lying_binary(path: Path) -> Path:
    """RTF whose binary data says it has two gigabytes."""
    return _saved(path, rb"{\rtf1 Still here {\pict\bin2147483647 abc}}")


def deep_markup(path: Path) -> Path:
    """Boxes in boxes, a hundred thousand deep."""
    return _saved(path, b"<html><body>" + b"<div>" * 100_000 + b"Still here")


def deep_inline(path: Path) -> Path:
    """Bold in bold in table in table, a hundred thousand deep, which a parser takes along into each cell."""
    return _saved(path, b"<html><body>" + b"<b><table><td>" * 100_000 + b"Still here")


def open_comments(path: Path) -> Path:
    """Comments, scripts and attributes that nothing ends, a million of them."""
    return _saved(path, b"<html><body><p>Still here</p>" + b'<!-<!--<script <a href="' * 250_000)


def multiplying_table(path: Path) -> Path:
    """Cells that claim a thousand columns and a thousand rows each."""
    cells = b'<td colspan="1000" rowspan="65534">Still here</td>' * 200
    return _saved(path, b"<html><body><table>" + (b"<tr>" + cells + b"</tr>") * 200 + b"</table>")


def many_attributes(path: Path) -> Path:
    """One element with two hundred thousand attributes."""
    listed = b" ".join(b"a%d=1" % number for number in range(200_000))
    return _saved(path, b"<html><body><p " + listed + b">Still here</p>")


def markup_entities(path: Path) -> Path:
    """Entities that multiply, and one that is a file, in a page."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<!DOCTYPE html [<!ENTITY l0 "ha">{entities}<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    return _saved(path, f"{head}<html><body><p>Still here &l9; &f;</p></body></html>".encode())


def long_line(path: Path) -> Path:
    """A table of one line of fifty megabytes."""
    return _saved(path, b"Still here," + b"cell," * (10 * MEGABYTE))


def one_cell(path: Path) -> Path:
    """A table whose one cell is opened and never closed."""
    return _saved(path, b'a,b\n1,"Still here ' + b"line\n" * MEGABYTE)


def many_columns(path: Path) -> Path:
    """A table of a million columns and three rows."""
    return _saved(path, b"Still here" + (b",x" * MEGABYTE + b"\n") * 3)


def empty_columns(path: Path) -> Path:
    """A table of fifty million empty cells."""
    return _saved(path, b"Still here" + (b"," * 1_000 + b"\n") * 50_000)


def quotes(path: Path) -> Path:
    """Ten million quotation marks."""
    return _saved(path, b"Still here," + b'"' * 10 * MEGABYTE + b"\n")


def many_lines(path: Path) -> Path:
    """Ten million rows of one cell."""
    return _saved(path, b"x\n" * 10 * MEGABYTE)

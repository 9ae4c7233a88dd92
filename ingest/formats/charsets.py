"""Guessing the encoding of text that names none; imports charset-normalizer alone."""

from __future__ import annotations

import codecs
from dataclasses import replace
from pathlib import Path
from typing import Final

from charset_normalizer import from_bytes

from ingest.formats.plain import Encoding, checked, find_encoding

_LOOKED_AT: Final = 32_768
_WESTERN: Final = "windows-1252"
# Trusted for other scripts than Latin, which the guess tells apart well; Latin encodings it does not.
_TRUSTED: Final = {
    **dict.fromkeys(("cp932", "shift_jis", "shift_jis_2004", "shift_jisx0213"), "cp932"),
    **dict.fromkeys(("euc_jp", "euc_jis_2004", "euc_jisx0213"), "euc_jp"),
    **dict.fromkeys(("gb2312", "gbk", "gb18030", "hz"), "gb18030"),
    **dict.fromkeys(("big5", "cp950", "big5hkscs"), "big5hkscs"),
    **dict.fromkeys(("euc_kr", "cp949", "johab"), "cp949"),
    **{name: name for name in ("cp1251", "koi8_r", "koi8_u", "cp866", "cp1253", "cp1255", "cp1256", "cp874")},
    "iso8859_5": "iso8859_5",
    "iso8859_7": "iso8859_7",
    "iso8859_8": "iso8859_8",
    "tis_620": "tis_620",
}


def guess_encoding(path: Path) -> Encoding:
    """Choose the encoding as `find_encoding`, but look among the world's others before windows-1252."""
    found = find_encoding(path)
    if not found.guessed:
        return found
    with path.open("rb") as file:
        head = _foreign_part(file.read(_LOOKED_AT * 8))
    best = from_bytes(head).best()
    name = _TRUSTED.get(best.encoding if best is not None else "", _WESTERN)
    guess = replace(checked(path, codecs.lookup(name).name), guessed=True)
    return guess if guess.undecodable <= found.undecodable else found


def _foreign_part(data: bytes) -> bytes:
    """The lines that hold more than ASCII, as many as are looked at."""
    lines, size = [], 0
    for line in data.splitlines(keepends=True):
        if not line.isascii() and size < _LOOKED_AT:
            lines.append(line)
            size += len(line)
    return b"".join(lines)[: 2 * _LOOKED_AT]

"""The encoding that a text file names itself, in its first lines."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

from ingest.formats.codecnames import is_text
from ingest.formats.plain import Encoding, checked

_WITHIN: Final = 4_096
_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What these names mean in the wild (WHATWG Encoding Standard, section 4.2).
_MEANT: Final = {
    **dict.fromkeys(("iso-8859-1", "latin1", "ascii", "us-ascii"), "windows-1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987"), "cp949"),
    **dict.fromkeys(("utf-16", "utf-16le", "utf-16be"), "utf-8"),
}


def declared_encoding(path: Path, pattern: re.Pattern[bytes]) -> Encoding | None:
    """Return the encoding whose name is the pattern's first group in the file's first 4 KB.

    None where there is no such name, it is none of a character encoding, or a byte order mark speaks first.
    """
    with path.open("rb") as file:
        head = file.read(_WITHIN)
    found = pattern.search(head)
    if found is None or head.startswith(_MARKS):
        return None
    name = found[1].decode("ascii").lower()
    name = _MEANT.get(name, name)
    return checked(path, name) if is_text(name) else None

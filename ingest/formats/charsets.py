"""Guessing the encoding of text that names none; imports charset-normalizer alone.

Two guesses. Words that mix ASCII letters with bytes beyond ASCII are those of a Latin alphabet, and which one
is told by its languages' letters. Words of such bytes alone are of another script, and charset-normalizer
tells those apart well.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from charset_normalizer import from_bytes

WESTERN: Final = "windows-1252"
"""What text in no other encoding is read as: most such text is, and none of it is lost."""

_WINDOWS: Final = 8
_WINDOW_BYTES: Final = 65_536
_LOOKED_AT: Final = 16_384
_LONGEST: Final = 4
_BEYOND: Final = re.compile(rb"[\x80-\xff]+")
_SAFE_END: Final = re.compile(rb"[\t-\r -/:-?]")
"""Bytes that are no part of a longer character in any encoding here."""
_SHIFTS: Final = (b"\x1b$B", b"\x1b$@", b"\x1b$(D")
_FOREIGN_SHARE: Final = 0.6
"""In Latin alphabets hardly a word has more of its bytes beyond ASCII; in other scripts almost every one."""

_OTHER_SCRIPTS: Final = {
    "cp932": "cp932",
    "euc_jis_2004": "euc_jis_2004",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "cp949": "cp949",
    **{name: name for name in ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic")},
    **{name: name for name in ("cp1253", "cp1255", "cp1256", "cp874", "iso8859_7")},
}
"""What charset-normalizer may answer → the codec, which is the widest of its family."""

_LATIN_LETTERS: Final = (
    ("windows-1252", "äöüß", "éèêëàâçîïôùûœæ", "áéíóúñüªº", "àèéìíòóùú", "ãõáéíóúâêôàç", "åäöé", "æøåé"),
    ("windows-1252", "áéíóúýþæðö", "éëïóöü", "àçéèíïòóúü·"),
    ("windows-1250", "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ"),
    ("iso8859-2", "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ"),
    ("windows-1254", "çğıöşüâîû"),
    ("windows-1257", "ąčęėįšųūž", "āčēģīķļņšūž", "äöõüšž"),
    ("windows-1258", "àáâãèéêìíòóôõùúýăđĩũơư\u0300\u0301\u0303\u0309\u0323"),
    ("cp850", "äöüß", "éèêëàâçîïôùû", "áéíóúñü", "åäö", "æøå"),
    ("cp852", "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áéíóöőúüű"),
    ("mac-roman", "äöüß", "éèêëàâçîïôùûœæ", "áéíóúñü", "åäö", "æøå"),
)
"""Encodings of Latin alphabets, each with the letters beyond ASCII of some of its languages (CLDR's main
letters). Of encodings that do equally well the first is taken."""
_SIGNS: Final = frozenset("‘’‚“”„–—…•‹›«»€£§©®°·¿¡™\xa0´¨½¼²³ªº×µ")  # noqa: RUF001 - these very signs

_BEFORE_SHARP_S: Final = frozenset("aeiouäöüy")
"""German writes ß after these alone; where OEM encodings have it, Windows' own has á."""


def guess(path: Path) -> str:
    """Return the codec that the file, known not to be UTF-8, is likely written in; `WESTERN` if in doubt."""
    sample = b"".join(_foreign_lines(path))
    name = _latin(sample) if _is_latin(sample) else _other_script(sample)
    return codecs.lookup(name).name


def is_shifted(data: bytes) -> bool:
    """Whether these bytes, all of them ASCII, are Japanese by escape sequences (ISO-2022-JP, RFC 1468)."""
    return any(shift in data for shift in _SHIFTS) and b"\x1b(" in data


def _foreign_lines(path: Path) -> Iterator[bytes]:
    """Yield lines with more than ASCII from windows spread over those that have any."""
    with path.open("rb") as file:
        windows = iter(lambda: file.read(_WINDOW_BYTES), b"")
        foreign = [number for number, window in enumerate(windows) if not window.isascii()]
        for number in foreign[:: len(foreign) // _WINDOWS + 1]:
            file.seek(number * _WINDOW_BYTES)
            lines = _whole(file.read(_WINDOW_BYTES), at_start=number == 0)
            yield b"".join(line for line in lines if not line.isascii())[:_LOOKED_AT]


def _whole(window: bytes, *, at_start: bool) -> list[bytes]:
    """The lines of a window, without the rest of a character that began before it."""
    found = None if at_start else _SAFE_END.search(window)
    return window[found.end() if found else 0 :].splitlines(keepends=True)


def _is_latin(sample: bytes) -> bool:
    """Whether the words with bytes beyond ASCII hold ASCII letters as well."""
    words = [word for word in _SAFE_END.split(sample) if len(word) > 1 and not word.isascii()]
    beyond = sum(len(run) for word in words for run in _BEYOND.findall(word))
    return beyond <= _FOREIGN_SHARE * sum(map(len, words))


def _latin(sample: bytes) -> str:
    """Return the encoding whose letters explain the most bytes beyond ASCII."""
    counts = Counter(sample.translate(None, bytes(range(128))))
    after_small = Counter(pair[1] for pair in re.findall(rb"[a-z][\x80-\xff]", sample))
    choices = [(name, letters) for name, *languages in _LATIN_LETTERS for letters in languages]
    return max(choices, key=lambda choice: _explained(counts, after_small, *choice))[0]


def _explained(counts: Counter[int], after_small: Counter[int], name: str, letters: str) -> int:
    """Bytes that are letters of the language less those that are nothing it uses; signs count for nothing.

    A capital behind a small letter is nothing that any language uses.
    """
    explained = 0
    for byte, count in counts.items():
        char = bytes([byte]).decode(name, "replace")
        if char.lower() in letters:
            misplaced = after_small[byte] if char.isupper() else 0
            explained += count - 2 * misplaced
        elif char not in _SIGNS:
            explained -= count
    return explained


def _other_script(sample: bytes) -> str:
    """Ask charset-normalizer, which wants whole characters: the last may be cut off."""
    for length in range(len(sample), max(0, len(sample) - _LONGEST), -1):
        best = from_bytes(sample[:length], cp_isolation=list(_OTHER_SCRIPTS)).best()
        if best is not None:
            return _OTHER_SCRIPTS.get(best.encoding, WESTERN)
    return WESTERN


def guess_name(names: bytes, *western: str) -> str:
    """Return the encoding of file names, one a line: UTF-8, a script's own, or a Western one.

    Of the Western ones given it is that which best makes words of letters, the first of equals.
    """
    try:
        names.decode("utf-8")
    except UnicodeDecodeError:
        script = WESTERN if _is_latin(names) else _other_script(names[:_LOOKED_AT])
        return _western(names[:_LOOKED_AT], western) if script == WESTERN else script
    return "utf-8"


def _western(names: bytes, encodings: Sequence[str]) -> str:
    languages = [letters for name, *rows in _LATIN_LETTERS if name == WESTERN for letters in rows]
    texts = {name: names.decode(name, "replace") for name in encodings}
    return max(encodings, key=lambda name: max(_spelt(texts[name], letters) for letters in languages))


def _spelt(text: str, letters: str) -> int:
    """Return how many characters beyond ASCII are letters in their place, less those that are not."""
    spelt = 0
    for before, char in pairwise(f" {text}"):
        if char.lower() in letters:
            misplaced = before.islower() if char.isupper() else char == "ß" and before not in _BEFORE_SHARP_S
            spelt += -1 if misplaced else 1
        elif char not in _SIGNS and not char.isascii():
            spelt -= 1
    return spelt

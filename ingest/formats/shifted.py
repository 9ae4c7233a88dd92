"""Text whose bytes are all ASCII and whose meaning shifts by sequences in it: ISO-2022, HZ, UTF-7."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = ("iso-2022-", "iso2022", "csiso2022", "hz", "utf-7", "utf7", "cp5022")
_JAPANESE: Final = ("iso-2022-jp", "iso2022_jp", "iso2022jp", "csiso2022jp", "cp5022")
_CODEC: Final = "iso2022_jp_2"
_SEQUENCE: Final = re.compile(rb"(\x1b\$\([A-Z]|\x1b[$(][@-Z]|[\n\x0e\x0f])")
# What an escape sequence shifts to (ISO-IR 87, 42, 13 and 159).
_KANJI: Final = {b"\x1b$B", b"\x1b$@"}
_KATAKANA: Final = {b"\x1b(I", b"\x0e"}
_MORE_KANJI: Final = {b"\x1b$(D"}
_BLANK: Final = 0x20
# Shift_JIS leaves out the bytes from A0 to DF in the first place and 7F in the second.
_GAP_FROM, _SKIPPED_FROM = 0x5E, 0x5F


def is_stateful(charset: str) -> bool:
    """Whether text in this encoding looks like sound ASCII when it is read as anything else."""
    return charset.startswith(_NAMES)


def is_japanese(charset: str) -> bool:
    """Whether it is ISO-2022-JP or one of its kin."""
    return charset.startswith(_JAPANESE)


def japanese(data: bytes) -> tuple[str, bool]:
    """Return ISO-2022-JP as text, and whether none was lost.

    Knows what mail programs write beyond RFC 1468: half-width katakana and the characters of NEC and IBM
    (WHATWG Encoding Standard, section 12.2), which Python's codecs do not.
    """
    try:
        text = data.decode(_CODEC)
    except UnicodeDecodeError:
        text = "".join(_runs(data))
    return text, "\ufffd" not in text and "\x1b" not in text


def _runs(data: bytes) -> list[str]:
    """A line begins in ASCII (RFC 1468)."""
    found, shift = list[str](), b""
    for number, run in enumerate(_SEQUENCE.split(data)):
        if number % 2 == 0:
            found.append(_run(run, shift))
            continue
        shift = b"" if run in {b"\n", b"\x0f"} else run
        if run == b"\n":
            found.append("\n")
    return found


def _run(run: bytes, shift: bytes) -> str:
    if shift in _KANJI:
        return "".join(_kanji(run[at : at + 2]) for at in range(0, len(run), 2))
    if shift in _MORE_KANJI:
        codes = b"".join(b"\x8f" + _high(run[at : at + 2]) for at in range(0, len(run), 2))
        return codes.decode("euc_jp", "replace")
    return (_high(run) if shift in _KATAKANA else run).decode("cp932", "replace")


def _high(run: bytes) -> bytes:
    return bytes(byte | 0x80 if byte > _BLANK else byte for byte in run)


def _kanji(pair: bytes) -> str:
    """Return what stands in this row and cell of JIS X 0208, by way of Shift_JIS."""
    if len(pair) < len("ab") or min(pair) <= _BLANK:
        return pair.decode() if pair in {b"\r", b" "} else "\ufffd" * bool(pair)
    row, cell = pair
    lead = (row + 1) // 2 + (0x70 if row <= _GAP_FROM else 0xB0)
    trail = cell + (0x1F + (cell > _SKIPPED_FROM) if row % 2 else 0x7E)
    return bytes((min(lead, 0xFF), min(trail, 0xFF))).decode("cp932", "replace")

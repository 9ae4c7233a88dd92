"""RTF as Outlook packs it ([MS-OXRTFCP])."""

from __future__ import annotations

from struct import unpack_from
from typing import Final

MAX_PACKED: Final = 4 * 1024 * 1024
"""Unpacking goes byte by byte, some seconds for as much."""

_HEADER: Final = 16
_PLAIN, _PACKED = 0x414C454D, 0x75465A4C
_WINDOW: Final = 4_096
# What the window holds before the first byte (2.1.3.1.2).
_START: Final = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript "
    rb"\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def unpacked(data: bytes) -> bytes:
    """Return the RTF, as much of it as is there; b"" where it is no packed RTF or too much of one."""
    if len(data) < _HEADER:
        return b""
    raw_size, kind = unpack_from("<II", data, 4)
    if kind == _PLAIN:
        return data[_HEADER : _HEADER + raw_size]
    return _unpacked(data)[:raw_size] if kind == _PACKED and len(data) <= MAX_PACKED else b""


def _unpacked(data: bytes) -> bytes:
    """Follow runs of eight tokens: a byte, or a place in the window and a length (2.1.3.1.3)."""
    window, place = bytearray(_START.ljust(_WINDOW, b"\0")), len(_START)
    made, at = bytearray(), _HEADER
    while at < len(data):
        control, at = data[at], at + 1
        for bit in range(8):
            if not control >> bit & 1:
                run, at = data[at : at + 1], at + 1
            else:
                token, at = int.from_bytes(data[at : at + 2], "big"), at + 2
                start = token >> 4
                if at > len(data) or start == place:
                    return bytes(made)
                run = _run(window, start, place, (token & 0xF) + 2)
            for byte in run:
                window[place] = byte
                place = (place + 1) % _WINDOW
            made += run
    return bytes(made)


def _run(window: bytearray, start: int, place: int, length: int) -> bytes:
    """Return bytes of the window, where a run that meets its own end repeats itself."""
    ahead = (place - start) % _WINDOW or _WINDOW
    return bytes(window[(start + number % ahead) % _WINDOW] for number in range(length))

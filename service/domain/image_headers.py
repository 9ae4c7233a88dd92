"""What a picture's file says of itself in its first bytes: its format and its size in pixels.

Nothing is decoded, so no picture is too large to be looked at, and none can take memory or time.
Sources: PNG (ISO/IEC 15948, 11.2.2), GIF89a (18), JPEG (ITU-T T.81, B.2.2), WebP (RFC 9649, 2.3 to 2.7).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

MAX_PIXELS: Final = 200_000_000
"""No camera makes more, and no provider decodes more."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that tell a frame's size: SOF0 to SOF15, without DHT, JPG and DAC."""
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers of JPEG that no length follows."""
_SCAN, _END = 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class Header:
    """A picture's format and its size in pixels."""

    media_type: str
    width: int
    height: int


class NoPicture(ValueError):
    """The bytes are no PNG, JPEG, WebP or GIF, or are cut off; the text says which."""


def header_of(content: bytes) -> Header:
    """Return what a picture's first bytes say.

    Raises:
        NoPicture: they say nothing, or what they say can't be.
    """
    try:
        header = _header(content)
    except (struct.error, IndexError):
        raise NoPicture("is cut off") from None
    if min(header.width, header.height) < 1:
        raise NoPicture("has no area")
    if header.width * header.height > MAX_PIXELS:
        raise NoPicture(f"says that it has {header.width:,} by {header.height:,} pixels")
    return header


def _header(content: bytes) -> Header:
    if content.startswith(_PNG):
        return _png(content)
    if content.startswith((b"GIF87a", b"GIF89a")):
        return Header("image/gif", *struct.unpack_from("<HH", content, 6))
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    raise NoPicture("is no PNG, JPEG, WebP or GIF")


def _png(content: bytes) -> Header:
    if content[12:16] != b"IHDR":
        raise NoPicture("is damaged")
    at = len(_PNG)
    while content[at + 4 : at + 8] != b"IEND":
        (length,) = struct.unpack_from(">I", content, at)
        at += length + 12
    return Header("image/png", *struct.unpack_from(">II", content, 16))


def _jpeg(content: bytes) -> Header:
    at = 2
    while True:
        if content[at] != 0xFF:  # noqa: PLR2004 - what every marker begins with
            raise NoPicture("is damaged")
        marker = content[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fill bytes
            at += 1
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return Header("image/jpeg", width, height)
        elif marker in {_SCAN, _END}:
            raise NoPicture("is damaged")
        elif marker in _ALONE:
            at += 2
        else:
            (length,) = struct.unpack_from(">H", content, at + 2)
            at += length + 2


def _webp(content: bytes) -> Header:
    (size,) = struct.unpack_from("<I", content, 4)
    if size + 8 > len(content):
        raise NoPicture("is cut off")
    kind = content[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 26))
    else:
        raise NoPicture("is damaged")
    if len(content) < 30:  # noqa: PLR2004 - where the last of these sizes ends
        raise NoPicture("is cut off")
    return Header("image/webp", width, height)

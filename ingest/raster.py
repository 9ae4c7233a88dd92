"""A drawn page as rows of pixels: marks boxes on it and writes it as a PNG."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

CHANNELS: Final = 3
"""Bytes of a pixel: red, green, blue."""

EVEN_SHADES: Final = 24
"""Of 255; what an empty sheet's paper, its shadows and their compression may differ by. Letters may be as
faint, and Tesseract reads them: measured, from a difference of 2."""
NO_SHADES: Final = 6
"""Of 255; nobody sees fainter letters."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_LEVEL: Final = 2
"""zlib's: level 6 takes three times as long and saves a tenth of the bytes."""
_YELLOW: Final = (
    bytes(44 + value * 211 // 255 for value in range(256)),
    bytes(34 + value * 202 // 255 for value in range(256)),
    bytes(value * 96 // 255 for value in range(256)),
)
"""What each channel's values become: white turns yellow, black a brown that shows on dark pages too."""
_EITHER: Final = frozenset([False, True])


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels from `left` up to `right` and from `top` down to `bottom`, the latter two outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True, slots=True)
class Raster:
    """Pixels in memory of someone else, in rows of `stride` bytes of which the first `3 * width` count."""

    width: int
    height: int
    stride: int
    pixels: memoryview

    def row(self, number: int) -> memoryview:
        """The bytes of a row, to read and to change."""
        start = number * self.stride
        return self.pixels[start : start + CHANNELS * self.width]


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A picture in 8-bit grey, row by row without padding."""

    width: int
    height: int
    pixels: bytes

    def upside_down(self) -> Bitmap:
        """The same, turned by 180 degrees."""
        return Bitmap(self.width, self.height, self.pixels[::-1])

    def is_even(self, within: int = EVEN_SHADES) -> bool:
        """Whether its shades lie so close together, as those of an empty sheet of paper."""
        shades = set(self.pixels)
        return max(shades, default=0) - min(shades, default=0) <= within


def merged(boxes: Iterable[Box]) -> list[Box]:
    """Join the boxes of characters that follow each other on a line; lines and columns stay apart.

    Lines may run across the page or, on turned text, up or down it.
    """
    joined: list[Box] = []
    last: Box | None = None
    runs: frozenset[bool] = _EITHER
    for box in boxes:
        runs = frozenset() if last is None else runs & _runs(last, box)
        if runs:
            joined[-1] = joined[-1].union(box)
        else:
            joined.append(box)
            runs = _EITHER
        last = box
    return joined


def mark(raster: Raster, boxes: Iterable[Box]) -> None:
    """Turn the boxes yellow as a marker pen does: what is dark stays readable, nothing is marked twice."""
    rows: dict[int, list[tuple[int, int]]] = {}
    for box in boxes:
        for number in range(max(0, box.top), min(box.bottom, raster.height)):
            rows.setdefault(number, []).append((box.left, box.right))
    for number, stretches in rows.items():
        row = raster.row(number)
        for left, right in _apart(stretches, raster.width):
            _paint(row[CHANNELS * left : CHANNELS * right])


def png(raster: Raster) -> bytes:
    """Return the picture as a PNG of 8-bit RGB (ISO/IEC 15948), rows unfiltered."""
    header = struct.pack(">IIBBBBB", raster.width, raster.height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(_LEVEL)
    parts: list[bytes] = []
    for number in range(raster.height):
        parts += (packer.compress(b"\0"), packer.compress(raster.row(number)))
    data = b"".join((*parts, packer.flush()))
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _runs(last: Box, box: Box) -> frozenset[bool]:
    """In which ways a character follows another: across the page (False), or up or down it (True)."""
    turned = _follows(_turned(last), _turned(box))
    return frozenset([False] * _follows(last, box) + [True] * turned)


def _follows(last: Box, box: Box) -> bool:
    """Whether a character stands beside another on one line, at most about two spaces away."""
    height = min(last.bottom - last.top, box.bottom - box.top)
    shared = min(last.bottom, box.bottom) - max(last.top, box.top)
    gap = max(last.left, box.left) - min(last.right, box.right)
    return shared * 2 > height and gap <= height


def _turned(box: Box) -> Box:
    return Box(box.top, box.left, box.bottom, box.right)


def _apart(stretches: list[tuple[int, int]], width: int) -> Iterator[tuple[int, int]]:
    """The parts of a row that lie in any of the stretches, from left to right, each once."""
    reached = 0
    for left, right in sorted(stretches):
        begin, end = max(left, reached), min(right, width)
        if begin < end:
            yield begin, end
            reached = end


def _paint(stretch: memoryview) -> None:
    for channel, shades in enumerate(_YELLOW):
        stretch[channel::CHANNELS] = bytes(stretch[channel::CHANNELS]).translate(shades)

"""Replies that come compressed although nobody asked for that: unpacked in pieces of bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE_BYTES = 1 << 20
"""Of what is unpacked at a time: a few bytes of a bomb hold gigabytes."""

_EITHER_HEADER = zlib.MAX_WBITS | 32
"""zlib finds out by itself whether it is gzip's format or its own (zlib.net/manual.html, inflateInit2)."""


class NotUnpacked(ValueError):
    """It is compressed in a way that was not asked for and is not understood, or twice, or not at all."""


class Unpacker:
    """Bytes as they come go in, the reply's bytes come out in pieces of bounded size."""

    def __init__(self, encoding: str) -> None:
        """Read the `content-encoding` header; empty for none.

        Raises:
            NotUnpacked: it names anything but gzip or deflate, or several.
        """
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise NotUnpacked("it is compressed, which was not asked for")
        self._inflate = None if name in {"", "identity"} else zlib.decompressobj(_EITHER_HEADER)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that `data` completes.

        Raises:
            NotUnpacked: it is no compressed data.
        """
        if self._inflate is None:
            yield data
            return
        while data:
            try:
                piece = self._inflate.decompress(data, PIECE_BYTES)
            except zlib.error:
                raise NotUnpacked("it says that it is compressed, and is not") from None
            yield piece
            data = self._inflate.unconsumed_tail

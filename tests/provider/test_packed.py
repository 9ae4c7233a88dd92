"""Compressed replies nobody asked for: read in bounded pieces, or refused."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib

import pytest

from service.provider.packed import PIECE_BYTES, NotUnpacked, Unpacker

CONTENT = b"".join(b"data: %d\n\n" % n for n in range(5_000))


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("", CONTENT),
        ("identity", CONTENT),
        ("gzip", gzip.compress(CONTENT)),
        (" GZIP ", gzip.compress(CONTENT)),
        ("x-gzip", gzip.compress(CONTENT)),
        ("deflate", zlib.compress(CONTENT)),
    ],
    ids=["none", "identity", "gzip", "capitals", "x-gzip", "deflate"],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_it_comes_out_as_it_was(encoding: str, sent: bytes, size: int) -> None:
    unpacker = Unpacker(encoding)
    parts = [sent[start : start + size] for start in range(0, len(sent), size)]
    assert b"".join(piece for part in parts for piece in unpacker.feed(part)) == CONTENT


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "rot13"])
def test_what_is_not_understood_is_refused(encoding: str) -> None:
    with pytest.raises(NotUnpacked):
        Unpacker(encoding)


def test_what_is_not_compressed_is_refused() -> None:
    with pytest.raises(NotUnpacked):
        list(Unpacker("gzip").feed(b"data: {}\n\n"))


def test_a_bomb_never_fills_the_memory() -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    tracemalloc.start()
    sizes = [len(piece) for piece in Unpacker("gzip").feed(bomb)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (max(sizes), sum(sizes)) == (PIECE_BYTES, 200_000_000)
    assert peak < 20 * PIECE_BYTES + len(bomb)


def test_what_cannot_be_made_smaller_comes_out_too() -> None:
    content = os.urandom(3 * PIECE_BYTES)
    assert b"".join(Unpacker("gzip").feed(gzip.compress(content))) == content

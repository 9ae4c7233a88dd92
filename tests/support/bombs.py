"""Bytes that unpack to far more than they are: deflated runs of one block, made without packing it all."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Final

GIGABYTE: Final = 1 << 30
_BLOCK: Final = 4 << 20


def deflated(block: bytes, times: int) -> bytes:
    """A raw deflate stream of `block` so many times: each copy stands in it packed by itself."""
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return packed * times + packer.flush()


def zlib_zeros(size: int) -> bytes:
    """A zlib stream of so many zero bytes, a multiple of 4 MiB."""
    # RFC 1950: Adler-32 of n zeros is 1 in its low half and n in its high half.
    checksum = (size % 65_521) << 16 | 1
    return b"\x78\xda" + deflated(bytes(_BLOCK), size // _BLOCK) + checksum.to_bytes(4, "big")


def add_member(path: Path, name: str, size: int, *, claimed: int | None = None) -> Path:
    """Add a member of `size` zero bytes to the ZIP, whose directory says that it has `claimed`."""
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(name)
        archive.writestr(info, deflated(bytes(_BLOCK), size // _BLOCK))
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, size if claimed is None else claimed
    return path

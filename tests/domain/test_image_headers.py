"""A picture's header is read as the picture library reads it, and never more than that."""

from __future__ import annotations

import io
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.domain.image_headers import Header, NoPicture, header_of
from tests.support.pictures import picture

KINDS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}


def made(kind: str, width: int, height: int, mode: str, **more: object) -> bytes:
    held = io.BytesIO()
    Image.new(mode, (width, height)).save(held, kind, **more)
    return held.getvalue()


@given(kind=st.sampled_from(sorted(KINDS)), width=st.integers(1, 400), height=st.integers(1, 400))
def test_size_and_format_are_the_librarys(kind: str, width: int, height: int) -> None:
    content = picture(width, height, kind=kind)
    assert Image.open(io.BytesIO(content)).size == (width, height)
    assert header_of(content) == Header(KINDS[kind], width, height)


@pytest.mark.parametrize(
    ("kind", "mode", "more"),
    [
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"lossless": False}),
        ("WEBP", "RGB", {"exif": b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00"}),
        ("JPEG", "RGB", {"progressive": True, "exif": b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00"}),
        ("JPEG", "CMYK", {"comment": b"\xff\xc0 is no frame here", "icc_profile": b"\xff\xc0" * 40_000}),
        ("PNG", "RGBA", {"icc_profile": b"IEND" * 99}),
        ("GIF", "P", {"comment": b"a comment"}),
    ],
    ids=["lossless", "with alpha", "extended", "progressive", "with a profile", "png profile", "comment"],
)
def test_every_form_of_a_format(kind: str, mode: str, more: dict[str, object]) -> None:
    header = header_of(made(kind, 321, 123, mode, **more))
    assert (header.media_type, header.width, header.height) == (KINDS[kind], 321, 123)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    share=st.floats(0, 1),
    flipped=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4),
)
def test_damaged_ones_have_a_header_or_are_no_picture(
    kind: str, share: float, flipped: list[tuple[int, int]]
) -> None:
    content = bytearray(picture(90, 60, kind=kind))
    for at, byte in flipped:
        content[at % len(content)] = byte
    cut = bytes(content[: round(share * len(content))])
    with suppress(NoPicture):
        header = header_of(cut)
        assert header.width > 0 < header.height


@given(st.binary(max_size=200))
def test_other_bytes_are_no_picture(content: bytes) -> None:
    with pytest.raises(NoPicture):
        header_of(content)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_file_that_was_cut_off_says_so(kind: str) -> None:
    content = picture(200, 200, kind=kind)
    with pytest.raises(NoPicture, match="is cut off"):
        header_of(content[:-8])


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is huge."""
    content = bytearray(picture(1, 1))
    struct.pack_into(">II", content, 16, width, height)
    return bytes(content)


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**32 - 1, 1), (0, 9)], ids=["bomb", "line", "nothing"])
def test_sizes_that_cannot_be(size: tuple[int, int]) -> None:
    with pytest.raises(NoPicture):
        header_of(bomb(*size))

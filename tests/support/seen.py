"""What the upstream sees of the pictures in a request: their real size, and the patches it bills.

Written from the vendor's published rule and apart from the product's own, which it judges.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from PIL import Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
DETAILS = ("auto", "low", "high", "original")
PER_PATCH = 1.2
"""Tokens of gpt-5.5, as published."""

REMOTE = {
    "https://pictures.example/harbour.png": (1_000, 700),
    "https://pictures.example/poster.png": (9_000, 7_000),
}
"""What is found at addresses, since nothing is fetched here: pixels."""

_PATCHES = {"low": 256, "high": 2_500, "auto": 10_000, "original": 10_000}
_SIDE = {"low": 512, "high": 2_048, "auto": 6_000, "original": 6_000}


def size(url: str) -> tuple[int, int] | None:
    """The pixels of a picture, of a data URI by its header; None where it is none that is taken."""
    if url in REMOTE:
        return REMOTE[url]
    head, _, data = url.partition(";base64,")
    if not head.startswith("data:image/"):
        return None
    try:
        image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    except (binascii.Error, UnidentifiedImageError):
        return None
    return image.size if image.format in FORMATS else None


def tokens(body: dict[str, Any]) -> int:
    """Tokens of all pictures of a request."""
    return sum(map(part_tokens, images(body)))


def part_tokens(part: dict[str, Any]) -> int:
    """Tokens of one picture."""
    return _tokens(part["image_url"]["url"], part["image_url"].get("detail", "auto"))


def images(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a request that are pictures."""
    for message in body["messages"]:
        content = message.get("content")
        for part in content if isinstance(content, list) else []:
            if part.get("type") == "image_url":
                yield part


@lru_cache(maxsize=1024)
def _tokens(url: str, detail: str) -> int:
    width, height = size(url) or (0, 0)
    return math.ceil(round(PER_PATCH * patches(width, height, detail), 6))


def patches(width: float, height: float, detail: str) -> int:
    """What covers the picture after the vendor has made it as small as the detail asks."""
    shrink, budget = min(1.0, _SIDE[detail] / max(width, height)), _PATCHES[detail]
    width, height = math.floor(round(width * shrink, 6)), math.floor(round(height * shrink, 6))
    if math.ceil(width / 32) * math.ceil(height / 32) > budget:
        factor = math.sqrt(32 * 32 * budget / (width * height))
        across, down = round(width * factor / 32, 9), round(height * factor / 32, 9)
        factor *= min(math.floor(across) / across, math.floor(down) / down)
        width, height = math.floor(round(width * factor, 6)), math.floor(round(height * factor, 6))
    return math.ceil(width / 32) * math.ceil(height / 32)

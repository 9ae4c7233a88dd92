"""The files of the page, read once and named by what they hold."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).parent / "static"
VERSION_MARK = b"{version}"
"""Stands in the page where the version belongs."""

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent.

    Attributes:
        packed: the same with gzip.
        tag: its entity tag, a hash of the content.
    """

    content: bytes
    packed: bytes
    media_type: str
    tag: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files of the page.

    Attributes:
        version: a hash over all of them; it stands in their addresses, so each address has one content.
        page: the document itself, with the version put in.
        files: the others, by their path below the folder.
    """

    version: str
    page: Asset
    files: Mapping[str, Asset]


@cache
def load() -> Assets:
    """Read the files."""
    found = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }
    page = found.pop("index.html")
    version = _digest(page + b"".join(name.encode() + content for name, content in found.items()))
    files = {name: _asset(content, Path(name).suffix) for name, content in found.items()}
    return Assets(
        version, _asset(page.replace(VERSION_MARK, version.encode()), ".html"), MappingProxyType(files)
    )


def _asset(content: bytes, suffix: str) -> Asset:
    packed = gzip.compress(content, mtime=0)
    return Asset(content, packed, MEDIA_TYPES[suffix], f'"{_digest(content)}"')


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]

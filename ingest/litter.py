"""Which files nobody means by "this folder" or "this archive": hidden ones and what systems leave behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_FOLDERS: Final = {"__macosx", "$recycle.bin", "system volume information"}
_FILES: Final = {"thumbs.db", "ehthumbs.db", "desktop.ini"}
_LOCK: Final = "~$"
"""Office notes beside an open document who has it open."""


def is_litter(parts: Iterable[str]) -> bool:
    """Whether the path, given by its parts, is hidden or was left there by a system rather than a person."""
    *folders, name = (part.casefold() for part in parts)
    if any(part.startswith(".") for part in (*folders, name)):
        return True
    return not _FOLDERS.isdisjoint(folders) or name in _FILES or name.startswith(_LOCK)

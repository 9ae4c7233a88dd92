"""What is hidden or left by a system is told from what a person put there."""

from __future__ import annotations

import pytest

from ingest.litter import is_litter


@pytest.mark.parametrize(
    "path",
    [
        *(".hidden", ".git/config", "a/.svn/entries", "a/.DS_Store", "._report.pdf", "__MACOSX/report.pdf"),
        *("Thumbs.db", "a/THUMBS.DB", "desktop.ini", "~$report.docx", "$RECYCLE.BIN/a.txt"),
    ],
)
def test_litter_is_known(path: str) -> None:
    assert is_litter(path.split("/"))


@pytest.mark.parametrize(
    "path", ["report.pdf", "a/b.c/d", "thumbs.db/report.pdf", "~report.txt", "macosx/a", "a$b", "__macosx"]
)
def test_everything_else_is_not(path: str) -> None:
    assert not is_litter(path.split("/"))

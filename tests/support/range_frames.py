"""Frames for `ingest.read` that misbehave on one page far into a document."""

from __future__ import annotations

import os
import signal
import time

from ingest.document import Page


def crashing(page: Page, *, at: int) -> str:
    """Die on one page as a faulty C library does."""
    if page.number == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return page.text


def failing(page: Page, *, at: tuple[int, ...]) -> str:
    """Raise what nobody foresaw on these pages."""
    if page.number in at:
        raise ZeroDivisionError(f"page {page.number}")
    return page.text


def slow(page: Page, *, till: int) -> str:
    """Take long for the first pages, so that all others are read before them."""
    if page.number <= till:
        time.sleep(0.05)
    return page.text


def process(page: Page) -> str:
    """Return as many words as the number of the process that reads the page."""
    time.sleep(0.002)
    return page.text + " word" * os.getpid()

"""Frames for `ingest.read`: one as it is meant, and others that misbehave inside the reading process."""

from __future__ import annotations

import mmap
import os
import signal
import time
from pathlib import Path
from typing import NoReturn

from ingest.document import Page


def tagged(page: Page) -> str:
    """Return the page between tags."""
    return f'<page n="{page.number}">\n{page.text}\n</page>\n'


def longer(page: Page, *, by: int) -> str:
    """Return the page's text and `by` words more."""
    return page.text + " word" * by


def slow(page: Page) -> str:
    """Take a tenth of a second for each page."""
    time.sleep(0.1)
    return page.text


def held_up(page: Page, until: str) -> str:
    """Hold the third page back until a file is there."""
    time.sleep(0.1)
    while page.number == 3 and not Path(until).exists():
        time.sleep(0.01)
    return page.text


def hesitant(page: Page) -> str:
    """Take a second for the second page."""
    time.sleep(page.number == 2)
    return page.text


def stuck(page: Page) -> str:
    """Do nothing for an hour, from the second page on."""
    if page.number > 1:
        time.sleep(3_600)
    return page.text


def spending(page: Page, *, seconds: float) -> str:
    """Use so much processor time for each page."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return page.text


def growing(page: Page, *, by: int) -> str:
    """Take so much memory and keep it, as a leak does."""
    _kept.append(mmap.mmap(-1, by))
    return page.text


def leaking(page: Page) -> str:
    """Open a file and forget it."""
    os.dup(0)
    return page.text


_kept: list[mmap.mmap] = []


def busy(_: Page) -> NoReturn:
    """Use the processor for ever."""
    while True:
        pass


def hungry(page: Page) -> str:
    """Ask for more memory than there is."""
    return page.text + "x" * (1 << 40)


def crashing(page: Page) -> str:
    """Die as a faulty C library does."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return page.text


def failing(page: Page) -> str:
    """Raise what nobody foresaw."""
    raise ZeroDivisionError(f"page {page.number}")


def writing(page: Page, *, to: Path) -> str:
    """Try to write a file."""
    to.write_text(page.text, encoding="utf-8")
    return page.text


def environment(_: Page) -> str:
    """Return a word for each variable of the process's environment."""
    return " word" * len(os.environ)

"""Chromium for tests: where it is, and a page that nothing may go wrong on unseen."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Error, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE_INSTALLED = f"no Chromium is installed: none of {', '.join(NAMES)} is on the PATH"
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
"""In a container Chromium's own sandbox can't start; the pages of these tests are ours."""

_REFUSED = re.compile(r"status of (\d{3})")


def find_chromium() -> str | None:
    """Return the path of an installed Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass  # without slots: Playwright keeps its wrapper of a bound method on the object
class Watch:
    """What a page complained of: errors on the console, refused by the policy, thrown and not caught.

    Attributes:
        expected: statuses of responses that the test means to provoke.
    """

    expected: set[int] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        """Listen to a page from now on."""
        page.on("console", self._said)
        page.on("pageerror", self._thrown)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        status = _REFUSED.search(message.text)
        if status is None or int(status[1]) not in self.expected:
            self.complaints.append(f"{message.type}: {message.text}")

    def _thrown(self, error: Error) -> None:
        self.complaints.append(f"thrown: {error}")

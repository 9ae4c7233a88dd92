"""What may be shown of a provider's words: no key, no account, nothing of the prompt, not much."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

SHOWN_CHARS = 300
"""How much of a provider's message a user sees."""

_READ_CHARS = 900
_SHORTEST_KEY = 8
_SHORTEST_ECHO = 8
_WINDOW = 32
_STEP = 16
_DEEPEST = 20

_SECRETS = re.compile(
    r"""
    \b(?:sk|sess|rk|pk)-[\w*.…-]{3,}        # keys in the vendors' form, whole or already starred
    | \b(?:org|proj)[-_][A-Za-z0-9]{6,}     # account and project ids
    | (?<=\bBearer\ )\S+                    # whatever a server echoes of the header
    | \S*\*{4,}\S*                          # a key of any form, already starred
    """,
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, repr=False)
class Redaction:
    """Cleans what a provider says about one request.

    Attributes:
        key: the key in use; one of less than eight characters is taken for a placeholder and left alone.
        texts: the request's text parts and its pictures' addresses; runs of them in a message become an
            ellipsis.
    """

    key: str = ""
    texts: tuple[str, ...] = ()

    def shown(self, text: str) -> str:
        """One line of at most `SHOWN_CHARS` characters, without secrets and without the prompt."""
        words = self._without_echo(self.without_secrets(text[:_READ_CHARS])).split()
        line = "".join(char for char in " ".join(words) if char.isprintable())
        return line if len(line) <= SHOWN_CHARS else line[: SHOWN_CHARS - 1] + "…"

    def without_secrets(self, text: str) -> str:
        """The text with keys and account ids replaced."""
        if len(self.key) >= _SHORTEST_KEY:
            text = text.replace(self.key, "[redacted]")
        return _SECRETS.sub("[redacted]", text)

    def record(self, value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON value
        """The JSON value with every string freed of secrets: what is kept, never shown."""
        if depth > _DEEPEST:
            return "…"
        if isinstance(value, str):
            return self.without_secrets(value)
        if isinstance(value, list):
            return [self.record(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {
                self.without_secrets(str(key)): self.record(item, depth + 1) for key, item in value.items()
            }
        return value

    def _without_echo(self, line: str) -> str:
        for text in self.texts:
            whole = text.strip() if len(text) <= 2 * _READ_CHARS else ""
            if len(whole) >= _SHORTEST_ECHO:
                line = line.replace(whole, "…")
        start = 0
        while start + _WINDOW <= len(line):
            source = next((text for text in self.texts if line[start : start + _WINDOW] in text), None)
            if source is None:
                start += _STEP
            else:
                first, last = _run(line, start, source)
                line = line[:first] + "…" + line[last:]
                start = first + 1
        return line


def _run(line: str, start: int, source: str) -> tuple[int, int]:
    """The bounds of the whole stretch of `line` around `start` that stands in `source`."""
    first, last = start, start + _WINDOW
    while first > 0 and line[first - 1 : last] in source:
        first -= 1
    while last < len(line) and line[first : last + 1] in source:
        last += 1
    return first, last

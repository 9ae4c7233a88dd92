"""A simulated model for many questions at once: the number that a question carries decides its fate.

Whatever the order in which requests come, a number's reply is as long, misbehaves in the same way and finds
the same cache lost.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from service.domain import prompts
from tests.support import lengths, upstream
from tests.support.answering import MARKED
from tests.support.billing import asked, text_of
from tests.support.upstream import Act, Model

FORGOTTEN = 0.05
"""How often the provider's cache has lost what it held: it is best effort."""

VISIBLE_TOKENS = 120
"""What a model that reasons shows of its completion at most; all of it is billed alike."""

_SOON = {"retry-after-ms": "20"}
_NUMBER = re.compile(r"Question (\d+):")
_QUOTED = 60


def question(number: int, about: str) -> str:
    """Return a question that carries its number."""
    return f"Question {number}: {about}"


def number_of(text: str) -> int:
    """Return the number that a question carries; -1 where it has none."""
    found = _NUMBER.match(text)
    return int(found[1]) if found else -1


def _once(act: Act) -> Callable[[int], Act]:
    return lambda attempt: act if attempt == 0 else upstream.well()


def _always(act: Act) -> Callable[[int], Act]:
    return lambda _: act


FATES: Mapping[str, Callable[[int], Act]] = {
    "well": _always(upstream.well()),
    "busy once": _once(upstream.status(429, "rate_limit_exceeded", _SOON)),
    "broken once": _once(upstream.status(500, "server_error", _SOON)),
    "broken": _always(upstream.status(500, "server_error", _SOON)),
    "no quota": _always(upstream.status(429, "insufficient_quota")),
    "error in the stream": _once(upstream.error_in_stream(2)),
    "cut": _once(upstream.cut_after(3)),
    "no usage": _always(upstream.no_usage()),
    "cancelled": _always(upstream.stall_after(3)),
}
"""What happens to a question's requests, by how many of them came before. A cut reply, one without usage and
one that the user stops are billed; refusals and errors are not."""


class Simulated:
    """The model behind an `Upstream`.

    Attributes:
        fates: of questions, by number; the others go well.
    """

    def __init__(self, seed: int, fates: Mapping[int, str] | None = None) -> None:
        self.fates = dict(fates or {})
        self._seed = seed
        self._requests: Counter[int] = Counter()

    def upstream(self, *, keeps_bodies: bool = True) -> upstream.Upstream:
        """Return a provider that answers so."""
        model = Model(act=self.act, completion=self.completion, forgets=self.forgets)
        return upstream.Upstream(answer=self.answer, model=model, keeps_bodies=keeps_bodies)

    def act(self, body: dict[str, Any]) -> Act:
        """How the reply to a request behaves."""
        number = number_of(asked(body))
        before = self._requests[number]
        self._requests[number] += 1
        return FATES[self.fates.get(number, "well")](before)

    def completion(self, body: dict[str, Any]) -> int:
        """Completion tokens: of a question's last call the same, however many calls came before it."""
        part = (
            body.get("prompt_cache_key") if prompts.PART_REMINDER in text_of(body["messages"][-1]) else None
        )
        return lengths.drawn(self._random(body, f"{part} length"), body.get("reasoning_effort") or "medium")

    def forgets(self, body: dict[str, Any]) -> bool:
        """Whether the cache has lost the prefix of this request."""
        return self._random(body, f"{body.get('prompt_cache_key')} cache").random() < FORGOTTEN

    def answer(self, body: dict[str, Any]) -> str:
        """What is shown: a quote and its mark, and as many words more as the completion has tokens."""
        drawn = self.completion(body)
        visible = drawn if body.get("reasoning_effort") == "none" else min(drawn, VISIBLE_TOKENS)
        shown = (text_of(message) for message in body["messages"] if message["role"] == "user")
        said = self._said("".join(shown), body)
        return said + " so" * max(visible - len(said) // 2, 0)

    def _said(self, prompt: str, body: dict[str, Any]) -> str:
        if "<findings" in prompt:
            return f"Taken together: {'; '.join(dict.fromkeys(MARKED.findall(prompt)))}."
        start = self._random(body, "page").randrange(len(prompt))
        page = prompt.find('<page n="', start)
        page = page if page >= 0 else prompt.find('<page n="')
        document = prompt.rfind('<document id="', 0, page)
        number, _, text = prompt[page + 9 : page + 200].partition('">\n')
        words = text[:_QUOTED].partition("\n")[0].rpartition(" ")[0]
        return f'It says: "{words}" [{prompt[document + 14 :].partition(chr(34))[0]} p.{number}].'

    def _random(self, body: dict[str, Any], what: str) -> random.Random:
        return random.Random(f"{self._seed} {number_of(asked(body))} {what}")  # noqa: S311 - made up

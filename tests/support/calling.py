"""Calls of the HTTP client as its tests make them."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from service.domain.prompts import Message
from service.errors import ProviderError
from service.provider import ChatRequest, Delta, Reply
from service.provider.client import HttpProvider
from tests.support.upstream import Upstream

DOCUMENT = (
    '<document id="D1" name="port.txt">\n<page n="1">\nThe harbour opened in 1871.\n</document>\n',
    "<question>\nWhen did it open?\n</question>\n",
)
ANSWER = 'According to the documents, "The harbour opened in 1871." [D1 p.1].'
ASKED = ChatRequest("gpt-5.5", (Message("system", ("Be exact.",)), Message("user", DOCUMENT)), 500)
WHOLE = dataclasses.replace(ASKED, stream=False)


async def no_sleep(_seconds: float) -> None:
    """Waiting is told apart in the tests of Retries."""


def complete(upstream: Upstream, asked: ChatRequest = ASKED, **settings: Any) -> list[Delta | Reply]:  # noqa: ANN401
    """All that one call yields."""

    async def run() -> list[Delta | Reply]:
        provider = HttpProvider(upstream.profile(), upstream.key, **{"sleep": no_sleep} | settings)
        try:
            return [item async for item in provider.complete(asked)]
        finally:
            await provider.aclose()

    return asyncio.run(run())


def reply_of(items: list[Delta | Reply]) -> Reply:
    """The one Reply, which comes last and equals its deltas."""
    *deltas, reply = items
    assert isinstance(reply, Reply)
    assert all(isinstance(delta, Delta) and delta.text for delta in deltas)
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == reply.text
    return reply


def failure_of(upstream: Upstream, kind: type[ProviderError], asked: ChatRequest = ASKED, **more: Any) -> Any:  # noqa: ANN401
    with pytest.raises(kind) as caught:
        complete(upstream, asked, **more)
    assert type(caught.value) is kind
    return caught.value

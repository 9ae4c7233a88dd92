"""Files and batches over HTTP, as a real server takes and gives them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from service.errors import Invalid, ProviderError, ProviderInDoubt, ProviderRefused, ProviderUnavailable
from service.provider import ProviderBatch
from service.provider.batches import HttpBatches
from service.provider.client import HttpProvider
from service.provider.profiles import PROFILES
from tests.support.calling import ASKED
from tests.support.upstream import Upstream
from tests.support.upstream_batches import Dropped

T = TypeVar("T")
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


def using(upstream: Upstream, do: Callable[[HttpBatches], Awaitable[T]]) -> T:
    """What comes of it."""

    async def run() -> T:
        provider = HttpProvider(upstream.profile(), upstream.key)
        try:
            assert provider.batches is not None
            return await do(provider.batches)
        finally:
            await provider.aclose()

    return asyncio.run(run())


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 7):
        yield content[start : start + 7]


async def made(here: HttpBatches, mark: str) -> ProviderBatch:
    line = here.line("ans_1.0", ASKED)
    return await here.create(await here.upload("x.jsonl", pieces(line), len(line)), mark)


async def whole(here: HttpBatches, file_id: str) -> bytes:
    return b"".join([chunk async for chunk in here.download(file_id)])


def test_a_line_is_the_request_without_tier_and_stream(upstream: Upstream) -> None:
    asked = replace(ASKED, service_tier="batch", reasoning_effort="low")

    async def line(here: HttpBatches) -> bytes:
        return here.line("ans_1.0", asked)

    written = using(upstream, line)
    assert written.count(b"\n") == 1
    assert written.endswith(b"}\n")
    fields = json.loads(written)
    assert (fields["custom_id"], fields["method"], fields["url"]) == (
        "ans_1.0",
        "POST",
        "/v1/chat/completions",
    )
    body = fields["body"]
    assert {"service_tier", "stream", "stream_options"} & body.keys() == set()
    assert (body["reasoning_effort"], body["max_completion_tokens"]) == ("low", 500)


def test_what_goes_up_comes_down(upstream: Upstream) -> None:
    content = "".join(f'{{"n": {n}, "text": "é\\r\\n--x"}}\n' for n in range(2000)).encode()

    async def round_trip(here: HttpBatches) -> bytes:
        return await whole(here, await here.upload("x.jsonl", pieces(content), len(content)))

    assert using(upstream, round_trip) == content


def test_a_batch_is_seen_to_its_end(upstream: Upstream) -> None:
    async def to_the_end(here: HttpBatches) -> list[ProviderBatch]:
        seen = [await made(here, "one")]
        while not seen[-1].ended:
            seen.append(await here.get(seen[-1].id))
        assert seen[-1].output_id is not None
        line = here.read((await whole(here, seen[-1].output_id)).strip())
        assert line is not None
        assert line.reply is not None
        assert line.reply.usage is not None
        assert line.reply.usage.prompt_tokens == upstream.invoice[0].prompt_tokens
        return seen

    seen = using(upstream, to_the_end)
    assert [one.status for one in seen] == ["validating", "in_progress", "finalizing", "completed"]
    assert (seen[-1].done, seen[-1].failed, seen[-1].errors_id) == (1, 0, None)
    assert seen[0].expires_at is not None
    assert upstream.violations == []


def test_a_batch_is_found_by_its_mark(upstream: Upstream) -> None:
    async def search(here: HttpBatches) -> None:
        ids = {mark: (await made(here, mark)).id for mark in "abcde"}
        for mark, known in ids.items():
            found = await here.find(mark, since=LONG_AGO)
            assert found is not None
            assert found.id == known
        assert await here.find("f", since=LONG_AGO) is None
        asked = len(upstream.batches.asked)
        assert await here.find("a", since=datetime.now(UTC) + timedelta(days=1)) is None
        assert len(upstream.batches.asked) == asked + 1, "what is older is not looked through"

    using(upstream, search)


def test_a_deleted_file_makes_no_batch(upstream: Upstream) -> None:
    async def late(here: HttpBatches) -> None:
        line = here.line("ans_1.0", ASKED)
        file_id = await here.upload("x.jsonl", pieces(line), len(line))
        await here.delete(file_id)
        await here.delete(file_id)
        with pytest.raises(ProviderRefused):
            await here.create(file_id, "late")

    using(upstream, late)
    assert upstream.batches.made == {}


def test_what_is_lost_is_in_doubt_and_what_is_refused_is_not(upstream: Upstream) -> None:
    def drop(method: str, path: str) -> None:
        if (method, path) == ("POST", "/v1/batches"):
            raise Dropped

    async def doubtful(here: HttpBatches) -> None:
        upstream.batches.after = drop
        with pytest.raises(ProviderInDoubt):
            await made(here, "one")
        assert len(upstream.batches.made) == 1

    using(upstream, doubtful)
    upstream.stop()

    async def unsent(here: HttpBatches) -> None:
        with pytest.raises(ProviderUnavailable):
            await here.create("file-1", "one")
        with pytest.raises(ProviderError):
            await here.offered()

    using(upstream, unsent)


def test_where_there_are_none_is_told(upstream: Upstream) -> None:
    async def offered(here: HttpBatches) -> bool:
        return await here.offered()

    assert using(upstream, offered)
    upstream.batches.offered = False
    assert not using(upstream, offered)
    assert [name for name, profile in PROFILES.items() if profile.batches] == ["openai"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"custom_id": "a", "error": {"code": "batch_expired", "message": "Late."}}', "batch_expired"),
        (
            '{"custom_id": "a", "response": {"status_code": 400, "body": {"error": {"message": "No."}}}}',
            "provider_error",
        ),
        ('{"custom_id": "a", "response": null, "error": null}', "provider_error"),
        ('{"custom_id": "a", "response": {"status_code": 200, "body": {"choices": []}}}', None),
        ('{"custom_id": "a", "response": {"status_code": 200, "body": null}}', None),
    ],
)
def test_lines_without_a_reply(upstream: Upstream, text: str, code: str | None) -> None:
    async def read(here: HttpBatches) -> None:
        line = here.read(text)
        assert line is not None
        assert (line.reply, line.code) == (None, code)

    using(upstream, read)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"custom_id": 1}', '{"custom_id": "a'])
def test_what_is_no_line(upstream: Upstream, text: str) -> None:
    async def read(here: HttpBatches) -> None:
        assert here.read(text) is None

    using(upstream, read)


def test_half_a_character_is_no_line(upstream: Upstream) -> None:
    async def read(here: HttpBatches) -> None:
        with pytest.raises(Invalid):
            here.line("\ud800", ASKED)

    using(upstream, read)

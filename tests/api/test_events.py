"""A stream's pieces go out as they come, the last with the end; who goes away ends it, and not the answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Send

from service.api import events
from service.api.events import BEAT, Last, Stream, event
from tests.support.server import WAIT_S, Server, sent_events
from tests.support.upstream import Upstream, stall_after

SOON = 10.0


def until(check: Callable[[], object]) -> None:
    """Wait for something that is about to be so."""
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Client:
    """What a server lets an application see of a client, and what it was sent.

    Attributes:
        sent: the messages.
        stuck: from that many messages on it takes nothing, and sending waits.
        gone: set once it has gone away.
    """

    def __init__(self, stuck: int | None = None) -> None:
        self.sent: list[Message] = []
        self.stuck = stuck
        self.gone = asyncio.Event()
        self.waiting = asyncio.Event()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if len(self.sent) == self.stuck:
            self.waiting.set()
            await asyncio.Event().wait()

    async def take(self, stream: Stream) -> None:
        """Be sent a stream; nothing that was started for it is left."""
        before = asyncio.all_tasks()
        try:
            async with asyncio.timeout(SOON):
                await stream({"type": "http"}, self.receive, self.send)
        finally:
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == before

    @property
    def bodies(self) -> list[tuple[bytes, bool]]:
        return [(message["body"], message["more_body"]) for message in self.sent[1:]]


class Source:
    """Pieces, and whether whoever made them was let go of; at `hold` it waits for ever."""

    def __init__(self, *pieces: bytes, hold: bool = False, error: Exception | None = None) -> None:
        self._pieces = pieces
        self._hold = hold
        self._error = error
        self.at_rest = asyncio.Event()
        self.closed = 0

    async def __call__(self) -> AsyncGenerator[bytes]:
        try:
            for piece in self._pieces:
                yield piece
            self.at_rest.set()
            if self._hold:
                await asyncio.Event().wait()
            if self._error is not None:
                raise self._error
        finally:
            self.closed += 1


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def test_the_last_piece_and_the_end_are_one_message() -> None:
    async def test() -> None:
        client, source = Client(), Source(b"one", BEAT, Last(b"two"), b"never")
        await client.take(events.stream(source(), status=201))
        assert (client.sent[0]["type"], client.sent[0]["status"]) == ("http.response.start", 201)
        assert client.bodies == [(b"one", True), (BEAT, True), (b"two", False)]
        assert source.closed == 1

    run(test)


def test_pieces_without_a_last_one_are_ended() -> None:
    async def test() -> None:
        client, source = Client(), Source(b"one")
        await client.take(events.stream(source()))
        assert client.bodies == [(b"one", True), (b"", False)]
        assert source.closed == 1

    run(test)


def test_the_head_waits_for_nothing() -> None:
    async def test() -> None:
        client, source = Client(), Source(hold=True)
        taking = asyncio.create_task(client.take(events.stream(source())))
        await source.at_rest.wait()
        assert [message["type"] for message in client.sent] == ["http.response.start"]
        assert dict(client.sent[0]["headers"])[b"content-type"].startswith(b"text/event-stream")
        client.gone.set()
        await taking

    run(test)


def test_a_client_that_goes_away_while_it_is_quiet_ends_it() -> None:
    async def test() -> None:
        client, source = Client(), Source(b"one", hold=True)
        taking = asyncio.create_task(client.take(events.stream(source())))
        await source.at_rest.wait()
        client.gone.set()
        await taking
        assert client.bodies == [(b"one", True)]
        assert source.closed == 1

    run(test)


def test_a_client_that_goes_away_while_it_takes_nothing_ends_it() -> None:
    async def test() -> None:
        client, source = Client(stuck=2), Source(b"one", b"two")
        taking = asyncio.create_task(client.take(events.stream(source())))
        await client.waiting.wait()
        client.gone.set()
        await taking
        assert client.bodies == [(b"one", True)]
        assert source.closed == 1

    run(test)


def test_stopping_the_service_stops_it() -> None:
    async def test() -> None:
        client, source = Client(), Source(b"one", hold=True)
        taking = asyncio.create_task(client.take(events.stream(source())))
        await source.at_rest.wait()
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert source.closed == 1

    run(test)


@pytest.mark.parametrize("error", [ValueError("wrong"), TimeoutError("late")], ids=["error", "timeout"])
def test_what_goes_wrong_is_not_taken_for_an_end(error: Exception) -> None:
    async def test() -> None:
        client, source = Client(), Source(b"one", error=error)
        with pytest.raises(type(error), match=str(error)):
            await client.take(events.stream(source()))
        assert client.bodies == [(b"one", True)]
        assert source.closed == 1

    run(test)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    max_leaves=8,
)


@given(data=st.dictionaries(st.text(), JSON), number=st.none() | st.integers(0))
def test_an_event_is_read_as_it_was_written(data: dict[str, Any], number: int | None) -> None:
    lines = event("delta", data, number=number).decode().split("\n")
    assert lines[-2:] == ["", ""]
    fields = dict(line.split(": ", 1) for line in lines[:-2])
    assert json.loads(fields.pop("data")) == data
    assert fields == {"event": "delta", **({} if number is None else {"id": str(number)})}


def test_half_a_character_is_written_as_an_escape() -> None:
    assert event("delta", {"text": "a\ud800b"}).decode("ascii").endswith(r'"a\ud800b"}' + "\n\n")


def test_following_ends_with_its_client_and_the_answer_goes_on(
    server: Server, upstream: Upstream, corpus: str
) -> None:
    upstream.script.append(stall_after(3))
    gone = upstream.disconnects
    body = {"question": "When did the harbour open?", "stream": True}
    with server.client.stream("POST", f"/v1/corpora/{corpus}/answers", json=body) as response:
        seen = sent_events(response)
        assert [next(seen).name for _ in range(2)] == ["plan", "delta"]
        (answer,) = server.client.get("/v1/answers", params={"corpus_id": corpus}).json()["data"]
        channel = server.context.feed.get(answer["id"])
        assert channel is not None
        until(lambda: channel._waiting)  # noqa: SLF001 - whether somebody follows
    until(lambda: not channel._waiting)  # noqa: SLF001 - the same
    assert server.client.get(f"/v1/answers/{answer['id']}").json()["status"] == "running"
    assert upstream.disconnects == gone
    server.client.post(f"/v1/answers/{answer['id']}/cancel")
    assert server.finished(answer["id"])["status"] == "cancelled"


@pytest.mark.parametrize("path", ["/v1/corpora/{}/answers", "/v1/chat/completions"], ids=["rest", "openai"])
def test_what_is_known_together_is_sent_together(
    server: Server, upstream: Upstream, corpus: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    del upstream
    bodies: list[tuple[bytes, bool]] = []
    sending = Stream.stream_response

    async def watched(stream: Stream, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body":
                bodies.append((message["body"], message["more_body"]))
            await send(message)

        await sending(stream, sent)

    monkeypatch.setattr(Stream, "stream_response", watched)
    asked = {"messages": [{"role": "user", "content": "When did the harbour open?"}], "corpus_id": corpus}
    body = asked if "chat" in path else {"question": "When did the harbour open?"}
    more = {"model": "gpt-5.5", "stream_options": {"include_usage": True}} if "chat" in path else {}
    with server.client.stream("POST", path.format(corpus), json={**body, **more, "stream": True}) as response:
        response.read()
    assert b"".join(piece for piece, _ in bodies) == response.content
    assert [more_body for _, more_body in bodies[-2:]] == [True, False]
    last = bodies[-1][0]
    assert last.endswith(b"data: [DONE]\n\n") if "chat" in path else b"event: done\n" in last
    assert (b'"finish_reason": "stop"' in last and b'"usage": {' in last) or b"event: usage\n" in last

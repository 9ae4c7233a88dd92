"""A call's reply as it is read: bytes in, text as it comes, and at the end the reply or why there is none."""

from __future__ import annotations

import dataclasses
import time

import httpx

from service.errors import ProviderError, ProviderInDoubt
from service.provider import Reply, errors, wire
from service.provider.packed import NotUnpacked, Unpacker
from service.provider.redaction import Redaction
from service.provider.sse import Event, EventParser, EventTooLarge
from service.provider.ways import Answer, Timeouts

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""More than any model writes: 128,000 tokens, one a chunk, are about 40 MB of stream."""

_RATE_PREFIX = "x-ratelimit-"


class Reading:
    """Ask for more until it is over, then for the reply.

    Attributes:
        is_over: nothing more is read, because the reply is whole or because of what broke it.
    """

    def __init__(self, answer: Answer, timeouts: Timeouts, redaction: Redaction, *, is_stream: bool) -> None:
        self.is_over = False
        self._answer = answer
        self._timeouts = timeouts
        self._redaction = redaction
        self._streamed = wire.StreamedReply()
        self._events = EventParser() if is_stream else None
        self._body = bytearray()
        self._unpacker: Unpacker | None = None
        self._size = 0
        self._limit = timeouts.first_byte_s
        self._until = time.monotonic() + timeouts.total_s
        self._whole: Reply | None = None
        self._failure: ProviderError | None = None

    async def more(self) -> list[str]:
        """Return the pieces of text that came next, in order; often none.

        What breaks the reply is raised by `reply`: what came before it is told first.
        """
        texts: list[str] = []
        try:
            await self._read_on(texts)
        except wire.FailedInStream as error:
            self._fail(
                errors.error_in_stream(
                    error.payload, partial_text=self._streamed.text, redaction=self._redaction
                )
            )
        except (httpx.RequestError, TimeoutError, wire.Malformed, EventTooLarge, NotUnpacked) as error:
            self._fail(in_doubt(error, self._streamed.text))
        return texts

    def reply(self) -> Reply:
        """Return the reply, once all is read.

        Raises:
            ProviderError: it broke off, or it is an error itself.
        """
        reply = self._whole
        if reply is None:
            # Whole even if the connection broke after the last word: then only the usage may be missing.
            if not self._streamed.is_whole:
                raise self._failure or in_doubt(None, self._streamed.text)
            reply = self._streamed.reply()
        return _with_headers(reply, self._answer)

    async def _read_on(self, texts: list[str]) -> None:
        """Read what comes next; its texts are added to `texts`, also where it fails.

        Raises:
            FailedInStream: an error came instead.
            Malformed: it is no reply.
            TimeoutError: silence, or no end.
            EventTooLarge: more than a reply can hold.
            NotUnpacked: it is compressed in a way that is not understood.
            httpx.RequestError: the connection broke.
        """
        if self._unpacker is None:
            self._unpacker = Unpacker(self._answer.headers.get("content-encoding", ""))
        chunk = await self._answer.receive(min(self._limit, self._until - time.monotonic()))
        self._limit = self._timeouts.idle_s
        if not chunk:
            self._end(texts)
            return
        for piece in self._unpacker.feed(chunk):
            self._size += len(piece)
            if self._size > MAX_REPLY_BYTES:
                raise EventTooLarge(f"The reply passes {MAX_REPLY_BYTES} bytes.")
            if self._events is None:
                self._body += piece
                continue
            self._hear(self._events.feed(piece), texts)
            if self._streamed.is_done:
                self._close(texts)
                return

    def _hear(self, events: list[Event], texts: list[str]) -> None:
        add = self._streamed.add
        for event in events:
            if text := add(event.data, is_error=event.name == "error"):
                texts.append(text)  # noqa: PERF401 - what came before one that is broken must stay

    def _end(self, texts: list[str]) -> None:
        if self._events is not None:
            self._hear(self._events.close(), texts)
            self._close(texts)
            return
        payload = wire.decoded(bytes(self._body))
        if errors.is_failure(payload):
            raise wire.FailedInStream(payload)
        self._whole = wire.reply(payload)
        self.is_over = True
        if self._whole.text:
            texts.append(self._whole.text)

    def _close(self, texts: list[str]) -> None:
        self.is_over = True
        if rest := self._streamed.close():
            texts.append(rest)

    def _fail(self, failure: ProviderError) -> None:
        self._failure = failure
        self.is_over = True


def in_doubt(error: Exception | None, partial_text: str) -> ProviderInDoubt:
    """Return a reply that broke off as an error; its text names the kind of break, never its content."""
    if error is None:
        why = "it ended without saying that it is finished"
    elif isinstance(error, TimeoutError | httpx.TimeoutException):
        why = "the provider fell silent, or never came to an end"
    elif isinstance(error, wire.Malformed | EventTooLarge | NotUnpacked):
        why = f"it can't be read ({error})"
    else:
        why = f"the connection broke ({type(error).__name__})"
    return ProviderInDoubt(f"The provider's reply did not come whole: {why}.", partial_text=partial_text)


def _with_headers(reply: Reply, answer: Answer) -> Reply:
    limits = {
        name.removeprefix(_RATE_PREFIX): value
        for name, value in answer.headers.items()
        if name.startswith(_RATE_PREFIX)
    }
    return dataclasses.replace(reply, request_id=answer.headers.get("x-request-id"), rate_limits=limits)

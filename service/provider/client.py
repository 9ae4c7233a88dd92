"""The HTTP client: one paid call at a time, never repeated once it may have been billed."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx

from service.errors import Invalid, ProviderError, ProviderInDoubt, ProviderUnavailable
from service.provider import ChatRequest, Delta, OnWire, Parameters, Reply, errors, wire
from service.provider.batches import HttpBatches
from service.provider.errors import Refusal
from service.provider.packed import NotUnpacked, Unpacker
from service.provider.parameters import Described
from service.provider.profiles import Profile
from service.provider.redaction import Redaction
from service.provider.sse import Event, EventParser, EventTooLarge
from service.provider.transport import FreshConnections

MAX_REPLY_BYTES = 64 * 1024 * 1024
"""More than any model writes: 128,000 tokens, one a chunk, are about 40 MB of stream."""

_MAX_ERROR_BYTES = 64 * 1024
_ECHOED_CHARS = 1500
"""Of a picture's address; hundreds of pictures are too much to be searched for what nobody can read."""
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_RATE_PREFIX = "x-ratelimit-"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds of silence that end a call; a reasoning model is silent for minutes.

    Attributes:
        connect_s: to connect, TLS included.
        write_s: for each piece of the request to leave.
        first_byte_s: from the request to the answer's headers, and from there to its first bytes.
        idle_s: between later bytes; at most `first_byte_s`.
        total_s: from the answer's headers to its end, whatever comes; a server may send comments for ever.
    """

    connect_s: float = 10.0
    write_s: float = 60.0
    first_byte_s: float = 600.0
    idle_s: float = 600.0
    total_s: float = 3600.0

    def __post_init__(self) -> None:
        if self.idle_s > self.first_byte_s:
            raise ValueError("idle_s must not pass first_byte_s")


@dataclass(frozen=True, slots=True)
class Retries:
    """How long a curable refusal is tried again.

    Attributes:
        attempts: requests in all.
        first_wait_s: before the second attempt where the provider names no time; it doubles each time.
        longest_wait_s: a provider that asks for more gets no other attempt.
        total_s: no attempt starts later than this after the first.
    """

    attempts: int = 3
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    total_s: float = 90.0

    def wait(self, refusal: Refusal, *, attempt: int, elapsed_s: float) -> float | None:
        """Seconds until the next attempt, with jitter; None if there is to be none.

        Jitter never shortens what the provider asks for.
        """
        if not refusal.curable or attempt >= self.attempts:
            return None
        asked = refusal.retry_after_s
        if asked is None:
            backoff = min(self.longest_wait_s, self.first_wait_s * 2 ** (attempt - 1))
            wait = backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        elif asked > self.longest_wait_s:
            return None
        else:
            wait = asked * random.uniform(1.0, 1.1)  # noqa: S311 - the same
        return wait if elapsed_s + wait <= self.total_s else None


class HttpProvider:
    """A provider behind chat completions over HTTP.

    Every call goes over a connection of its own: a reused one may break in a way that leaves a paid call in
    doubt. The environment (proxies, .netrc) is never read: `.netrc` would replace the key.
    """

    def __init__(
        self,
        profile: Profile,
        key: str | None,
        *,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._profile = profile
        self._key = _checked_key(key or "")
        self._timeouts = timeouts or Timeouts()
        self._retries = retries or Retries()
        self._sleep = sleep
        self._direct = (
            FreshConnections(tls or httpx.create_ssl_context(trust_env=False)) if proxy is None else None
        )
        self._parameters = Described(profile, _headers(self._key), proxy=proxy, tls=tls)
        self._client = httpx.AsyncClient(
            base_url=profile.base_url,
            headers=_headers(self._key),
            timeout=httpx.Timeout(
                self._timeouts.first_byte_s,
                connect=self._timeouts.connect_s,
                write=self._timeouts.write_s,
            ),
            trust_env=False,
            **({"transport": self._direct} if self._direct else _past(proxy, tls)),
        )

    @property
    def name(self) -> str:
        """The profile's name."""
        return self._profile.name

    @property
    def charges(self) -> bool:
        """Always: what it costs is the catalog's to say."""
        return True

    @property
    def takes_tiers(self) -> bool:
        """As the profile says."""
        return self._profile.service_tier

    @property
    def samples_while_reasoning(self) -> bool:
        """As the profile says."""
        return self._profile.sampling_while_reasoning

    @property
    def parameters(self) -> Parameters:
        """By the profile, and by what the provider says of its models."""
        return self._parameters

    @property
    def batches(self) -> HttpBatches | None:
        """As the profile says."""
        return HttpBatches(self._client, self._profile, self._key) if self._profile.batches else None

    async def complete(
        self, request: ChatRequest, on_wire: OnWire | None = None
    ) -> AsyncGenerator[Delta | Reply, None]:
        """Yield deltas, then exactly one Reply. Closing the generator early closes the connection.

        Raises:
            Invalid: nothing was sent, because no provider would take it.
            ProviderUnavailable: nothing was sent, because no connection came about.
            ProviderRefused: answered with an error, after the retries where those could cure it.
            ProviderInDoubt: it may have been billed; `partial_text` holds what came.
        """
        content = wire.encoded(wire.body(request, self._parameters.dialect(request.model)))
        redaction = Redaction(self._key, _texts(request))
        response = await self._send(content, redaction, on_wire or OnWire())
        try:
            reading = self._read(response, redaction, is_stream=_is_stream(response, request))
            async with aclosing(reading) as items:
                async for item in items:
                    yield item
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Free connections."""
        await self._client.aclose()

    async def _send(self, content: bytes, redaction: Redaction, on_wire: OnWire) -> httpx.Response:
        """The response with its headers, its body still to come.

        Raises:
            ProviderError: as in `complete`.
        """
        started = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            on_wire.now = True
            outcome = await self._attempt(content, redaction)
            if isinstance(outcome, httpx.Response):
                return outcome
            on_wire.now = False
            wait = self._retries.wait(outcome, attempt=attempt, elapsed_s=time.monotonic() - started)
            if wait is None:
                raise outcome.error
            await self._sleep(wait)

    async def _attempt(self, content: bytes, redaction: Redaction) -> httpx.Response | Refusal:
        request = self._client.build_request("POST", "chat/completions", content=content)
        try:
            response = await self._client.send(request, stream=True)
        except _UNSENT as error:
            detail = (
                f"No connection to the provider {self.name!r} ({type(error).__name__}). Nothing was sent."
            )
            return Refusal(ProviderUnavailable(detail), curable=True)
        except httpx.RequestError as error:
            return Refusal(_in_doubt(error, ""))
        if response.is_success:
            return response
        body = await self._error_body(response)
        return errors.refusal(
            response.status_code,
            body,
            dict(response.headers),
            redaction=redaction,
            now=datetime.now(UTC),
        )

    async def _error_body(self, response: httpx.Response) -> bytes:
        """The start of an error's body; what came of it if it breaks off, for the status says enough."""
        body = bytearray()
        try:
            unpacker = Unpacker(response.headers.get("content-encoding", ""))
            async with asyncio.timeout(self._timeouts.connect_s):
                async for chunk in response.aiter_raw():
                    body += b"".join(itertools.islice(unpacker.feed(chunk), 1))
                    if len(body) > _MAX_ERROR_BYTES:
                        break
        except (httpx.RequestError, TimeoutError, NotUnpacked):
            return bytes(body[:_MAX_ERROR_BYTES])
        finally:
            await response.aclose()
        return bytes(body[:_MAX_ERROR_BYTES])

    async def _read(
        self, response: httpx.Response, redaction: Redaction, *, is_stream: bool
    ) -> AsyncGenerator[Delta | Reply, None]:
        answer = wire.StreamedReply()
        failure: ProviderError | None = None
        reply: Reply | None = None
        try:
            if is_stream:
                async with aclosing(self._deltas(response, answer)) as deltas:
                    async for delta in deltas:
                        yield delta
                if rest := answer.close():
                    yield Delta(rest)
            else:
                reply = await self._whole(response)
        except wire.FailedInStream as error:
            failure = errors.error_in_stream(error.payload, partial_text=answer.text, redaction=redaction)
        except (httpx.RequestError, TimeoutError, wire.Malformed, EventTooLarge, NotUnpacked) as error:
            failure = _in_doubt(error, answer.text)
        if reply is not None:
            if reply.text:
                yield Delta(reply.text)
        elif answer.is_whole:
            # Whole even if the connection broke after the last word: then only the usage may be missing.
            reply = answer.reply()
        else:
            raise failure or _in_doubt(None, answer.text)
        yield _with_headers(reply, response)

    async def _deltas(
        self, response: httpx.Response, answer: wire.StreamedReply
    ) -> AsyncGenerator[Delta, None]:
        parser = EventParser()
        async with aclosing(self._chunks(response)) as chunks:
            async for chunk in chunks:
                told = _told if self._direct is not None and self._direct.breath else _each_told
                for delta in told(answer, parser.feed(chunk)):
                    yield delta
                if answer.is_done:
                    return
        for delta in _each_told(answer, parser.close()):
            yield delta

    async def _whole(self, response: httpx.Response) -> Reply:
        body = bytearray()
        async with aclosing(self._chunks(response)) as chunks:
            async for chunk in chunks:
                body += chunk
        payload = wire.decoded(bytes(body))
        if errors.is_failure(payload):
            raise wire.FailedInStream(payload)
        return wire.reply(payload)

    async def _chunks(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body as it comes.

        Raises:
            TimeoutError: silence, or no end.
            EventTooLarge: more than a reply can hold.
            NotUnpacked: it is compressed in a way that is not understood.
            httpx.RequestError: the connection broke.
        """
        limit, size = self._timeouts.first_byte_s, 0
        until = time.monotonic() + self._timeouts.total_s
        unpacker = Unpacker(response.headers.get("content-encoding", ""))
        # httpx promises less than it gives: the iterator is a generator, which wants closing.
        async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as source:
            while True:
                async with asyncio.timeout(min(limit, until - time.monotonic())):
                    chunk = await anext(source, None)
                if chunk is None:
                    return
                for piece in unpacker.feed(chunk):
                    size += len(piece)
                    if size > MAX_REPLY_BYTES:
                        raise EventTooLarge(f"The reply passes {MAX_REPLY_BYTES} bytes.")
                    yield piece
                limit = self._timeouts.idle_s


def _each_told(answer: wire.StreamedReply, events: Sequence[Event]) -> Iterator[Delta]:
    for event in events:
        if text := answer.add(event.data, is_error=event.name == "error"):
            yield Delta(text)


def _told(answer: wire.StreamedReply, events: Sequence[Event]) -> Iterator[Delta]:
    """Yield the text that came at once, as one; what breaks the reply follows it."""
    texts: list[str] = []
    try:
        texts.extend(delta.text for delta in _each_told(answer, events))
    finally:
        if texts:
            yield Delta("".join(texts))


def _past(proxy: str | None, tls: ssl.SSLContext | None) -> dict[str, Any]:
    """How httpx gets to the provider: past a proxy by its own means."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return {"proxy": proxy, "verify": tls or True, "limits": limits}


def _checked_key(key: str) -> str:
    """The key, without white space around it.

    Raises:
        Invalid: it can't stand in a header. The text does not show it.
    """
    key = key.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise Invalid("The provider's key holds characters that no key has.")
    return key


def _headers(key: str) -> dict[str, str]:
    """No compression: it would hold back a stream's pieces."""
    headers = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "unabridged"}
    return headers | ({"authorization": f"Bearer {key}"} if key else {})


def _texts(request: ChatRequest) -> tuple[str, ...]:
    """What of the prompt a provider might repeat: its texts, and its pictures as they begin."""
    parts = (part for message in request.messages for part in message.parts)
    return tuple(part if isinstance(part, str) else part.url[:_ECHOED_CHARS] for part in parts)


def _is_stream(response: httpx.Response, request: ChatRequest) -> bool:
    """Whether events come: as the answer says, since some servers ignore `stream`; else as was asked."""
    media_type = response.headers.get("content-type", "")
    if "json" in media_type:
        return False
    return "event-stream" in media_type or request.stream


def _in_doubt(error: Exception | None, partial_text: str) -> ProviderInDoubt:
    """A reply that broke off; the text names the kind of break, never its content."""
    if error is None:
        why = "it ended without saying that it is finished"
    elif isinstance(error, TimeoutError | httpx.TimeoutException):
        why = "the provider fell silent, or never came to an end"
    elif isinstance(error, wire.Malformed | EventTooLarge | NotUnpacked):
        why = f"it can't be read ({error})"
    else:
        why = f"the connection broke ({type(error).__name__})"
    return ProviderInDoubt(
        f"The provider's reply did not come whole: {why}. It may have been billed.", partial_text=partial_text
    )


def _with_headers(reply: Reply, response: httpx.Response) -> Reply:
    limits = {
        name.removeprefix(_RATE_PREFIX): value
        for name, value in response.headers.items()
        if name.startswith(_RATE_PREFIX)
    }
    return dataclasses.replace(reply, request_id=response.headers.get("x-request-id"), rate_limits=limits)

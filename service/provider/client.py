"""The HTTP client: one paid call at a time, never repeated once it may have been billed."""

from __future__ import annotations

import asyncio
import itertools
import random
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from service.errors import Invalid, ProviderUnavailable
from service.provider import ChatRequest, Delta, OnWire, Parameters, Reply, Waiting, errors, wire
from service.provider.batches import HttpBatches
from service.provider.errors import Refusal
from service.provider.packed import NotUnpacked, Unpacker
from service.provider.parameters import Described
from service.provider.profiles import Profile
from service.provider.reading import Reading, in_doubt
from service.provider.redaction import Redaction
from service.provider.transport import FreshConnections
from service.provider.ways import Answer, Direct, Proxied, Timeouts

_MAX_ERROR_BYTES = 64 * 1024
_ECHOED_CHARS = 1500
"""Of a picture's address; hundreds of pictures are too much to be searched for what nobody can read."""
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


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
        address = "chat/completions"
        self._way = (
            Proxied(self._client, address)
            if self._direct is None
            else Direct(self._client, address, self._direct)
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
        answer = await self._send(content, redaction, on_wire or OnWire())
        try:
            is_stream = _is_stream(answer, request)
            reading = Reading(answer, self._timeouts, redaction, is_stream=is_stream)
            while not reading.is_over:
                for text in self._told(await reading.more()):
                    yield Delta(text)
            yield reading.reply()
        finally:
            await answer.aclose()

    async def aclose(self) -> None:
        """Free connections."""
        await self._client.aclose()

    def _told(self, texts: list[str]) -> list[str]:
        """Of many replies at once, what came of one at once is told as one."""
        is_gathered = self._direct is not None and self._direct.breath
        return ["".join(texts)] if is_gathered and texts else texts

    async def _send(self, content: bytes, redaction: Redaction, on_wire: OnWire) -> Answer:
        """The answer with its headers, its body still to come.

        Raises:
            ProviderError: as in `complete`.
        """
        started = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            on_wire.now = True
            outcome = await self._attempt(content, redaction)
            if not isinstance(outcome, Refusal):
                return outcome
            on_wire.now = False
            wait = self._retries.wait(outcome, attempt=attempt, elapsed_s=time.monotonic() - started)
            if wait is None:
                raise outcome.error
            on_wire.waits(Waiting(wait, outcome.error.code, outcome.error.detail))
            await self._sleep(wait)

    async def _attempt(self, content: bytes, redaction: Redaction) -> Answer | Refusal:
        try:
            answer = await self._way.post(content)
        except _UNSENT as error:
            detail = (
                f"No connection to the provider {self.name!r} ({type(error).__name__}). Nothing was sent."
            )
            return Refusal(ProviderUnavailable(detail), curable=True)
        except httpx.RequestError as error:
            return Refusal(in_doubt(error, ""))
        if httpx.codes.is_success(answer.status):
            return answer
        body = await self._error_body(answer)
        now = datetime.now(UTC)
        return errors.refusal(answer.status, body, answer.headers, redaction=redaction, now=now)

    async def _error_body(self, answer: Answer) -> bytes:
        """The start of an error's body; what came of it if it breaks off, for the status says enough."""
        body = bytearray()
        try:
            unpacker = Unpacker(answer.headers.get("content-encoding", ""))
            async with asyncio.timeout(self._timeouts.connect_s):
                while chunk := await answer.receive(None):
                    body += b"".join(itertools.islice(unpacker.feed(chunk), 1))
                    if len(body) > _MAX_ERROR_BYTES:
                        break
        except (httpx.RequestError, TimeoutError, NotUnpacked):
            return bytes(body[:_MAX_ERROR_BYTES])
        finally:
            await answer.aclose()
        return bytes(body[:_MAX_ERROR_BYTES])


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


def _is_stream(answer: Answer, request: ChatRequest) -> bool:
    """Whether events come: as the answer says, since some servers ignore `stream`; else as was asked."""
    media_type = answer.headers.get("content-type", "")
    if "json" in media_type:
        return False
    return "event-stream" in media_type or request.stream

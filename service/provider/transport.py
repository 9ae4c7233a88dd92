"""The way of a paid call over the network: HTTP/1.1, one connection for one request, read as it comes.

Calls take it as it is; for all else it stands in httpx at the place of httpx's own transport, whose locks
and scopes around every read cost a stream more than all that is done with it. Redirects, proxies and HTTP/2
are not its business.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, cast

import httptools
import httpx

PIECE = 256 * 1024
"""Bytes of a request that are handed over at once: so many may wait for the network."""

MOST_WAITING = 1 << 20
"""Bytes of a reply that may wait for their reader; the server is held back meanwhile."""

MAX_HEAD_BYTES = 256 * 1024
UNHURRIED = 20
"""Replies at once that are all read as they come."""

BREATH_S, MOST_BREATH_S = 0.0015, 0.25
"""Of more replies, what comes of each is gathered so long, times their number, before it is read on."""

SLOT_S = 0.05
"""Rests end together with others: the loop wakes once for all whose time it is."""

PROMPT_PIECES = 2
"""Of a reply: its head and first word are not waited with."""

FIRST_ADDRESS_S = 2.0
"""An address that does not answer so soon is passed over for the next one of the same name."""

_TIMER_S = 0.001
"""The loop's clock is no finer."""

_ENDED_EARLY = "The server closed the connection before its answer was complete."


class FreshConnections(httpx.AsyncBaseTransport):
    """Opens a connection for each request and closes it with its response.

    Each look at a reply costs about the same, however much has come of it: of many at once, what comes is
    gathered for a moment.

    Attributes:
        replies: those that are being read.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self.replies = 0

    @property
    def breath(self) -> float:
        """The seconds for which what comes of a reply is gathered now."""
        return min(MOST_BREATH_S, self.replies * BREATH_S) if self.replies > UNHURRIED else 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its response's body is still to come.

        Raises:
            httpx.RequestError: as in `send`.
        """
        incoming = await self.send(
            Place.of(request.url),
            head_of(request) + b"\r\n",
            cast("httpx.AsyncByteStream", request.stream),
            request.extensions.get("timeout", {}),
        )
        return httpx.Response(
            incoming.status,
            headers=incoming.raw_headers,
            stream=incoming,
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def send(
        self, place: Place, head: bytes, body: AsyncIterable[bytes], limits: Mapping[str, float | None]
    ) -> Incoming:
        """Send a request; what answers it has its head, its body is still to come.

        Args:
            place: where it goes.
            head: with its blank line.
            body: as long as the head says.
            limits: the seconds for `connect`, `write` and `read`; the last bounds each silence.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout: nothing was sent.
            httpx.WriteTimeout, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError: it may have
                been.
        """
        connection = await self._connected(place, limits.get("connect"))
        with ExitStack() as unless_it_comes:
            unless_it_comes.callback(connection.close)
            await _sent(connection, head, body, limits.get("write"))
            try:
                await connection.wait(connection.headed, limits.get("read"))
            except TimeoutError as error:
                raise httpx.ReadTimeout("No answer came in time.") from error
            connection.raise_failure()
            unless_it_comes.pop_all()
        return Incoming(connection, limits.get("read"), self)

    async def _connected(self, place: Place, limit: float | None) -> _Connection:
        try:
            async with asyncio.timeout(limit):
                return await _connect(place, self._tls if place.is_encrypted else None)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("No connection came about in time.") from error
        except OSError as error:  # refused, unreachable, no such name, TLS
            raise httpx.ConnectError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes; `is_address` tells an IP address from a name."""

    host: str
    port: int
    is_encrypted: bool
    is_address: bool

    @classmethod
    def of(cls, url: httpx.URL) -> Place:
        """Return the place that a URL names."""
        is_encrypted = url.scheme == "https"
        return cls(url.host, url.port or (443 if is_encrypted else 80), is_encrypted, _is_address(url.host))


def head_of(request: httpx.Request) -> bytes:
    """Return a request's first line and its headers, without the blank line that ends them."""
    lines = [request.method.encode() + b" " + request.url.raw_path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n"


class _Connection(asyncio.Protocol):
    """One connection: what was received of its response, and whether more may be written."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.headed = _Bell()
        self.news = _Bell()
        self.writable = _Bell()
        self.writable.ring()
        self.pieces: deque[bytes] = deque()
        self.over = False
        self.resting: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._alarm = _Alarm(self._loop)
        self._failure: httpx.TransportError | None = None
        self._waiting = 0
        self._head_bytes = 0
        self._framed = False
        self._is_plain = True
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's says that it is none
        self._is_plain = transport.get_extra_info("sslcontext") is None

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self.over:
            return
        if not self.headed.rung:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(f"This is no HTTP: {error}"))
            return
        if not self.headed.rung and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(httpx.RemoteProtocolError("The answer's headers are too long."))
        if self._waiting > MOST_WAITING and self._transport is not None:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the response; without a length, the end of the connection is its end."""
        if not self.over:
            if self.headed.rung and not self._framed and exc is None:
                self._end()
            elif exc is not None:
                self._fail(httpx.ReadError(str(exc)))
            else:
                self._fail(httpx.RemoteProtocolError(_ENDED_EARLY))
        self.writable.ring()

    def pause_writing(self) -> None:
        """Wait with what is still to be written."""
        self.writable.reset()

    def resume_writing(self) -> None:
        """Go on writing."""
        self.writable.ring()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; the parser calls this."""
        self.headers.append((name, value))
        self._framed = self._framed or name.lower() in {b"content-length", b"transfer-encoding"}

    def on_headers_complete(self) -> None:
        """Let the response begin, unless it is one that only announces another (1xx)."""
        self.status = self._parser.get_status_code()
        if self.status < httpx.codes.OK:
            self.headers, self._framed = [], False
        else:
            self.headed.ring()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self.pieces.append(body)
        self._waiting += len(body)
        if self.resting is None:
            self.news.ring()

    def on_message_complete(self) -> None:
        """End the response."""
        if self.headed.rung:
            self._end()

    def write(self, data: bytes | memoryview) -> None:
        """Hand bytes over to the network."""
        if self._transport is not None:
            self._transport.write(data)

    def taken(self) -> bytes:
        """Return all that came since the last time."""
        data = b"".join(self.pieces) if len(self.pieces) > 1 else self.pieces[0]
        self.pieces.clear()
        if self._waiting > MOST_WAITING and self._transport is not None:
            self._transport.resume_reading()
        self._waiting = 0
        return data

    def rest(self, seconds: float) -> None:
        """Leave what comes to the system for a moment; of an encrypted stream it is taken in all the same.

        What is read and not decrypted yet would be lost with the connection. Nothing rings meanwhile but the
        end.
        """
        if self.over or self.resting is not None or self._transport is None:
            return
        if self._is_plain:
            self._transport.pause_reading()
        due = self._loop.time() + seconds
        self.resting = self._loop.call_at(due - due % SLOT_S, self._wake)

    def _wake(self) -> None:
        self.resting = None
        if self._is_plain and self._transport is not None:
            self._transport.resume_reading()
        if self.pieces:
            self.news.ring()

    async def wait(self, bell: _Bell, seconds: float | None) -> None:
        """Wait until a bell rings.

        Raises:
            TimeoutError: it kept silent for so many seconds.
        """
        if bell.rung:
            return
        bell.waiter = waiter = self._loop.create_future()
        self._alarm.set(waiter, seconds)
        try:
            await waiter
        finally:
            bell.waiter = None

    def raise_failure(self) -> None:
        """Raise what broke the connection, if anything did."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Close the connection, whatever is under way."""
        self._stop()
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self._stop()
        self.writable.ring()  # who has it all may not have read it all
        self.news.ring()

    def _stop(self) -> None:
        self.over = True
        self._alarm.stop()
        if self.resting is not None:
            self.resting.cancel()
            self.resting = None

    def _fail(self, failure: httpx.TransportError) -> None:
        self._failure = failure
        self.headed.ring()
        self.writable.ring()
        self.close()
        self.news.ring()


class Incoming(httpx.AsyncByteStream):
    """A response whose head has come, and whose body comes; `limit` bounds the seconds between two pieces."""

    def __init__(self, connection: _Connection, limit: float | None, way: FreshConnections) -> None:
        self.status = connection.status
        self.raw_headers = connection.headers
        self._connection = connection
        self._limit = limit
        self._way = way
        self._open = True
        self._taken = 0
        way.replies += 1

    @functools.cached_property
    def headers(self) -> dict[str, str]:
        """The headers by their names in lower case."""
        return dict(httpx.Headers(self.raw_headers).items())

    async def receive(self, seconds: float | None) -> bytes:
        """Return what came since the last time, or what comes next; nothing at the end.

        Args:
            seconds: of silence that are borne; a rest is none.

        Raises:
            TimeoutError: it lasted longer.
            httpx.TransportError: the connection broke.
        """
        connection = self._connection
        if self._taken >= PROMPT_PIECES and (pause := self._way.breath):
            connection.rest(pause)
            seconds = None if seconds is None else seconds + pause
        while connection.resting is not None or not connection.pieces:
            if connection.over:
                connection.raise_failure()
                return b""
            connection.news.reset()
            await connection.wait(connection.news, seconds)
        self._taken += 1
        return connection.taken()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while piece := await self.receive(self._limit):
                yield piece
        except TimeoutError as error:
            raise httpx.ReadTimeout("Nothing more came in time.") from error

    async def aclose(self) -> None:
        """Close the connection."""
        self._way.replies -= self._open
        self._open = False
        self._connection.close()


class _Bell:
    """An event for one waiter, as cheap as a future."""

    __slots__ = ("rung", "waiter")

    def __init__(self) -> None:
        self.rung = False
        self.waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        self.rung = True
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def reset(self) -> None:
        self.rung = False


class _Alarm:
    """Ends a wait that lasts too long.

    One timer follows a connection's waits: a timer for each of them would cost more than reading what came.
    """

    __slots__ = ("_at", "_due", "_loop", "_timer", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._at = self._due = 0.0

    def set(self, waiter: asyncio.Future[None], seconds: float | None) -> None:
        """Bound a wait; the one before it is over."""
        if seconds is None:
            self._waiter = None
            return
        self._waiter = waiter
        self._due = self._loop.time() + seconds
        if self._timer is None or self._due < self._at:
            self._start()

    def stop(self) -> None:
        """Bound nothing any more."""
        self._waiter = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = self._due
        self._timer = self._loop.call_at(self._at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() + _TIMER_S < self._due:
            self._start()
        else:
            self._waiter.set_exception(TimeoutError())


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return True
    return False


async def _connect(place: Place, tls: ssl.SSLContext | None) -> _Connection:
    """Connect to the first of a name's addresses that answers."""
    loop = asyncio.get_running_loop()
    addresses = [place.host]
    if not place.is_address:
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(address[4][0]) for address in found))
    name = place.host if tls is not None else None
    *others, last = addresses
    for address in others:
        with suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(FIRST_ADDRESS_S):
                made = await loop.create_connection(
                    _Connection, address, place.port, ssl=tls, server_hostname=name
                )
                return made[1]
    _, connection = await loop.create_connection(_Connection, last, place.port, ssl=tls, server_hostname=name)
    return connection


async def _sent(
    connection: _Connection, head: bytes, body: AsyncIterable[bytes], limit: float | None
) -> None:
    """Write a request; what the server says before it has it all ends the writing.

    A small body leaves together with its head.
    """
    async for part in body:
        if len(part) > PIECE:
            connection.write(head)
            view = memoryview(part)
        else:
            view = memoryview(head + part)
        head = b""
        for start in range(0, len(view), PIECE):
            try:
                await connection.wait(connection.writable, limit)
            except TimeoutError as error:
                raise httpx.WriteTimeout("The request did not leave in time.") from error
            if connection.over or connection.headed.rung:
                return
            connection.write(view[start : start + PIECE])
    if head:
        connection.write(head)

"""The way of a paid call over the network: HTTP/1.1, one connection for one request, read as it comes.

Stands in httpx at the place of its own transport, whose locks and scopes around every read cost a stream more
than all that is done with it. Redirects, proxies and HTTP/2 are not its business.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
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

BREATH_S, MOST_BREATH_S = 0.001, 0.25
"""Of more replies, what comes of each is gathered so long, times their number, before it is read on."""

PROMPT_PIECES = 2
"""Of a reply: its head and first word are not waited with."""

FIRST_ADDRESS_S = 2.0
"""An address that does not answer so soon is passed over for the next one of the same name."""

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
            httpx.ConnectError, httpx.ConnectTimeout: nothing was sent.
            httpx.WriteTimeout, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError: it may have
                been.
        """
        limits = request.extensions.get("timeout", {})
        connection = await self._connected(request, limits)
        with ExitStack() as unless_it_comes:
            unless_it_comes.callback(connection.close)
            await _sent(connection, request, limits.get("write"))
            await _in_time(
                connection.headed, limits.get("read"), httpx.ReadTimeout, "No answer came in time."
            )
            connection.raise_failure()
            unless_it_comes.pop_all()
        return httpx.Response(
            connection.status,
            headers=connection.headers,
            stream=_Body(connection, limits.get("read"), self),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def _connected(self, request: httpx.Request, limits: dict[str, float | None]) -> _Connection:
        url = request.url
        tls = self._tls if url.scheme == "https" else None
        try:
            async with asyncio.timeout(limits.get("connect")):
                return await _connect(url.host, url.port or (443 if tls else 80), tls)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("No connection came about in time.") from error
        except OSError as error:  # refused, unreachable, no such name, TLS
            raise httpx.ConnectError(str(error)) from error


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
        self._failure: httpx.TransportError | None = None
        self._waiting = 0
        self._head_bytes = 0
        self._framed = False
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to write."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's says that it is none

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

    async def rest(self, seconds: float) -> None:
        """Leave what comes to the system for a moment; of an encrypted stream it is taken in all the same.

        What is read and not decrypted yet would be lost with the connection.
        """
        if self.over or self._transport is None:
            return
        if self._transport.get_extra_info("sslcontext") is not None:
            await asyncio.sleep(seconds)
            return
        self._transport.pause_reading()
        await asyncio.sleep(seconds)
        if not self.over:
            self._transport.resume_reading()

    def raise_failure(self) -> None:
        """Raise what broke the connection, if anything did."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Close the connection, whatever is under way."""
        self.over = True
        if self._transport is not None:
            self._transport.abort()

    def _end(self) -> None:
        self.over = True
        self.news.ring()

    def _fail(self, failure: httpx.TransportError) -> None:
        self._failure = failure
        self.headed.ring()
        self.writable.ring()
        self.close()
        self.news.ring()


class _Body(httpx.AsyncByteStream):
    """A response's body as it comes; `limit` bounds the seconds of silence between two pieces."""

    def __init__(self, connection: _Connection, limit: float | None, way: FreshConnections) -> None:
        self._connection = connection
        self._limit = limit
        self._way = way
        self._open = True
        way.replies += 1

    async def __aiter__(self) -> AsyncIterator[bytes]:
        connection = self._connection
        for number in itertools.count(1):
            if connection.pieces:
                yield connection.taken()
                if number > PROMPT_PIECES and (pause := self._way.breath):
                    await connection.rest(pause)
            elif connection.over:
                connection.raise_failure()
                return
            else:
                connection.news.reset()
                await _in_time(connection.news, self._limit, httpx.ReadTimeout, "Nothing more came in time.")

    async def aclose(self) -> None:
        self._way.replies -= self._open
        self._open = False
        self._connection.close()


class _Bell:
    """An event for one waiter, as cheap as a future."""

    __slots__ = ("_waiter", "rung")

    def __init__(self) -> None:
        self.rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        self.rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def reset(self) -> None:
        self.rung = False

    async def wait(self) -> None:
        if not self.rung:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None


async def _in_time(bell: _Bell, limit: float | None, late: Callable[[str], Exception], said: str) -> None:
    try:
        async with asyncio.timeout(limit):
            await bell.wait()
    except TimeoutError as error:
        raise late(said) from error


async def _connect(host: str, port: int, tls: ssl.SSLContext | None) -> _Connection:
    """Connect to the first of a name's addresses that answers."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    name = host if tls is not None else None
    *others, last = dict.fromkeys(str(address[4][0]) for address in found)
    for address in others:
        with suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(FIRST_ADDRESS_S):
                made = await loop.create_connection(_Connection, address, port, ssl=tls, server_hostname=name)
                return made[1]
    _, connection = await loop.create_connection(_Connection, last, port, ssl=tls, server_hostname=name)
    return connection


async def _sent(connection: _Connection, request: httpx.Request, limit: float | None) -> None:
    """Write a request; what the server says before it has it all ends the writing."""
    target = request.url.raw_path
    lines = [request.method.encode() + b" " + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    connection.write(b"\r\n".join(lines) + b"\r\n\r\n")
    async for part in cast("httpx.AsyncByteStream", request.stream):
        view = memoryview(part)
        for start in range(0, len(view), PIECE):
            await _in_time(
                connection.writable, limit, httpx.WriteTimeout, "The request did not leave in time."
            )
            if connection.over or connection.headed.rung:
                return
            connection.write(view[start : start + PIECE])

"""How a call's request gets to a provider and its answer back: straight there, or past a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import httpx

from service.provider.transport import FreshConnections, Place, head_of


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


class Answer(Protocol):
    """What answers a request: its head has come, its body comes."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by their names in lower case."""
        ...

    async def receive(self, seconds: float | None) -> bytes:
        """Return the next bytes of the body; nothing at its end.

        Args:
            seconds: of silence that are borne.

        Raises:
            TimeoutError: it lasted longer.
            httpx.RequestError: the connection broke.
        """
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...


class Way(Protocol):
    """Where a provider's calls go."""

    async def post(self, content: bytes) -> Answer:
        """Send a request once; redirects are not followed.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError: nothing was sent.
            httpx.RequestError: it may have been.
        """
        ...


class Direct:
    """Straight there. All that is the same for every call is made once."""

    def __init__(self, client: httpx.AsyncClient, path: str, connections: FreshConnections) -> None:
        """Take the address, the headers and the limits from the client, which is not used afterwards."""
        request = client.build_request("POST", path)
        del request.headers["content-length"]
        self._place = Place.of(request.url)
        self._head = head_of(request)
        self._limits: Mapping[str, float | None] = request.extensions["timeout"]
        self._connections = connections

    async def post(self, content: bytes) -> Answer:
        """Send a request once."""
        head = b"%sContent-Length: %d\r\n\r\n" % (self._head, len(content))
        return await self._connections.send(self._place, head, httpx.ByteStream(content), self._limits)


class Proxied:
    """By httpx's own means."""

    def __init__(self, client: httpx.AsyncClient, path: str) -> None:
        self._client = client
        self._path = path

    async def post(self, content: bytes) -> Answer:
        """Send a request once."""
        request = self._client.build_request("POST", self._path, content=content)
        return _Relayed(await self._client.send(request, stream=True))


class _Relayed:
    """An answer that httpx reads."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        # httpx promises less than it gives: the iterator is a generator, which wants closing.
        self._pieces = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
        self.status = response.status_code
        self.headers = dict(response.headers.items())

    async def receive(self, seconds: float | None) -> bytes:
        """Return the next bytes of the body; nothing at its end."""
        async with asyncio.timeout(seconds):
            return await anext(self._pieces, b"")

    async def aclose(self) -> None:
        """Close the connection."""
        try:
            await self._pieces.aclose()
        finally:
            await self._response.aclose()

"""Uploads as they arrive: a raw body, or multipart, pushed through a parser and never held whole."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from service.errors import Invalid

MAX_FIELD_BYTES = 10_000
MAX_HEADER_BYTES = 10_000
_EXTENDED_NAME = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^\s;]*)", re.IGNORECASE)


@dataclass(slots=True)
class Part:
    """One part of a multipart body: a file where it has a file name, else a field."""

    name: str
    filename: str | None
    chunks: AsyncIterator[bytes]

    async def text(self) -> str:
        """Return a field's value.

        Raises:
            Invalid: it is too long for a field.
        """
        value = b""
        async for chunk in self.chunks:
            value += chunk
            if len(value) > MAX_FIELD_BYTES:
                raise Invalid(f"The form field {self.name} is too long.")
        return value.decode("utf-8", "replace")


async def body(request: Request) -> AsyncIterator[bytes]:
    """Yield a raw body's pieces.

    Raises:
        Invalid: the client went away before the end.
    """
    try:
        async for chunk in request.stream():
            if chunk:
                yield chunk
    except ClientDisconnect as error:
        raise Invalid("The upload broke off.") from error


async def parts(request: Request) -> AsyncIterator[Part]:
    """Yield a multipart body's parts; each has to be read before the next is asked for.

    Raises:
        Invalid: the body is not well-formed, or ends early.
    """
    events = _events(request)
    async for kind, value in events:
        if kind != "part":
            continue
        disposition = value.get("content-disposition", "")
        _, options = parse_options_header(disposition)
        part = Part(
            name=options.get(b"name", b"").decode("utf-8", "replace"),
            filename=_filename(options, disposition),
            chunks=_chunks(events),
        )
        yield part
        async for _ in part.chunks:
            pass  # what the caller did not read


def _filename(options: dict[bytes, bytes], disposition: str) -> str | None:
    """Return a part's file name; in the extended form (RFC 8187) too, which forms may not use and some do."""
    name = options.get(b"filename")
    if name is not None:
        return name.decode("utf-8", "replace")
    extended = _EXTENDED_NAME.search(disposition)
    return None if extended is None else unquote(extended[1], errors="replace")


async def _chunks(events: AsyncIterator[tuple[str, Any]]) -> AsyncIterator[bytes]:
    async for kind, value in events:
        if kind == "end":
            return
        yield value


@dataclass(slots=True)
class _Listener:
    """Collects what the parser calls out."""

    events: deque[tuple[str, Any]] = field(default_factory=deque)
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    headers: dict[str, str] = field(default_factory=dict)
    ended: bool = False

    def callbacks(self) -> Any:  # noqa: ANN401 - the parser's own dictionary type
        return {
            "on_part_begin": self.headers.clear,
            "on_header_field": lambda data, start, end: self._grow(self.header, data[start:end]),
            "on_header_value": lambda data, start, end: self._grow(self.value, data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": lambda: self.events.append(("part", dict(self.headers))),
            "on_part_data": lambda data, start, end: self.events.append(("data", bytes(data[start:end]))),
            "on_part_end": lambda: self.events.append(("end", None)),
            "on_end": self._end,
        }

    @staticmethod
    def _grow(held: bytearray, more: bytes) -> None:
        held += more
        if len(held) > MAX_HEADER_BYTES:
            raise Invalid("A part's header is too long.")

    def _header_end(self) -> None:
        self.headers[self.header.decode("latin-1").lower()] = self.value.decode("latin-1")
        self.header.clear()
        self.value.clear()

    def _end(self) -> None:
        self.ended = True


async def _events(request: Request) -> AsyncIterator[tuple[str, Any]]:
    listener = _Listener()
    boundary = _boundary(request)
    try:
        parser = MultipartParser(boundary, listener.callbacks())
    except FormParserError as error:
        raise Invalid("The multipart body's boundary is too long.") from error
    async for chunk in body(request):
        try:
            parser.write(chunk)
        except FormParserError as error:
            raise Invalid("The multipart body is not well-formed.") from error
        while listener.events:
            yield listener.events.popleft()
    if not listener.ended:
        raise Invalid("The multipart body ends too early.")


def _boundary(request: Request) -> bytes:
    message = EmailMessage()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise Invalid("The multipart body names no boundary.")
    return boundary.encode("latin-1", "replace")

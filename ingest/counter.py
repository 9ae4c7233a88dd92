"""What passes between a process that counts tokens and the one that asks it: a text, and its count."""

from __future__ import annotations

import socket
from typing import Final

from ingest import tokens, wire

REQUEST: Final = b"count"
"""Asks the zygote for a process that counts, where a reading process's request would stand."""

COUNT_BYTES: Final = 8

_SURROGATES: Final = "surrogatepass"
"""Texts may hold lone surrogates, which are counted too."""


def serve(end: socket.socket) -> None:
    """Count one text after another, until the other end is closed."""
    while header := end.recv(wire.HEADER_BYTES, socket.MSG_WAITALL):
        body = wire.received(end, int.from_bytes(header, "big"))
        count = tokens.count_here(body.decode("utf-8", _SURROGATES))
        end.sendall(count.to_bytes(COUNT_BYTES, "big"))


def ask(end: socket.socket, text: str) -> int:
    """Return the count of `text`, from whoever serves the other end.

    Raises:
        OSError: the other process is gone, or silent for longer than the socket waits.
    """
    end.sendall(wire.framed(text.encode("utf-8", _SURROGATES)))
    answer = wire.received(end, COUNT_BYTES)
    if len(answer) < COUNT_BYTES:
        raise ConnectionError("it ended")
    return int.from_bytes(answer, "big")

"""A provider on loopback that misbehaves in named ways, byte by byte, and knows what it charged.

    with Misbehaving() as upstream:
        upstream.behave("cut in the middle")
        ...
        assert len(upstream.requests) == 1
        assert sum(line.usd for line in upstream.invoice) == ...

A behaviour is a generator over one request: bytes it yields go out as they are, in one write each; numbers
are seconds of silence; where it ends, the connection is dropped. It charges by `turn.bill`. The replies
themselves are in `tests.support.replying`.
"""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType, TracebackType
from typing import Any, Self

from tests.support.billing import Billed
from tests.support.replying import Reply, Said

KEY = "sk-misbehaving-0123456789abcdef"
STALL_S = 30.0
"""Longer than any time-out of a test; whoever waits so long is woken by the client's leaving."""

Act = Iterator[bytes | float]


@dataclass(frozen=True, slots=True)
class Turn:
    """One request that is about to be answered.

    Attributes:
        attempt: how many came before it since the behaviour was set.
        streamed: whether to answer in events; else in one piece, as some servers do whatever is asked.
        elsewhere: an address of this server that no client should call.
    """

    body: dict[str, Any]
    attempt: int
    streamed: bool
    elsewhere: str
    invoice: list[Billed]
    number: int

    def bill(self, reply: Reply | None = None) -> Said:
        """Charge for a reply; return it in words."""
        said = self.said(reply)
        self.invoice.append(said.billed)
        return said

    def said(self, reply: Reply | None = None) -> Said:
        """Put a reply in words, free of charge."""
        return Said(reply or Reply(), self.body, f"req_{self.number}")


def _head(media: str, *more: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"content-type: {media}", "connection: close", *more)
    return "\r\n".join((*lines, "", "")).encode()


def _chunked(pieces: Iterable[bytes], *, end: bool = True) -> Iterator[bytes]:
    """Frame the pieces as HTTP does where no length is known; without its end the reply is visibly cut."""
    for piece in pieces:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    if end:
        yield b"0\r\n\r\n"


def _sent(turn: Turn, said: Said, *, events: Iterable[bytes] | None = None) -> Act:
    """A whole reply, as events or in one piece."""
    if turn.streamed:
        yield _head("text/event-stream; charset=utf-8", "transfer-encoding: chunked")
        yield from _chunked(said.events() if events is None else events)
    else:
        yield from _json(said.whole())


def _json(content: bytes, *more: str, status: str = "200 OK", media: str = "application/json") -> Act:
    yield _head(media, f"content-length: {len(content)}", *more, status=status)
    yield content


def _error(status: str, code: str | None, *headers: str, message: str = "Something is wrong.") -> Act:
    error = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return _json(json.dumps(error).encode(), *headers, status=status)


def _replies(reply: Reply) -> Callable[[Turn], Act]:
    """Answer well, saying something strange."""

    def act(turn: Turn) -> Act:
        yield from _sent(turn, turn.bill(reply))

    return act


def _fails(status: str, code: str | None = None, *headers: str, times: int = 99, message: str = "No.") -> Any:  # noqa: ANN401 - an act
    """Answer with an error, so many times; then well."""

    def act(turn: Turn) -> Act:
        if turn.attempt < times:
            yield from _error(status, code, *headers, message=message)
        else:
            yield from _sent(turn, turn.bill())

    return act


def _cut_before_the_headers(turn: Turn) -> Act:
    turn.bill()
    yield from ()


def _cut_after_the_headers(turn: Turn) -> Act:
    said = turn.bill()
    if turn.streamed:
        yield _head("text/event-stream", "transfer-encoding: chunked")
    else:
        yield _head("application/json", f"content-length: {len(said.whole())}")


def _cut_in_the_middle(turn: Turn) -> Act:
    yield from _first_half(turn, turn.bill())


def _first_half(turn: Turn, said: Said) -> Act:
    if turn.streamed:
        yield _head("text/event-stream", "transfer-encoding: chunked")
        yield from _chunked(said.events()[:5], end=False)
    else:
        content = said.whole()
        yield _head("application/json", f"content-length: {len(content)}")
        yield content[: len(content) // 2]


def _stalled(turn: Turn) -> Act:
    yield from _first_half(turn, turn.bill())
    yield STALL_S


def _slow_headers(turn: Turn) -> Act:
    said = turn.bill()
    yield STALL_S
    yield from _sent(turn, said)


def _ended_early(turn: Turn) -> Act:
    yield from _sent(turn, turn.said(), events=turn.bill().events()[:5])


def _without_done(turn: Turn) -> Act:
    yield from _sent(turn, turn.said(), events=turn.bill().events()[:-1])


def _null_and_no_done(turn: Turn) -> Act:
    yield from _sent(turn, turn.said(), events=turn.bill(Reply(finish_reason=None)).events()[:-1])


def _usage_beside_a_choice(turn: Turn) -> Act:
    said = turn.bill()
    *words, usage, done = said.events()
    empty = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
    told = usage.replace(b'"choices": []', f'"choices": [{json.dumps(empty)}]'.encode())
    yield from _sent(turn, said, events=[*words, told, done])


def _busy_until(turn: Turn) -> Act:
    """A Retry-After that names a date: whole seconds, and at least one from now."""
    if turn.attempt == 0:
        when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        yield from _error("429 Too Many Requests", "rate_limit_exceeded", f"retry-after: {when}")
    else:
        yield from _sent(turn, turn.bill())


def _error_inside(turn: Turn) -> Act:
    error = {"error": {"message": "The server had an error.", "type": "server_error", "code": None}}
    if turn.streamed:
        words = turn.said().events()[:5]
        yield from _sent(turn, turn.said(), events=[*words, f"data: {json.dumps(error)}\n\n".encode()])
    else:
        yield from _json(json.dumps(error).encode())


def _html(turn: Turn) -> Act:
    turn.bill()
    yield from _json(b"<!doctype html><title>Please sign in</title>", media="text/html")


def _malformed(turn: Turn) -> Act:
    said = turn.bill()
    if turn.streamed:
        words = said.events()
        yield from _sent(turn, said, events=[*words[:4], words[4][:25] + b"\n\n", *words[5:]])
    else:
        yield from _json(said.whole()[:-20])


def _twice(turn: Turn) -> Act:
    said = turn.bill()
    *words, done = said.events()
    doubled = itertools.chain.from_iterable((word, word) for word in words)
    yield from _sent(turn, said, events=[*doubled, done, done])


def _not_utf8(turn: Turn) -> Act:
    said = turn.bill()
    broken = (said.joined() if turn.streamed else said.whole()).replace("\u2013".encode(), b"\xe2\x80")
    yield from _sent(turn, said, events=[broken]) if turn.streamed else _json(broken)


def _half_characters(turn: Turn) -> Act:
    """The ship is cut into its two UTF-16 halves, as a JavaScript gateway cuts strings."""
    said = turn.bill(Reply(halves=True))
    yield from _sent(turn, said)


def _zipped(turn: Turn, layers: int) -> Act:
    bomb = b"data: " + b"0" * 128_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb, compresslevel=1)
    turn.bill()
    media = "text/event-stream" if turn.streamed else "application/json"
    yield from _json(bomb, f"content-encoding: {', '.join(['gzip'] * layers)}", media=media)


def _zipped_well(turn: Turn) -> Act:
    said = turn.bill()
    content = gzip.compress(said.joined() if turn.streamed else said.whole())
    media = "text/event-stream" if turn.streamed else "application/json"
    yield from _json(content, "content-encoding: gzip", media=media)


def _huge_line(turn: Turn) -> Act:
    turn.bill()
    yield _head("text/event-stream" if turn.streamed else "application/json", "transfer-encoding: chunked")
    yield from _chunked(itertools.repeat(b"0" * 1_000_000, 70))


def _endless_headers(turn: Turn) -> Act:
    turn.bill()
    yield b"HTTP/1.1 200 OK\r\n"
    yield from itertools.repeat(b"x-more: " + b"0" * 8_000 + b"\r\n", 100)


def _redirect(turn: Turn) -> Act:
    yield _head("text/html", f"location: {turn.elsewhere}", "content-length: 0", status="302 Found")


def _many_comments(turn: Turn) -> Act:
    said = turn.bill()
    yield _head("text/event-stream", "transfer-encoding: chunked")
    for comment in _chunked([b": keep-alive\n\n"] * 12, end=False):
        yield comment
        yield 0.25
    yield from _chunked(said.events())


def _comments_for_ever(turn: Turn) -> Act:
    turn.bill()
    yield _head("text/event-stream", "transfer-encoding: chunked")
    for comment in _chunked(itertools.repeat(b": keep-alive\n\n")):
        yield comment
        yield 0.25


def _byte_by_byte(turn: Turn) -> Act:
    """In writes of three bytes: lines end with CRLF, and characters, lines and frames are cut anywhere."""
    said = turn.bill()
    content = said.joined().replace(b"\n", b"\r\n") if turn.streamed else said.whole()
    yield _head("text/event-stream" if turn.streamed else "application/json", "transfer-encoding: chunked")
    yield from _chunked(content[start : start + 3] for start in range(0, len(content), 3))


TOO_LARGE = "Request too large for gpt-5.5 in org-1 on tokens per min (TPM): Limit 30000, Requested 30601."
SOON = "retry-after-ms: 20"

BEHAVIOURS: Mapping[str, Callable[[Turn], Act]] = MappingProxyType(
    {
        "well": _replies(Reply()),
        "cut before the headers": _cut_before_the_headers,
        "cut after the headers": _cut_after_the_headers,
        "cut in the middle": _cut_in_the_middle,
        "ended early": _ended_early,
        "no [DONE]": _without_done,
        "no usage": _replies(Reply(usage=None)),
        "usage beside an empty choice": _usage_beside_a_choice,
        "429, seconds": _fails("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 1", times=1),
        "429, a date": _busy_until,
        "429, no time": _fails("429 Too Many Requests", "rate_limit_exceeded", times=1),
        "429 for ever": _fails("429 Too Many Requests", "rate_limit_exceeded", SOON),
        "429, an hour": _fails("429 Too Many Requests", "rate_limit_exceeded", "retry-after: 3600"),
        "no quota": _fails("429 Too Many Requests", "insufficient_quota"),
        "too large for the rate": _fails(
            "429 Too Many Requests", "rate_limit_exceeded", SOON, message=TOO_LARGE
        ),
        "context overflow": _fails("400 Bad Request", "context_length_exceeded"),
        "wrong key": _fails("401 Unauthorized", "invalid_api_key", message=f"Incorrect API key: {KEY}."),
        "500 once": _fails("500 Internal Server Error", None, SOON, times=1),
        "503 for ever": _fails("503 Service Unavailable", None, SOON),
        "504 of a gateway": _fails("504 Gateway Timeout"),
        "slow headers": _slow_headers,
        "stalled": _stalled,
        "error inside": _error_inside,
        "empty with length": _replies(Reply(text="", finish_reason="length", reasoning=None)),
        "refusal": _replies(Reply(text="", refusal="I would rather not.")),
        "content filter": _replies(Reply(text="The harbour", finish_reason="content_filter")),
        "HTML": _html,
        "malformed JSON": _malformed,
        "every chunk twice": _twice,
        "not UTF-8": _not_utf8,
        "halves of characters": _half_characters,
        "NUL in the text": _replies(Reply(text="The harbour\x00 opened.")),
        "zipped unasked": _zipped_well,
        "gzip bomb": lambda turn: _zipped(turn, 1),
        "gzip bomb in a bomb": lambda turn: _zipped(turn, 3),
        "huge line": _huge_line,
        "endless headers": _endless_headers,
        "redirect": _redirect,
        "more than the ceiling": _replies(Reply(reasoning=400_000)),
        "another model": _replies(Reply(model="gpt-4o-mini")),
        "a dearer model": _replies(Reply(model="gpt-5.5-pro-2026-04-23")),
        "a cheaper model": _replies(Reply(model="gpt-5.4-mini")),
        "flex instead of default": _replies(Reply(service_tier="flex")),
        "a tier without a price": _replies(Reply(service_tier="scale", priced="default")),
        "null at the end": _replies(Reply(finish_reason=None)),
        "null at the end, no [DONE]": _null_and_no_done,
        "tool calls": _replies(Reply(text="", finish_reason="tool_calls", tools=True)),
        "comments for long": _many_comments,
        "comments for ever": _comments_for_ever,
        "three bytes at a time": _byte_by_byte,
        "negative usage": _replies(Reply(usage=lambda told: {**told, "completion_tokens": -5})),
        "usage of nothing": _replies(Reply(usage=lambda told: dict.fromkeys(told, 0))),
        "absurd usage": _replies(Reply(usage=lambda told: {**told, "prompt_tokens": 10**30})),
        "more cached than read": _replies(
            Reply(usage=lambda told: {**told, "prompt_tokens_details": {"cached_tokens": 10**9}})
        ),
    }
)


class Misbehaving:
    """The server; one behaviour at a time.

    Attributes:
        url: the base URL, ending in /v1.
        requests: the headers of every request for a completion, by lower-case names.
        elsewhere: the paths that were called beside it.
        times: when each request came, on the monotonic clock.
        invoice: what it charged.
    """

    def __init__(self) -> None:
        self.key = KEY
        self.url = ""
        self.requests: list[dict[str, str]] = []
        self.elsewhere: list[str] = []
        self.times: list[float] = []
        self.invoice: list[Billed] = []
        self._act = BEHAVIOURS["well"]
        self._streamed = True
        self._listening: socket.socket | None = None
        self._numbers = itertools.count(1)

    def behave(self, name: str, *, streamed: bool = True) -> None:
        """Answer the coming requests so, in events or in one piece, with new books."""
        self._act, self._streamed = BEHAVIOURS[name], streamed
        # What a client that left is still charged for stands in the books before.
        self.requests, self.elsewhere, self.times, self.invoice = [], [], [], []

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listening is not None:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        requests, times, invoice = self.requests, self.times, self.invoice
        with connection:
            path, headers, content = _request(connection)
            if path != "/v1/chat/completions":
                self.elsewhere.append(path)
                return
            turn = Turn(
                body=json.loads(content),
                attempt=len(requests),
                streamed=self._streamed,
                elsewhere=f"{self.url}/elsewhere",
                invoice=invoice,
                number=next(self._numbers),
            )
            requests.append(headers)
            times.append(time.monotonic())
            _perform(connection, self._act(turn))


def _perform(connection: socket.socket, act: Act) -> None:
    for one in act:
        try:
            if isinstance(one, bytes):
                connection.sendall(one)
            elif _left(connection, one):
                return
        except OSError:
            return  # the client left


def _left(connection: socket.socket, seconds: float) -> bool:
    """Wait; return whether the client left meanwhile."""
    connection.settimeout(seconds)
    try:
        return not connection.recv(1)
    except TimeoutError:
        return False
    finally:
        connection.settimeout(None)


def _request(connection: socket.socket) -> tuple[str, dict[str, str], bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, content = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    size = int(headers.get("content-length", "0"))
    while len(content) < size:
        content += connection.recv(65536)
    return first.split()[1], headers, content

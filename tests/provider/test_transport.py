"""The way of a paid call: what surely was not sent, what may have been, and what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.errors import ProviderInDoubt, ProviderUnavailable
from service.provider import transport
from service.provider.client import HttpProvider, Retries
from service.provider.profiles import named
from service.provider.transport import FreshConnections
from tests.support.calling import ASKED, no_sleep
from tests.support.listening import (
    Certificate,
    Handle,
    certificate,
    head_of,
    listening,
    read_until_it_ends,
    request_of,
    reset,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout)
LARGE = bytes(30_000_000)
"""More than the buffers between two sockets of one machine take up."""


def said(text: bytes) -> Handle:
    """A server that reads a request and says that."""

    def handle(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(text)

    return handle


def ask(
    url: str, content: bytes = b"{}", *, tls: ssl.SSLContext | None = None, **seconds: float
) -> httpx.Response:
    """Post something; return the whole response."""

    async def asked() -> httpx.Response:
        way = FreshConnections(tls or ssl.create_default_context())
        timeout = httpx.Timeout(20.0, **seconds)
        async with httpx.AsyncClient(transport=way, trust_env=False, timeout=timeout) as client:
            return await client.post(url, content=content)

    return asyncio.run(asked())


@pytest.fixture
def own(tmp_path: Path) -> Certificate:
    return certificate(tmp_path)


def test_a_trusted_certificate_is_spoken_to(own: Certificate) -> None:
    with listening(said(OK), tls=own.server) as server:
        assert ask(f"https://127.0.0.1:{server.port}/", tls=own.client).text == "whole"
        assert ask(f"https://localhost:{server.port}/", tls=own.client).text == "whole"


def test_nothing_is_sent_to_one_that_is_not_trusted(own: Certificate) -> None:
    with listening(said(OK), tls=own.server) as server, pytest.raises(httpx.ConnectError, match="CERT"):
        ask(f"https://127.0.0.1:{server.port}/")
    assert server.handled == 0


def test_nothing_is_sent_to_one_that_is_for_another_name(tmp_path: Path) -> None:
    other = certificate(tmp_path, name="elsewhere.example", address="127.0.0.9")
    with listening(said(OK), tls=other.server) as server, pytest.raises(httpx.ConnectError, match="CERT"):
        ask(f"https://127.0.0.1:{server.port}/", tls=other.client)


def test_where_nobody_listens_nothing_is_sent() -> None:
    with listening(said(OK)) as server:
        pass
    with pytest.raises(httpx.ConnectError):
        ask(f"http://127.0.0.1:{server.port}/")


def test_a_name_that_nobody_has_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(httpx.ConnectError, match="not known"):
        ask("http://model.example/")


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have every name stand for these addresses."""

    def found(_host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    "addresses", [("::1", "127.0.0.1"), ("127.0.0.1", "::1"), ("127.0.0.2", "::1", "127.0.0.1")]
)
def test_the_first_address_that_answers_is_taken(
    monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, ...]
) -> None:
    with listening(said(OK)) as server:
        resolve(monkeypatch, *addresses)
        assert ask(f"http://model.example:{server.port}/").text == "whole"


def test_an_address_that_keeps_silent_is_passed_over(
    own: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "FIRST_ADDRESS_S", 0.1)
    with (
        listening(said(OK), tls=own.server) as server,
        listening(read_until_it_ends, host="127.0.0.2", port=server.port),
    ):
        resolve(monkeypatch, "127.0.0.2", "127.0.0.1")
        assert ask(f"https://localhost:{server.port}/", tls=own.client).text == "whole"


def test_where_none_answers_nothing_was_sent(own: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(read_until_it_ends) as server:
        resolve(monkeypatch, "127.0.0.1")
        with pytest.raises(httpx.ConnectTimeout):
            ask(f"https://localhost:{server.port}/", tls=own.client, connect=0.2)


def cut_while_reading(connection: socket.socket) -> None:
    head_of(connection)
    reset(connection)


def test_what_was_cut_off_while_it_was_sent_may_have_arrived() -> None:
    with listening(cut_while_reading) as server, pytest.raises(httpx.RequestError) as caught:
        ask(f"http://127.0.0.1:{server.port}/", LARGE)
    assert not isinstance(caught.value, UNSENT)


def test_what_is_never_read_ends_in_time() -> None:
    def deaf(connection: socket.socket) -> None:
        head_of(connection)
        time.sleep(1.0)

    with listening(deaf) as server, pytest.raises(httpx.WriteTimeout):
        ask(f"http://127.0.0.1:{server.port}/", LARGE, write=0.2)


def test_a_refusal_that_comes_while_it_is_sent_is_heard() -> None:
    def refuse(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much")
        read_until_it_ends(connection)

    with listening(refuse) as server:
        answered = ask(f"http://127.0.0.1:{server.port}/", LARGE)
    assert (answered.status_code, answered.text) == (413, "too much")


def test_a_refusal_by_a_server_that_reads_no_further_and_stays_is_heard() -> None:
    def refuse(connection: socket.socket) -> None:
        head_of(connection)
        time.sleep(0.2)  # the client waits with what the buffers do not take
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much")
        stayed.append(is_over.wait(15))

    is_over = threading.Event()
    stayed: list[bool] = []
    with listening(refuse) as server:
        try:
            answered = ask(f"http://127.0.0.1:{server.port}/", LARGE, write=5.0)
        finally:
            is_over.set()
    assert stayed == [True]
    assert (answered.status_code, answered.text) == (413, "too much")


def test_the_request_arrives_as_it_was_made() -> None:
    received = bytearray()
    content = bytes(range(256)) * 5_000

    def handle(connection: socket.socket) -> None:
        received.extend(request_of(connection))
        connection.sendall(OK)

    with listening(handle) as server:
        assert ask(f"http://127.0.0.1:{server.port}/v1/chat?x=a%20b", content).text == "whole"
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat?x=a%20b HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}".encode() in head
    assert f"Content-Length: {len(content)}".encode() in head
    assert body == content


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n3\r\nole\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nwhole",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + OK,
    ],
    ids=["length", "chunks", "until the end", "after another"],
)
def test_an_answer_is_read_however_its_end_is_told(answer: bytes) -> None:
    with listening(said(answer)) as server:
        assert ask(f"http://127.0.0.1:{server.port}/").text == "whole"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwhole",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (transport.MAX_HEAD_BYTES + 1),
    ],
    ids=["nothing", "half a head", "short of its length", "no last chunk", "no HTTP", "an endless head"],
)
def test_half_an_answer_is_none(answer: bytes) -> None:
    with listening(said(answer)) as server, pytest.raises(httpx.RequestError) as caught:
        ask(f"http://127.0.0.1:{server.port}/")
    assert not isinstance(caught.value, UNSENT)


@pytest.mark.parametrize("begun", [b"", OK[:-2]], ids=["before its head", "within its body"])
def test_silence_ends_in_time(begun: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(begun)
        read_until_it_ends(connection)

    with listening(handle) as server, pytest.raises(httpx.ReadTimeout):
        ask(f"http://127.0.0.1:{server.port}/", read=0.2)


def test_patience_begins_anew_with_each_piece() -> None:
    def handle(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(12):
            time.sleep(0.1)
            connection.sendall(b"x")

    with listening(handle) as server:
        assert ask(f"http://127.0.0.1:{server.port}/", read=0.6).text == "x" * 12


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def unexpected(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    shown = f"[{host}]" if ":" in host else host
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as server:
        server.bind((host, 0))
        server.listen()
        monkeypatch.setattr(socket, "getaddrinfo", unexpected)
        thread = threading.Thread(target=answer_one, args=(server,))
        thread.start()
        assert ask(f"http://{shown}:{server.getsockname()[1]}/").text == "whole"
        thread.join()


def answer_one(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        said(OK)(connection)


def test_a_body_that_comes_in_pieces_arrives_whole() -> None:
    received = bytearray()

    def handle(connection: socket.socket) -> None:
        received.extend(request_of(connection))
        connection.sendall(OK)

    pieces = [b"a", bytes(transport.PIECE), b"b" * (transport.PIECE + 1), b"", b"c"]

    async def parts() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def asked(port: int) -> str:
        way = FreshConnections(ssl.create_default_context())
        async with httpx.AsyncClient(transport=way, trust_env=False) as client:
            headers = {"content-length": str(sum(map(len, pieces)))}
            url = f"http://127.0.0.1:{port}/"
            return (await client.post(url, content=parts(), headers=headers)).text

    with listening(handle) as server:
        assert asyncio.run(asked(server.port)) == "whole"
    assert bytes(received).partition(b"\r\n\r\n")[2] == b"".join(pieces)


def test_a_server_is_held_back_while_nobody_reads() -> None:
    sent = 0

    def handle(connection: socket.socket) -> None:
        nonlocal sent
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE))
        for start in range(0, len(LARGE), 100_000):
            connection.sendall(LARGE[start : start + 100_000])
            sent += 100_000

    async def read_late(port: int) -> int:
        way = FreshConnections(ssl.create_default_context())
        async with (
            httpx.AsyncClient(transport=way, trust_env=False) as client,
            client.stream("GET", f"http://127.0.0.1:{port}/") as response,
        ):
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < len(LARGE)
            return sum([len(piece) async for piece in response.aiter_raw()])

    with listening(handle) as server:
        assert asyncio.run(read_late(server.port)) == len(LARGE)


def called(url: str) -> None:
    """Ask a provider there, three times at most."""

    async def call() -> None:
        provider = HttpProvider(
            named("openai", base_url=url), "sk-1", retries=Retries(attempts=3), sleep=no_sleep
        )
        try:
            async for _ in provider.complete(ASKED):
                pass
        finally:
            await provider.aclose()

    asyncio.run(call())


def test_a_call_that_was_cut_off_is_in_doubt_and_made_once() -> None:
    with listening(cut_while_reading) as server, pytest.raises(ProviderInDoubt):
        called(f"http://127.0.0.1:{server.port}/v1")
    assert server.handled == 1


def test_a_call_whose_partner_is_not_trusted_was_not_sent(own: Certificate) -> None:
    with (
        listening(said(OK), tls=own.server) as server,
        pytest.raises(ProviderUnavailable, match="Nothing was sent"),
    ):
        called(f"https://127.0.0.1:{server.port}/v1")
    assert server.handled == 0


def in_pieces(connection: socket.socket) -> None:
    """Answer whole, piece by piece, and break the connection right behind the end."""
    request_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(8):
        connection.sendall(b"5\r\nwhole\r\n")
        time.sleep(0.01)
    connection.sendall(b"3\r\nend\r\n0\r\n\r\n")
    time.sleep(0.05)
    reset(connection)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_what_came_while_a_reply_rested_is_kept_though_its_connection_broke(
    own: Certificate, monkeypatch: pytest.MonkeyPatch, *, encrypted: bool
) -> None:
    monkeypatch.setattr(transport, "UNHURRIED", 0)
    monkeypatch.setattr(transport, "BREATH_S", 0.2)
    tls = own.server if encrypted else None
    with listening(in_pieces, tls=tls) as server:
        url = f"{'https' if encrypted else 'http'}://127.0.0.1:{server.port}/"
        assert ask(url, tls=own.client).text == "whole" * 8 + "end"

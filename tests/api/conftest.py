"""One provider and one service for all tests of the REST contract."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.support.server import Server, serving, settings_in
from tests.support.upstream import Upstream

MAX_UPLOAD_BYTES = 4 << 20
_WORDS = "harbour customs ledger vessel cargo grain timber captain tariff winter pilot anchor quay".split()  # noqa: SIM905 - words as words


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    """The provider that the service is configured with."""
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def server(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service."""
    folder = tmp_path_factory.mktemp("service")
    with serving(settings_in(folder, provider, max_upload_bytes=MAX_UPLOAD_BYTES)) as running:
        yield running


@pytest.fixture
def upstream(provider: Upstream, server: Server) -> Iterator[Upstream]:
    """The provider with empty books; whatever a test makes the service send must be within the contract."""
    del server
    provider.requests.clear()
    provider.invoice.clear()
    provider.script.clear()
    provider.violations.clear()
    yield provider
    assert provider.violations == []


@pytest.fixture(scope="module")
def harbour(server: Server) -> str:
    """The id of a small document."""
    added = server.add("harbour.txt", b"The harbour opened in 1871.\nIt was closed again in 1912.\n")
    return str(added["id"])


@pytest.fixture
def corpus(server: Server, harbour: str) -> str:
    """A fresh corpus of that document alone."""
    return server.corpus(harbour)


def prose(seed: int, lines: int) -> bytes:
    """Lines of made-up records, no two the same; a line is some 20 tokens."""
    draw = random.Random(seed)  # noqa: S311 - made-up text
    return b"".join(
        f"Record {seed}-{n}: {' '.join(draw.choices(_WORDS, k=10))} {draw.randrange(1700, 2000)}.\n".encode()
        for n in range(lines)
    )


@pytest.fixture(scope="module")
def large(server: Server) -> list[str]:
    """The ids of five documents that together pass the threshold of 272,000 tokens."""
    sent = [server.upload(f"volume{n}.txt", prose(n, 3_000)).json()["data"][0] for n in range(1, 6)]
    documents = [server.read(document["id"]) for document in sent]
    assert 280_000 < sum(document["tokens"] for document in documents) < 420_000
    return [document["id"] for document in documents]

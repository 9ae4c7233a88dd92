"""Pages become pictures that a provider takes as they are, and bills as was foreseen."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from ingest import count_tokens
from ingest.formats import DOCX, PDF
from ingest.rendering import View
from service.domain import packing, prompts, vision
from service.domain.documents import Document
from service.domain.prompts import ImagePart
from service.errors import NoImage, NotFound
from service.factory import open_context
from service.provider import ChatRequest, Reply
from service.settings import Settings
from service.usecases.add_document import add_document
from service.usecases.context import LOCAL, Context
from service.usecases.render_pictures import render_pictures
from tests.support import pdfs, seen
from tests.support.asking import task_text
from tests.support.upstream import Upstream
from tests.usecases.test_extract_document import Kept, pieces

A4_AT_200 = (1653, 2338)


@pytest.fixture
def ctx(settings: Settings) -> Iterator[Context]:
    context = open_context(settings, queue=Kept)
    yield context
    context.db.close()


@pytest.fixture
def scan(ctx: Context, tmp_path: Path) -> Document:
    """Three pages without text layer, as far as anyone knows."""
    path = pdfs.text_pdf(tmp_path / "scan.pdf", [[f"Page {n} of a scan."] for n in (1, 2, 3)])
    added = asyncio.run(add_document(ctx, LOCAL, filename="scan.pdf", chunks=pieces(path.read_bytes())))
    return replace(added.document, media_type=PDF)


def views(*numbers: int, detail: vision.Detail = "high") -> list[View]:
    fitted = vision.fit(*A4_AT_200, detail)
    return [View(number, fitted.width, fitted.height) for number in numbers]


def test_pages_come_as_data_uris_of_the_fitted_size(ctx: Context, scan: Document) -> None:
    wanted = views(3, 1)
    found = render_pictures(ctx, scan, wanted)
    assert [seen.size(uri) for uri in found] == [(view.width, view.height) for view in wanted]
    assert found[0] != found[1]
    assert found == render_pictures(ctx, scan, wanted)
    data = base64.b64decode(found[0].removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(data)).format == "JPEG"
    assert render_pictures(ctx, scan, []) == []


def test_what_cannot_be_rendered_names_its_page(ctx: Context, scan: Document) -> None:
    with pytest.raises(NoImage, match=r"^scan\.pdf, page 4: The page can't be drawn"):
        render_pictures(ctx, scan, [*views(2, 4), *views(1)])
    with pytest.raises(NoImage, match=r"^scan\.pdf, page 2: Pages of type"):
        render_pictures(ctx, replace(scan, media_type=DOCX), views(2))
    with pytest.raises(NotFound):
        render_pictures(ctx, replace(scan, sha256="0" * 64), views(2))


@pytest.mark.parametrize("detail", vision.DETAILS)
def test_the_bill_is_within_what_was_foreseen(
    ctx: Context, scan: Document, upstream: Upstream, detail: vision.Detail
) -> None:
    found = render_pictures(ctx, scan, views(1, 2, 3, detail=detail))
    ranges = [vision.tokens(vision.fit(*A4_AT_200, detail).patches)] * 3
    bare, *shown = (_billed(ctx, upstream, parts) for parts in ([], *[_packed(found, detail)] * 2))
    text = _text_tokens(_packed(found, detail))
    for prompt in shown:
        assert sum(least for least, _ in ranges) <= prompt - bare - text <= sum(most for _, most in ranges)
    seen_before = upstream.invoice[-1].cached_tokens
    assert seen_before > sum(least for least, _ in ranges) or shown[-1] < 1_152


def _packed(found: list[str], detail: vision.Detail) -> list[str | ImagePart]:
    blocks: list[str | ImagePart] = [packing.open_document(1, "scan.pdf")]
    for number, uri in enumerate(found, 1):
        blocks += [packing.block(number, ""), ImagePart(uri, detail)]
    return [*blocks, packing.CLOSE]


def _text_tokens(blocks: list[str | ImagePart]) -> int:
    return sum(count_tokens(block) for block in blocks if isinstance(block, str))


def _billed(ctx: Context, upstream: Upstream, blocks: list[str | ImagePart]) -> int:
    """Ask over the blocks; the prompt's tokens on the invoice."""
    parts = list(packing.parts_of(blocks)) or [packing.CLOSE]
    messages = packing.messages(instructions=prompts.ANSWERING, parts=parts, task=task_text("What?"))
    asyncio.run(_asked(ctx, ChatRequest("gpt-5.5", messages, 500, prompt_cache_key="scan")))
    return upstream.invoice[-1].prompt_tokens - (0 if blocks else count_tokens(packing.CLOSE))


async def _asked(ctx: Context, request: ChatRequest) -> Reply:
    (*_, reply) = [event async for event in ctx.provider.complete(request)]
    assert isinstance(reply, Reply)
    return reply

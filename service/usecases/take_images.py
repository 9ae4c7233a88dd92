"""Take the pictures that a question shows: measured, stored once under their hashes, sent as they came."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from service.domain import shown_images as rules
from service.domain.image_headers import NoPicture, header_of
from service.domain.prompts import ImagePart
from service.domain.questions import Question
from service.domain.shown_images import MAX_SHOWN, ShownImage
from service.domain.vision import Detail
from service.errors import Invalid, NotFound, PlanChanged
from service.store import documents, shown_images
from service.usecases.check_parameters import require_sight
from service.usecases.context import Context
from service.usecases.remove_document import forget_files

KEEP_UNUSED = timedelta(days=1)
"""How long a picture that no plan shows is kept: it may be about to be planned with."""


@dataclass(frozen=True, slots=True)
class Said:
    """A picture as a caller says it.

    Attributes:
        uri: an address that the provider fetches (never this service), or a data URI.
        detail: how closely the model looks.
        name: of its file, where it was one.
    """

    uri: str
    detail: Detail
    name: str | None = None


def take_images(ctx: Context, model_name: str, said: Sequence[Said]) -> tuple[ShownImage, ...]:
    """Return the pictures; what came as data is stored. Blocks: call it in a thread.

    Raises:
        NotFound: there is no such model.
        Invalid: one of them is no picture, or there are too many.
        UnsupportedParameter: the model takes none.
        StoreUnavailable: they could not be stored.
    """
    if not said:
        return ()
    if len(said) > MAX_SHOWN:
        raise Invalid(f"A question shows up to {MAX_SHOWN} pictures; these are {len(said):,}.")
    model = ctx.catalog.model(model_name)
    require_sight(ctx.catalog, model)
    contents: dict[str, bytes] = {}
    found: list[ShownImage] = []
    for number, one in enumerate(said, 1):
        detail, content = model.detail(one.detail), rules.data_of(one.uri, number)
        if content is None:
            found.append(ShownImage(detail=detail, url=one.uri, name=one.name))
            continue
        image = _measured(content, number, detail, one.name)
        contents[image.sha256 or ""] = content
        found.append(image)
    _store(ctx, contents)
    return tuple(found)


def showing(ctx: Context, question: Question, said: Sequence[Said]) -> Question:
    """Return the question with the pictures that it shows; see `take_images`."""
    return replace(question, images=take_images(ctx, question.model, said)) if said else question


def part_of(ctx: Context, image: ShownImage) -> ImagePart:
    """Return a picture as it is sent.

    Raises:
        PlanChanged: its file is gone.
    """
    if image.sha256 is None:
        return ImagePart(image.url or "", image.detail)
    try:
        with ctx.blobs.as_path(image.sha256) as path:
            content = path.read_bytes()
    except NotFound as error:
        raise PlanChanged("A picture that the question shows is gone. Ask again with it.") from error
    return ImagePart(f"data:{image.media_type};base64,{base64.b64encode(content).decode()}", image.detail)


def forget_images(ctx: Context) -> None:
    """Delete pictures that no plan shows any more."""
    with ctx.db.write() as tx:
        gone = shown_images.forget_unused(tx, ctx.now() - KEEP_UNUSED)
    forget_files(ctx, gone)


def _measured(content: bytes, number: int, detail: Detail, name: str | None) -> ShownImage:
    try:
        header = header_of(content)
    except NoPicture as error:
        raise Invalid(
            f"Picture {number} {error}. Save it as PNG, JPEG, WebP or GIF, whole, and send it again."
        ) from error
    return ShownImage(
        detail=detail,
        sha256=hashlib.sha256(content).hexdigest(),
        media_type=header.media_type,
        bytes=len(content),
        width=header.width,
        height=header.height,
        name=name,
    )


def _store(ctx: Context, contents: Mapping[str, bytes]) -> None:
    """Store what is not there yet; what is stays at least until a plan has been made."""
    if not contents:
        return
    with ctx.db.write() as tx:
        known = shown_images.touch(tx, contents, ctx.now())
    received = []
    for sha256, content in contents.items():
        if sha256 not in known:
            incoming = ctx.blobs.incoming(secrets.token_hex(16))
            incoming.write(content)
            received.append(incoming.finish())
    if not received:
        return
    with ctx.db.write() as tx:
        there = shown_images.touch(tx, {one.sha256 for one in received}, ctx.now())
        for one in received:
            if one.sha256 in there or documents.uses_of_blob(tx, one.sha256):
                ctx.blobs.discard(one)
            else:
                ctx.blobs.keep(one)
            if one.sha256 not in there:
                shown_images.add(tx, one.sha256, ctx.now())

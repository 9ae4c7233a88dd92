"""Which pages of the asked documents travel as pictures, and what those count; none is drawn for that."""

from __future__ import annotations

from collections.abc import Sequence

from service.domain import vision
from service.domain.corpora import Member
from service.domain.documents import PageCount
from service.domain.manner import NO_IMAGES, Images, Manner
from service.store import documents
from service.store.session import Transaction


def with_pictures(tx: Transaction, members: Sequence[Member], manner: Manner) -> list[Member]:
    """Return the documents with those of their pages as pictures that the manner shows."""
    if manner.images == "none":
        return list(members)
    pictured = documents.pictured_pages(tx, [m.document_id for m in members if m.pages_pictured])

    def images(member: Member) -> Images:
        source, pages = pictured.get(member.document_id, ("", []))
        return manner.images_of(pages, source=source)

    return [member._replace(manner=manner, images=images(member)) for member in members]


def of_each_page(member: Member, pages: Sequence[PageCount]) -> dict[int, Images]:
    """Return the pictures among a document's pages, each by itself."""
    shown = {page.number: member.manner.images_of([page], source="") for page in pages}
    return {number: images for number, images in shown.items() if images.pages}


def could_be_shown(tx: Transaction, members: Sequence[Member], manner: Manner) -> Images:
    """Return the pages without text that could be sent as pictures, where the manner shows none."""
    unread = [m.document_id for m in members if m.pages_pictured and m.pages_without_text > m.pages_blank]
    if manner.images != "none" or not unread:
        return NO_IMAGES
    sizes = documents.sizes_without_text(tx, unread)
    patches = [(vision.fit(w, h, manner.detail).patches, count) for w, h, count in sizes]
    ranges = [(*vision.tokens(each), count) for each, count in patches]
    pages = sum(count for _, _, count in ranges)
    return Images(
        pages=pages,
        tokens_min=sum(least * count for least, _, count in ranges),
        tokens_max=sum(most * count for _, most, count in ranges),
        without_text=pages,
    )

"""Which documents lie in which others, as rows."""

from __future__ import annotations

from service.store import documents, enclosures
from service.store.session import Database, Transaction
from tests.store.rows import TENANT, document


def made(tx: Transaction, *numbers: int, **more: object) -> list[str]:
    new = [document(number, **more) for number in numbers]
    documents.add(tx, *new)
    return [one.id for one in new]


def test_files_come_in_order_and_in_pages(db: Database) -> None:
    with db.write() as tx:
        parent, one, two, three = made(tx, 1, 2, 3, 4)
        enclosures.put(tx, parent, [(5, one, "c"), (0, two, "a"), (2, three, "b")])
    with db.read() as tx:
        found = enclosures.files_of(tx, parent, after=-1, limit=2)
        assert [(file.ordinal, file.name, file.document.id) for file in found] == [
            (0, "a", two),
            (2, "b", three),
        ]
        (last,) = enclosures.files_of(tx, parent, after=2, limit=2)
        assert (last.ordinal, last.document.parent_ids) == (5, (parent,))
        shown = documents.get(tx, TENANT, parent)
        assert shown is not None
        assert (shown.files, shown.parent_ids) == (3, ())


def test_a_place_is_taken_once(db: Database) -> None:
    with db.write() as tx:
        parent, one, two = made(tx, 1, 2, 3)
        enclosures.put(tx, parent, [(0, one, "a"), (1, one, "a again")])
        enclosures.put(tx, parent, [(1, two, "b"), (2, one, "c")])
        found = enclosures.files_of(tx, parent, after=-1, limit=9)
        assert [(file.name, file.document.id) for file in found] == [("a", one), ("b", two), ("c", one)]
        enclosures.cut(tx, parent, first=1)
        assert [file.name for file in enclosures.files_of(tx, parent, after=-1, limit=9)] == ["a"]


def test_documents_that_go_leave_no_place_behind(db: Database) -> None:
    with db.write() as tx:
        parent, one, two = made(tx, 1, 2, 3)
        enclosures.put(tx, parent, [(0, one, "a")])
        enclosures.put(tx, one, [(0, two, "b")])
        documents.remove(tx, one)
        assert enclosures.files_of(tx, parent, after=-1, limit=9) == []
        assert enclosures.links_below(tx, parent) == []


def test_links_reach_all_levels_and_who_else_holds_them(db: Database) -> None:
    with db.write() as tx:
        top, middle, deep, other, beside = made(tx, 1, 2, 3, 4, 5)
        enclosures.put(tx, top, [(1, deep, "deep"), (0, middle, "middle")])
        enclosures.put(tx, middle, [(0, deep, "deep"), (1, top, "around")])
        enclosures.put(tx, other, [(0, deep, "deep"), (1, beside, "beside")])
        links = [(link.parent_id, link.document_id) for link in enclosures.links_below(tx, top)]
        assert links == [(top, middle), (top, deep), (middle, deep), (middle, top), (other, deep)]
        assert [link.document_id for link in enclosures.links_below(tx, beside)] == []


def test_what_came_in_one_upload_is_added_up(db: Database) -> None:
    with db.write() as tx:
        (root,) = made(tx, 1)
        made(tx, 2, 3, root_id=root, uploaded=False, depth=1)
        made(tx, 4, root_id="doc_else", uploaded=False)
        assert enclosures.size_of_root(tx, root) == (2, 1_002 + 1_003)
        assert enclosures.size_of_root(tx, "doc_none") == (0, 0)

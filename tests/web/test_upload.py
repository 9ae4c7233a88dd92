"""Files are added on the page, chosen, dropped or as a folder; each says how far it is or what is wrong."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.support.browsing import Watch
from tests.support.day import made_up
from tests.support.shelf import corpus_of, meter_of, open_corpus, shown_tokens

HOSTILE = '<img src=x onerror="window.pwned=1">\u202egnp.txt'
AT_ONCE = 4

_DROP = """(files) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) transfer.items.add(new File([text], name));
  for (const kind of ['dragenter', 'dragover', 'drop']) {
    const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new DragEvent(kind, how));
  }
}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three files, one of them deeper, and what a system left there."""
    made = tmp_path / "inquiry"
    (made / "letters").mkdir(parents=True)
    (made / "report.txt").write_bytes(made_up("report", 3_000))
    (made / "ledger.txt").write_bytes(made_up("ledger", 2_000))
    (made / "letters" / "first.txt").write_bytes(made_up("letters", 1_000))
    (made / ".DS_Store").write_bytes(b"\0\0\0\1")
    return made


def test_a_folder_becomes_a_corpus(page: Page, client: httpx.Client, folder: Path) -> None:
    page.goto("/")
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Choose a folder").click()
    choosing.value.set_files(folder)
    expect(page.get_by_role("heading", name="inquiry")).to_be_visible()
    expect(page.get_by_role("switch", name="Read")).to_have_count(3)
    expect(page.locator(".document-detail").filter(has_text="1,0")).to_be_visible()
    corpus = page.url.rpartition("/")[2]
    expect(page.locator(".meter-tokens")).to_have_text(f"{meter_of(client, corpus)['input_tokens']:,}")
    names = {one["filename"] for one in meter_of(client, corpus)["documents"]}
    assert {name.rpartition("/")[2] for name in names} == {"report.txt", "ledger.txt", "first.txt"}


def test_a_choice_outlives_the_garbage_collected_while_its_dialog_is_open(page: Page, folder: Path) -> None:
    page = page.context.new_page()  # without a listener, which would hold the input
    page.goto("/")
    page.get_by_role("button", name="Choose files").wait_for()
    browser = page.context.new_cdp_session(page)
    opened: dict[str, object] = {}

    def keep(event: dict[str, object]) -> None:
        opened.update(event)

    browser.on("Page.fileChooserOpened", keep)
    for command in ("Page.enable", "DOM.enable", "HeapProfiler.enable"):
        browser.send(command)
    browser.send("Page.setInterceptFileChooserDialog", {"enabled": True})
    page.get_by_role("button", name="Choose files").click()
    for _ in range(500):
        if not opened:
            page.wait_for_timeout(20)
    browser.send("HeapProfiler.collectGarbage")
    chosen = {"files": [str(folder / "report.txt")], "backendNodeId": opened["backendNodeId"]}
    browser.send("DOM.setFileInputFiles", chosen)
    expect(page.get_by_role("switch", name="Read report.txt")).to_be_visible()


def test_a_document_keeps_the_folder_it_was_dropped_in(page: Page, folder: Path) -> None:
    page.goto("/")
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Choose a folder").click()
    choosing.value.set_files(folder)
    inner = page.get_by_role("switch", name="Read letters/first.txt")
    expect(inner).to_be_visible()
    expect(page.get_by_role("switch", name="Read report.txt", exact=True)).to_be_visible()
    page.reload()
    expect(inner).to_be_visible()
    expect(page.locator(".document-folder")).to_have_text("letters/")


def test_a_file_that_is_there_already_is_told(page: Page, client: httpx.Client) -> None:
    open_corpus(page, corpus_of(client, {"first.txt": 500}, name="Again"))
    page.evaluate(_DROP, [["one.txt", "quay " * 50], ["the same.txt", "quay " * 50]])
    expect(page.get_by_text("1 file was here already")).to_be_visible()
    expect(page.get_by_role("switch", name="Read")).to_have_count(2)


def test_files_are_added_to_a_corpus_and_a_bad_one_says_why(page: Page, client: httpx.Client) -> None:
    corpus = corpus_of(client, {"first.txt": 2_000}, name="Adding")
    open_corpus(page, corpus)
    before = shown_tokens(page)
    with page.expect_file_chooser() as choosing:
        page.get_by_role("button", name="Add files").click()
    choosing.value.set_files(
        [
            FilePayload(name="second.txt", mimeType="text/plain", buffer=made_up("second", 3_000)),
            FilePayload(name="scan.pdf", mimeType="application/pdf", buffer=b"%PDF-1.4 and no more"),
        ]
    )
    expect(page.get_by_text("The PDF is cut off: its end is missing.")).to_be_visible()
    expect(page.get_by_role("switch", name="Read second.txt")).to_be_checked()
    expect(page.locator(".meter-tokens")).to_have_text(f"{meter_of(client, corpus)['input_tokens']:,}")
    assert shown_tokens(page) > before + 2_000
    page.get_by_role("button", name="Take out: scan.pdf").click()
    expect(page.get_by_text("scan.pdf was taken out.")).to_be_attached()
    expect(page.locator(".document.is-failed")).to_have_count(0)


def test_dropped_files_are_added_and_hostile_names_are_text(page: Page, client: httpx.Client) -> None:
    open_corpus(page, corpus_of(client, {"first.txt": 500}, name="Dropping"))
    page.evaluate(_DROP, [[HOSTILE, "<script>window.pwned=1</script> " * 40], ["plain.txt", "harbour " * 50]])
    expect(page.get_by_role("switch", name="Read plain.txt")).to_be_visible()
    expect(page.get_by_text('<img src=x onerror="window.pwned=1">', exact=False).first).to_be_visible()
    assert page.locator("main img").count() == 0
    page.get_by_role("textbox", name="Your question").fill("Who?")
    expect(page.get_by_text("What it will cost")).to_be_visible()
    assert page.evaluate("window.pwned") is None


def test_a_refused_file_is_told_in_its_place(page: Page, client: httpx.Client, watch: Watch) -> None:
    watch.expected.add(413)
    problem = {"status": 413, "code": "too_large", "title": "Too large", "detail": "It is larger than 4 GiB."}
    page.route("**/v1/documents?filename=*", lambda route: route.fulfill(status=413, json=problem))
    open_corpus(page, corpus_of(client, {"first.txt": 500}, name="Refusing"))
    page.evaluate(_DROP, [["huge.bin", "x"]])
    expect(page.get_by_text("It is larger than 4 GiB.")).to_be_visible()
    page.get_by_role("button", name="Dismiss: huge.bin").click()
    expect(page.get_by_text("It is larger than 4 GiB.")).to_have_count(0)


def test_four_files_travel_at_once_at_most(page: Page, client: httpx.Client) -> None:
    open_corpus(page, corpus_of(client, {"first.txt": 500}, name="Many"))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/documents?filename=*", hold)
    page.evaluate(_DROP, [[f"part {n}.txt", f"Part {n} of the record."] for n in range(10)])
    expect(page.get_by_text("10 files on the way")).to_be_visible()
    most, sent = 0, 0
    while sent < 10:
        page.wait_for_timeout(60)
        most = max(most, len(held))
        while held:  # while one is let go, others come
            held.pop().continue_()
            sent += 1
    assert most == AT_ONCE
    expect(page.get_by_role("switch", name="Read part")).to_have_count(10)


def test_what_is_pressed_stays_until_it_is_let_go(page: Page, client: httpx.Client) -> None:
    """Rows are rebuilt as documents come: a press that began on a row before must count."""
    open_corpus(page, corpus_of(client, {"first.txt": 500}, name="Pressed"))
    first = page.get_by_role("switch", name="Read first.txt")
    told = page.locator(".documents > [role=status]")
    for n, by in enumerate(("key", "mouse")):
        first.focus()
        first.hover()
        was_on = first.is_checked()
        page.keyboard.down("Space") if by == "key" else page.mouse.down()
        page.evaluate(_DROP, [[f"further {n}.txt", f"Further {n}."]])
        expect(told).to_contain_text(f"of {n + 2} on")
        expect(first).to_be_checked(checked=was_on)
        page.keyboard.up("Space") if by == "key" else page.mouse.up()
        expect(first).to_be_checked(checked=not was_on)
        expect(page.get_by_role("switch", name="Read")).to_have_count(n + 2)

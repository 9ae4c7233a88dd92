"""MSG: text, recipients and attachments by the properties of the message, however its body is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ingest
from ingest import Unit
from ingest.formats import MSG, mapi, outlook, packedrtf
from ingest.formats.packedrtf import unpacked
from tests.support import compound
from tests.support.enclosing import Read, gathered, read_here

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"
LARGE = b"attached " * 100_000
"""Streams of the tests' containers are filled up to 4,096 bytes; longer ones stay as they are."""


def properties(numbers: Mapping[int, int], header: int) -> bytes:
    rows = b"".join(pack("<HHIQ", 3, number, 6, value) for number, value in numbers.items())
    return bytes(header) + rows


def texts(values: Mapping[int, str], place: str = "") -> dict[str, bytes]:
    return {
        f"{place}__substg1.0_{number:04X}001F": text.encode("utf-16-le") for number, text in values.items()
    }


SENT = int((datetime(2024, 6, 20, 9, 15, 30, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds())
HEADER = {0x0037: "Hello", 0x0C1A: "Ann", 0x0C1F: "ann@example.org", 0x0E04: "shown to"}


def message(
    body: Mapping[str, bytes], place: str = "", *, numbers: Mapping[int, int] | None = None
) -> dict[str, bytes]:
    fixed = {0x0039: SENT * 10_000_000, **(numbers or {})}
    listed = properties(fixed, 24 if place else 32)
    inside = {f"{place}{name}": data for name, data in body.items()}
    return {f"{place}__properties_version1.0": listed, **texts(HEADER, place), **inside}


def recipient(number: int, kind: int, name: str, address: str, place: str = "") -> dict[str, bytes]:
    storage = f"{place}__recip_version1.0_#{number:08X}/"
    listed = {f"{storage}__properties_version1.0": properties({0x0C15: kind}, 8)}
    return {**listed, **texts({0x3001: name, 0x39FE: address}, storage)}


def attachment(number: int, name: str, data: bytes | None, place: str = "", **more: str) -> dict[str, bytes]:
    storage = f"{place}__attach_version1.0_#{number:08X}/"
    listed = {f"{storage}__properties_version1.0": properties({}, 8)}
    said = {0x3707: name, **{int(number, 16): text for number, text in more.items()}}
    held = {} if data is None else {f"{storage}__substg1.0_37010102": data}
    return {**listed, **texts({number: text for number, text in said.items() if text}, storage), **held}


def inner(number: int, place: str = "") -> str:
    return f"{place}__attach_version1.0_#{number:08X}/__substg1.0_3701000D/"


def read(tmp_path: Path, streams: Mapping[str, bytes]) -> Read:
    return read_here(compound.container(tmp_path / "upload", streams), "upload.msg")


PLAIN = texts({0x1000: "Dear Bo,\r\n\r\nhow are you?\r\n"})
SHOWN = "From: Ann <ann@example.org>\nTo: shown to\nDate: Thu, 20 Jun 2024 09:15:30 +0000\nSubject: Hello"


def test_a_message_is_its_header_and_its_text(tmp_path: Path) -> None:
    found = read(tmp_path, message(PLAIN))
    assert found.started is not None
    assert (found.started.media_type, found.started.unit, found.started.total) == (MSG, Unit.SECTION, 1)
    assert found.text == f"{SHOWN}\n\nDear Bo,\n\nhow are you?"
    assert (found.title, found.files, found.notices) == ("Hello", {}, ())


def test_recipients_are_named_with_their_addresses(tmp_path: Path) -> None:
    people = {
        **recipient(0, 1, "Bo", "bo@example.org"),
        **recipient(1, 2, "cy@example.org", "cy@example.org"),
        **recipient(2, 1, "Di", "/O=EXCHANGE/CN=DI"),
        **recipient(3, 3, "", "ed@example.org"),
    }
    text = read(tmp_path, {**message(PLAIN), **people}).text
    assert "\nTo: Bo <bo@example.org>, Di\nCc: cy@example.org\nBcc: ed@example.org\nDate: " in text


@pytest.mark.parametrize(
    ("body", "numbers", "text"),
    [
        ({"__substg1.0_1000001E": "Grüße".encode("cp1252")}, {}, "Grüße"),
        ({"__substg1.0_1000001E": "Привет".encode("cp1251")}, {0x3FFD: 1251}, "Привет"),
        ({"__substg1.0_1000001E": "Привет".encode()}, {0x3FDE: 65001}, "Привет"),
        ({"__substg1.0_10130102": "<p>Grü<b>ße</b></p>".encode("cp1252")}, {0x3FDE: 28591}, "Grüße"),
        ({"__substg1.0_10130102": "<p>Grü<b>ße</b></p>".encode()}, {}, "Grüße"),
        (texts({0x1013: "<h1>Head</h1><p>Text</p>", 0x1000: " \r\n"}), {}, "# Head\n\nText"),
        (texts({0x1013: "<p>Text</p>", 0x1000: "\u200b\r\n"}), {}, "Text"),
        ({}, {}, ""),
    ],
)
def test_a_body_is_read_however_it_is_kept(
    tmp_path: Path, body: dict[str, bytes], numbers: dict[int, int], text: str
) -> None:
    body = {
        name: data.ljust(4_096) if name.endswith("0102") else data.ljust(4_096, b"\0")
        for name, data in body.items()
    }
    found = read(tmp_path, message(body, numbers=numbers))
    assert found.text.removeprefix(SHOWN).strip() == text


def packed(rtf: bytes) -> bytes:
    """The RTF in literal bytes alone, which needs no search for what comes twice."""
    runs = b"".join(b"\0" + rtf[start : start + 8] for start in range(0, len(rtf), 8))
    return pack("<IIII", len(runs) + 12, len(rtf), 0x75465A4C, 0) + runs


RTF = rb"{\rtf1\ansi\ansicpg1252\fromhtml1{\*\htmltag64 <p>}Dear \b Bo\b0 ,\par how are you?}"


@pytest.mark.parametrize(
    "data",
    [packed(RTF), pack("<IIII", len(RTF) + 12, len(RTF), 0x414C454D, 0) + RTF],
    ids=["packed", "plain"],
)
def test_rtf_is_read_where_there_is_nothing_else(tmp_path: Path, data: bytes) -> None:
    found = read(tmp_path, message({"__substg1.0_10090102": data}))
    assert found.text == f"{SHOWN}\n\nDear Bo,\nhow are you?"


def test_packed_rtf_is_unpacked() -> None:
    """The two examples of [MS-OXRTFCP] 3.1."""
    first = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert unpacked(first) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    second = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert unpacked(second) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_unpacked_or_nothing(data: bytes) -> None:
    assert len(unpacked(data)) <= 18 * len(data)
    assert len(unpacked(pack("<IIII", 0, 2**31, 0x75465A4C, 0) + data)) <= 18 * len(data)


def test_rtf_beyond_reason_is_not_unpacked() -> None:
    assert unpacked(packed(b"x" * packedrtf.MAX_PACKED)) == b""


@pytest.mark.parametrize("place", ["", inner(0)])
def test_a_body_beyond_reason_is_told(tmp_path: Path, place: str) -> None:
    long = {"__substg1.0_10090102": packed(b"x" * packedrtf.MAX_PACKED)}
    streams = message(long, place)
    if place:
        streams |= {**message(PLAIN), **attachment(0, "", None)}
    assert read(tmp_path, streams).codes == ["text_not_read"]


def test_markup_beyond_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapi, "MAX_BODY_BYTES", 1_000)
    markup = {"__substg1.0_10130102": b"<p>x</p>" * 1_001}
    assert read(tmp_path, message(markup)).codes == ["text_not_read"]


def test_rtf_that_is_not_packed_may_be_long(tmp_path: Path) -> None:
    rtf = RTF[:-1] + rb"\par " + b"0123456789 " * 500_000 + b"end}"
    data = pack("<IIII", len(rtf) + 12, len(rtf), 0x414C454D, 0) + rtf
    found = read(tmp_path, message({"__substg1.0_10090102": data}))
    assert found.text.startswith(f"{SHOWN}\n\nDear Bo,")
    assert found.text.endswith(" end")
    assert found.notices == ()


# What is attached


def test_attachments_are_files(tmp_path: Path) -> None:
    files = {
        **attachment(0, "Größe.pdf", LARGE),
        **attachment(1, "..\\up.txt", LARGE[1:]),
        **attachment(2, "", LARGE[2:], **{"370E": "image/png"}),
        **attachment(3, "linked.doc", None),
        **attachment(4, "logo.png", b"x" * 5_000, **{"370E": "image/png", "3712": "logo@1"}),
    }
    found = read(tmp_path, {**message(PLAIN), **files})
    wanted = {"Größe.pdf": LARGE, "up.txt": LARGE[1:], "picture 3.png": LARGE[2:], "logo.png": b"x" * 5_000}
    assert found.files == wanted
    assert sorted(found.codes) == ["attachment_not_read", "unsafe_path"]
    assert "Attachments: Größe.pdf, ..\\up.txt, picture 3.png, logo.png\n" in found.text


def test_an_enclosed_message_is_a_mail_with_its_files(tmp_path: Path) -> None:
    place = inner(0)
    enclosed = {
        **attachment(0, "", None),
        **message(texts({0x1000: "--=_enclosed_1\r\nInner wörds."}), place),
        **texts({0x0037: "Re: a/b\r\nX: y"}, place),
        **recipient(0, 1, "Bö", "bo@example.org", place),
        **attachment(0, "Größe.bin", LARGE, place),
        **attachment(1, "", None, place),
        **message(texts({0x1000: "Deeper."}), inner(1, place)),
        **attachment(0, "deep.bin", LARGE[3:], inner(1, place)),
    }
    found = read(tmp_path, {**message(PLAIN), **enclosed})
    assert list(found.files) == ["Re: a-b X: y.eml"]
    path = tmp_path / "inner.eml"
    path.write_bytes(found.files["Re: a-b X: y.eml"])
    again = read_here(path)
    assert again.text == (
        "From: Ann <ann@example.org>\nTo: Bö <bo@example.org>\nDate: Thu, 20 Jun 2024 09:15:30 +0000\n"
        "Subject: Re: a/b X: y\nAttachments: Größe.bin, Hello.eml\n\n--=_enclosed_1\nInner wörds."
    )
    assert (list(again.files), again.files["Größe.bin"] == LARGE) == (["Größe.bin", "Hello.eml"], True)
    path.write_bytes(again.files["Hello.eml"])
    deepest = read_here(path)
    assert deepest.text.endswith("Deeper.")
    assert deepest.files == {"deep.bin": LARGE[3:]}


def test_messages_in_messages_end_somewhere(tmp_path: Path) -> None:
    streams, place = message(PLAIN), ""
    for _ in range(outlook.MAX_DEPTH + 2):
        streams |= attachment(0, "", None, place)
        place = inner(0, place)
        streams |= message(PLAIN, place)
    found = read(tmp_path, streams)
    assert found.codes == ["nested_too_deep"]
    assert len(found.files) == 1


def test_a_sealed_message_is_told(tmp_path: Path) -> None:
    sealed = {**texts({0x001A: "IPM.Note.SMIME"}), **attachment(0, "smime.p7m", LARGE)}
    assert read(tmp_path, {**message({}), **sealed}).codes == ["file_encrypted"]


def test_files_come_through_the_reading_process(tmp_path: Path) -> None:
    path = compound.container(tmp_path / "a.msg", {**message(PLAIN), **attachment(0, "a.bin", LARGE)})
    assert gathered(ingest.read(path, filename="a.msg")).files == {"a.bin": LARGE}


def test_a_storage_that_holds_itself_is_damaged(tmp_path: Path) -> None:
    path = compound.container(tmp_path / "upload", {**message(PLAIN), **attachment(0, "a", LARGE)})
    data = bytearray(path.read_bytes())
    place = data.find("Root Entry".encode("utf-16-le"))
    data[place + 66], data[place + 76 : place + 80] = 1, bytes(4)  # a storage, its first child itself
    path.write_bytes(data)
    with pytest.raises(ingest.DamagedDocument, match="its structure is broken"):
        read_here(path)


@pytest.mark.parametrize("shift", [13, 35, 255])
def test_a_header_that_names_huge_sectors_is_damaged(tmp_path: Path, shift: int) -> None:
    path = compound.container(tmp_path / "a.msg", message(PLAIN))
    data = bytearray(path.read_bytes())
    data[30] = shift  # of two, in the first bytes of which everything would stand
    path.write_bytes(data)
    with pytest.raises(ingest.IngestError) as refused:
        read_here(path)
    assert str(refused.value).endswith(".")


# Anything


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_change_ends_in_pages_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    streams = {**message({"__substg1.0_10090102": packed(RTF)}), **attachment(0, "a.bin", b"x" * 5_000)}
    streams |= {**recipient(0, 1, "Bo", "bo@example.org"), **message(PLAIN, inner(0))}
    path = compound.container(tmp_path_factory.getbasetemp() / "any.msg", streams)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.just(len(raw)) | st.integers(1, len(raw)))])
    try:
        read_here(path)
    except ingest.IngestError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either end is right


# Real messages


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
def test_real_messages_are_read() -> None:
    found = read_here(SAMPLES / "msg_with_attachment.msg")
    assert found.text == (
        "From: Alice Example <alice@example.com>\nTo: Bob Example <bob@example.com>\n"
        "Date: Wed, 20 May 2026 10:30:00 +0000\nSubject: Email with Attachment\n"
        "Attachments: test.txt, report.pdf\n\nThis email contains an attachment."
    )
    assert found.files == {
        "test.txt": b"This is a test attachment file.\nIt contains some dummy content.\n",
        "report.pdf": b"%PDF-1.4 fake report bytes",
    }
    found = read_here(SAMPLES / "test_outlook_msg.msg")
    assert found.text == (
        "From: M. C. Kurtuluş <test.sender@example.com>\nTo: test.recipient@example.com\n"
        "Date: Sun, 22 Dec 2024 08:23:00 +0000\nSubject: Test Email Message\n\n"
        "This is the body of the test email message"
    )
    assert (found.files, found.notices) == ({}, ())

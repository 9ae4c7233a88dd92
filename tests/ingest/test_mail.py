"""Mails and mailboxes: what a reader sees as text, what is attached as files, whatever is broken."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import closing
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ingest
from ingest import Unit
from ingest.formats import EML, MBOX, letters, mime
from ingest.formats.mail import _MailboxReading, open_document
from ingest.formats.mime import content, decoded, decoded_words, structure
from tests.support.enclosing import Read, gathered, read_here

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"

HEAD = (
    "From: Ann <ann@example.org>\nTo: bo@example.org\nDate: Thu, 20 Jun 2024 09:15:30 +0000\nSubject: Hello\n"
)
SHOWN = HEAD.strip()


def mail(**fields: str) -> EmailMessage:
    message = EmailMessage()
    given_fields = {"From": "Ann <ann@example.org>", "To": "bo@example.org", "Subject": "Hello", **fields}
    for name, value in given_fields.items():
        message[name] = value
    message["Date"] = "Thu, 20 Jun 2024 09:15:30 +0000"
    message["MIME-Version"] = "1.0"
    return message


def read(tmp_path: Path, data: EmailMessage | bytes | str, name: str = "upload.eml") -> Read:
    path = tmp_path / "upload"
    if isinstance(data, EmailMessage):
        data = data.as_bytes()
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_here(path, name)


def mail_spans(tmp_path: Path, data: bytes) -> list[tuple[int, int]]:
    """Where the messages of a mailbox stand."""
    path = tmp_path / "upload"
    path.write_bytes(data)
    with closing(open_document(path, MBOX)) as reading:
        assert isinstance(reading, _MailboxReading)
        return reading.spans


def body(read: Read) -> str:
    return read.text.partition("\n\n")[2]


# What it says


def test_a_mail_is_its_header_and_its_text(tmp_path: Path) -> None:
    message = mail(Cc="Cy <cy@example.org>", **{"X-Mailer": "not shown"})
    message.set_content("Dear Bo,\n\nhow are you?\n")
    found = read(tmp_path, message)
    assert found.started is not None
    assert (found.started.media_type, found.started.unit, found.started.total) == (EML, Unit.SECTION, 1)
    assert found.text == (
        "From: Ann <ann@example.org>\nTo: bo@example.org\nCc: Cy <cy@example.org>\n"
        "Date: Thu, 20 Jun 2024 09:15:30 +0000\nSubject: Hello\n\nDear Bo,\n\nhow are you?"
    )
    assert (found.title, found.files, found.notices) == ("Hello", {}, ())


@pytest.mark.parametrize(
    ("said", "raw", "text"),
    [
        ("", "One \nline.\n", "One \nline."),
        ("; format=flowed", "One \nline \nonly.\nNext.\n", "One line only.\nNext."),
        ("; format=Flowed; DelSp=Yes", "東京 \n都 \n庁\n", "東京都庁"),
        ("; format=flowed", " From there.\n  > not quoted\n", "From there.\n > not quoted"),
        ("; format=flowed", "> a \n> b\n>> c \nd \n-- \nAnn\n", "> a b\n>> c \nd \n-- \nAnn"),
    ],
)
def test_lines_that_flow_are_joined(tmp_path: Path, said: str, raw: str, text: str) -> None:
    for line_end in ("\n", "\r\n"):
        data = f"{HEAD}Content-Type: text/plain; charset=utf-8{said}\n\n{raw}".replace("\n", line_end)
        lines = [line.rstrip() for line in text.split("\n")]
        assert [line.rstrip() for line in body(read(tmp_path, data)).split("\n")] == lines


def test_parts_of_a_digest_are_mails(tmp_path: Path) -> None:
    parts = "".join(f"--b\n\nSubject: Part {n}\nFrom: a\n\nText {n}.\n" for n in range(2))
    found = read(tmp_path, f"{HEAD}Content-Type: multipart/digest; boundary=b\n\n{parts}--b--\n")
    assert list(found.files) == ["Part 0.eml", "Part 1.eml"]
    assert found.files["Part 1.eml"] == b"Subject: Part 1\nFrom: a\n\nText 1."


@pytest.mark.parametrize(
    ("meta", "data", "text"),
    [
        ('<meta charset="koi8-r">', "Привет".encode("koi8-r"), "Привет"),
        ("<META http-equiv=x content='text/html; charset=iso-2022-jp'>", b"\x1b$B2q5D\x1b(B", "会議"),
        ("<meta charset=iso-8859-1>", "Köln".encode(), "Köln"),
        ("<meta name=x>", "Köln".encode("cp1252"), "Köln"),
    ],
)
def test_html_may_name_its_encoding_itself(tmp_path: Path, meta: str, data: bytes, text: str) -> None:
    head = f"{HEAD}Content-Type: text/html\n\n<html><head>{meta}</head><body>"
    assert body(read(tmp_path, head.encode() + data)) == text


def test_the_same_for_another_program_is_no_file(tmp_path: Path) -> None:
    message = mail()
    message.set_content("Plain words.\n")
    message.add_alternative("<html amp4email></html>", subtype="x-amp-html")
    message.add_alternative("<p>Marked words.</p>", subtype="html")
    found = read(tmp_path, message)
    assert (body(found), found.files) == ("Plain words.", {})


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_plain_text_goes_before_html(tmp_path: Path, line_end: bytes) -> None:
    message = mail()
    message.set_content("Plain words.\n")
    message.add_alternative("<p>Marked words.</p>", subtype="html")
    found = read(tmp_path, message.as_bytes().replace(b"\n", line_end))
    assert (body(found), found.files) == ("Plain words.", {})


@pytest.mark.parametrize("plain", [None, "", " \n", "\xa0\n", "\t\u200b \n\ufeff"])
def test_html_is_read_where_there_is_no_plain_text(tmp_path: Path, plain: str | None) -> None:
    message = mail()
    markup = "<html><head><style>p {}</style></head><body><h1>Head</h1><p>Some <b>words</b></p></body></html>"
    if plain is None:
        message.set_content(markup, subtype="html")
    else:
        message.set_content(plain)
        message.add_alternative(markup, subtype="html")
    assert body(read(tmp_path, message)) == "# Head\n\nSome words"


def test_a_long_mail_is_cut_into_sections(tmp_path: Path) -> None:
    message = mail()
    message.set_content("\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(300)))
    found = read(tmp_path, message)
    assert len(found.pages) > 20
    assert all(f"Paragraph {number}." in found.text for number in range(300))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_K=C3=B6ln?=", "Grüße aus Köln"),
        ("=?UTF-8?B?5pel5pys?=\n =?UTF-8?B?6Kqe?= x", "日本語 x"),
        ("=?utf-8?b?5pel5pys6A==?= =?utf-8?b?qp4=?=", "日本語"),
        ("=?iso-8859-1*de?Q?caf=E9?= and =?koi8-r?B?4uM=?=", "café and БЦ"),
        ("=?utf-8?b?!!!?= =?unknown?q?x=C3?= =?broken", "xÃ =?broken"),
        ("=?utf-8?q?a?==?utf-8?q?b?= c", "ab c"),
        ("plain\n\ttext", "plain text"),
    ],
)
def test_encoded_words_are_decoded(tmp_path: Path, value: str, text: str) -> None:
    assert decoded_words(value) == text
    assert f"Subject: {text}" in read(tmp_path, f"Subject: {value}\nFrom: a\n\nx").text


@pytest.mark.parametrize(
    ("charset", "data", "text", "codes"),
    [
        ("utf-8", "Köln".encode(), "Köln", []),
        ("iso-8859-1", "“Köln”".encode("cp1252"), "“Köln”", []),
        ("us-ascii", "Köln".encode(), "Köln", []),
        ("koi8-r", "Привет".encode("koi8-r"), "Привет", []),
        ("x-unheard-of", "Köln".encode(), "Köln", []),
        ("utf-8", "Köln".encode("latin-1"), "K\ufffdln", ["undecodable_bytes"]),
        ("idna", "Köln".encode(), "Köln", []),
        ("base64", "Köln".encode(), "Köln", []),
        ("", "Köln".encode("latin-1"), "Köln", []),
    ],
)
def test_text_is_read_in_its_own_encoding(
    tmp_path: Path, charset: str, data: bytes, text: str, codes: list[str]
) -> None:
    head = f"{HEAD}Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    found = read(tmp_path, head.encode() + data)
    assert (body(found), found.codes) == (text, codes)


@pytest.mark.parametrize(
    ("data", "charset", "text", "codes"),
    [
        (b"\x1b$B2q5D$O\x2d\x21HV\x1b(B", "iso-2022-jp", "会議は①番", []),
        (b"\x1b$B\x2d\x6a\x1b(B A\r\n\x1b(I1234\x1b(B.", "ISO-2022-JP", "㈱ A\r\nｱｲｳｴ.", []),
        (b"\x1b$(D0!\x1b$B\x2d\x21\x1b(B", "iso-2022-jp", "丂①", []),
        (b"\x1b$B2q5", "iso-2022-jp", "会\ufffd", ["undecodable_bytes"]),
        (b"a \x1b%G b", "iso-2022-jp", "a \x1b%G b", ["undecodable_bytes"]),
        ("Köln".encode(), "iso-2022-jp", "Köln", []),
        (b"\x1b$)C\x0e0!\x0f", "iso-2022-kr", "가", []),
        (b"\x1b$)A\x0eabc", "iso-2022-cn", "\x1b$)A\x0eabc", ["undecodable_bytes"]),
        (b"~{<:~}", "hz-gb-2312", "己", []),
        (b"+ZeVnLIqe- +Ze", "utf-7", "日本語 \ufffd", ["undecodable_bytes"]),
        ("ไทย".encode("cp874"), "windows-874", "ไทย", []),
        ("日本".encode("euc_jp"), "x-euc-jp", "日本", []),
    ],
)
def test_text_that_shifts_is_never_taken_for_ascii(
    tmp_path: Path, data: bytes, charset: str, text: str, codes: list[str]
) -> None:
    assert decoded(data, charset) == (text, not codes)
    head = f"{HEAD}Content-Type: text/plain; charset={charset}\n\n"
    assert read(tmp_path, head.encode() + data).codes == codes


def test_japanese_that_shifts_is_all_of_its_character_set() -> None:
    for row in range(0x21, 0x7F):
        line = b"".join(bytes((row, cell)) for cell in range(0x21, 0x7F))
        for pair in (line[at : at + 2] for at in range(0, len(line), 2)):
            data = b"\x1b$B" + pair + b"\x1b(I1\x1b(B"
            shown = bytes((pair[0] | 0x80, pair[1] | 0x80)).decode("euc_jp", "ignore")
            if shown and shown not in "〜‖\u2212¢£¬":  # which cp932 has wide
                assert decoded(data, "iso-2022-jp") == (shown + "ｱ", True)


def test_transfer_encodings_are_undone(tmp_path: Path) -> None:
    text = "Größe = 10 €\n" * 15_000
    for way in ("quoted-printable", "base64"):
        message = mail()
        message.set_content(text, cte=way)
        found = read(tmp_path, message)
        assert body(found).replace("\n\n", "\n").count("Größe = 10 €") == 15_000


def test_broken_base64_is_told(tmp_path: Path) -> None:
    head = HEAD + "Content-Transfer-Encoding: base64\n\n"
    found = read(tmp_path, head + "SGVsbG8gd29ybGQhI")
    assert (body(found), found.codes) == ("Hello world!", ["text_cut_off"])


@pytest.mark.parametrize(
    ("data", "text", "codes"),
    [
        ("SGVs*bG8\n gd29y*bGQ=\n", "Hello world", []),
        ("SGVs*bG8\n gd29y*bGQ=\nfooter", "Hello world", ["trailing_bytes"]),
        ("SGVsbG8gd29ybGQ=\n_____\nA footer\n", "Hello world", ["trailing_bytes"]),
        ("SGVsbG8gd29ybGQ=\r\nU2Vjb25kIHBhcnQ=\r\n", "Hello worldSecond part", []),
        ("QQ==QQ==\nQUFB", "AAAAA", []),
        ("QQ===", "A", []),
    ],
)
def test_what_stands_behind_padding_is_not_lost(
    tmp_path: Path, data: str, text: str, codes: list[str]
) -> None:
    found = read(tmp_path, f"{HEAD}Content-Transfer-Encoding: base64\n\n{data}")
    assert (body(found), found.codes) == (text, codes)
    parts = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n"
    head = "Content-Disposition: attachment; filename=a.txt\nContent-Transfer-Encoding: base64\n\n"
    found = read(tmp_path, f"{HEAD}{parts}{head}{data}\n--b--\n")
    assert (found.files, found.codes) == ({"a.txt": text.encode()}, codes)


@given(st.lists(st.binary(min_size=1, max_size=400_000), max_size=3))
@settings(max_examples=20, deadline=None)
def test_base64_in_pieces_is_decoded(pieces: list[bytes]) -> None:
    head = b"Content-Transfer-Encoding: base64\n\n"
    data = head + b"".join(map(base64.encodebytes, pieces))
    file = BytesIO(data)
    assert b"".join(content(file, structure(file, 0, len(data)))) == b"".join(pieces)


def test_a_multipart_without_parts_shows_its_bytes(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + "Content-Type: multipart/mixed\n\nOnly text.\n")
    assert body(found) == "Only text."
    found = read(tmp_path, HEAD + "Content-Type: multipart/mixed; boundary=b\n\nOnly text.\n")
    assert body(found) == "Only text."


def test_an_encrypted_mail_needs_its_key(tmp_path: Path) -> None:
    for kind in (
        'multipart/encrypted; boundary="b"',
        "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
    ):
        with pytest.raises(ingest.EncryptedDocument, match="encrypted"):
            read(tmp_path, f"{HEAD}Content-Type: {kind}\n\n--b\n\nx\n--b--\n")


# What is attached


def test_attachments_are_files(tmp_path: Path) -> None:
    large = bytes(range(256)) * 4_000
    message = mail()
    message.set_content("See attached.\n")
    message.add_attachment(large, maintype="application", subtype="octet-stream", filename="Größe.bin")
    message.add_attachment("a,b\n1,2\n", subtype="csv", filename="../table.csv")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf")
    message.add_attachment("BEGIN:VCALENDAR\n", subtype="calendar")
    found = read(tmp_path, message)
    assert list(found.files) == ["Größe.bin", "table.csv", "attachment 3.pdf", "text 4.ics"]
    assert found.files["Größe.bin"] == large
    assert found.files["table.csv"] == b"a,b\n1,2\n"
    assert body(found) == "See attached."
    assert "Attachments: Größe.bin, ../table.csv, attachment 3.pdf, text 4.ics" in found.text
    assert found.codes == ["unsafe_path"]


def test_files_come_through_the_reading_process(tmp_path: Path) -> None:
    message = mail()
    message.set_content("x")
    message.add_attachment(b"text", maintype="text", subtype="plain", filename="a.txt")
    path = tmp_path / "upload.eml"
    path.write_bytes(message.as_bytes())
    found = gathered(ingest.read(path, filename=path.name))
    assert (found.files, found.title) == ({"a.txt": b"text"}, "Hello")


def test_an_enclosed_mail_is_a_mail(tmp_path: Path) -> None:
    inner = mail(Subject="Inner: a/b")
    inner.set_content("Inner words.\n")
    inner.add_attachment(b"deep", maintype="image", subtype="png", filename="deep.png")
    message = mail()
    message.set_content("Outer words.\n")
    message.add_attachment(inner)
    found = read(tmp_path, message)
    assert (body(found), list(found.files)) == ("Outer words.", ["Inner: a-b.eml"])
    again = read(tmp_path, found.files["Inner: a-b.eml"])
    assert (body(again), again.files) == ("Inner words.", {"deep.png": b"deep"})


@pytest.mark.parametrize("size", [letters.TINY_PICTURE, letters.TINY_PICTURE + 100])
def test_tiny_pictures_and_signatures_are_left_out(tmp_path: Path, size: int) -> None:
    message = mail()
    message.set_content("Words.\n")
    message.add_alternative("<p>Words <img src=cid:a></p>", subtype="html")
    related = message.get_payload()
    assert isinstance(related, list)
    related[1].add_related(b"x" * size, "image", "gif", cid="<a>", filename="dot.gif")  # type: ignore[union-attr]
    message.make_mixed()
    message.add_attachment(b"x", maintype="image", subtype="png", filename="tiny.png")
    message.add_attachment(b"x", maintype="application", subtype="pgp-signature", filename="signature.asc")
    found = read(tmp_path, message)
    pictures = ["tiny.png"] if size <= letters.TINY_PICTURE else ["dot.gif", "tiny.png"]
    assert (body(found), list(found.files)) == ("Words.", pictures)
    assert found.codes == ["attachments_left_out"]


def test_an_invitation_is_attached_beside_its_text(tmp_path: Path) -> None:
    message = mail()
    message.set_content("Please come.\n")
    message.add_alternative("BEGIN:VCALENDAR\n", subtype="calendar")
    found = read(tmp_path, message)
    assert (body(found), list(found.files)) == ("Please come.", ["text 1.ics"])


def test_a_mail_that_is_one_file_is_that_file(tmp_path: Path) -> None:
    head = f"{HEAD}Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\n"
    found = read(tmp_path, head + base64.b64encode(b"%PDF-1.7").decode())
    assert (found.files, found.text) == ({"a.pdf": b"%PDF-1.7"}, f"{SHOWN}\nAttachments: a.pdf")


def test_a_file_in_a_mail_that_is_cut_off_is_a_fault(tmp_path: Path) -> None:
    message = mail()
    message.set_content("Words.\n")
    message.add_attachment(b"a" * 9, maintype="application", subtype="pdf", filename="a.pdf")
    message.add_attachment(b"b" * 9_000, maintype="application", subtype="pdf", filename="b.pdf")
    found = read(tmp_path, message.as_bytes()[:-4_000])
    assert (body(found), list(found.files)) == ("Words.", ["a.pdf"])
    assert found.faults["b.pdf"].code == "file_damaged"


@pytest.mark.parametrize(
    ("kind", "data", "whole"),
    [
        ("application/pdf", base64.encodebytes(b"a" * 100).decode(), True),
        ("application/pdf", base64.encodebytes(b"a" * 100).decode()[:-3], False),
        ("application/octet-stream", "raw", False),
        ("text/csv", "a,b", True),
    ],
)
def test_a_file_before_a_missing_boundary_is_kept(tmp_path: Path, kind: str, data: str, whole: bool) -> None:  # noqa: FBT001
    way = "7bit" if len(data) < 10 else "base64"
    part = f"Content-Type: {kind}; name=a\nContent-Transfer-Encoding: {way}\n\n{data}"
    found = read(tmp_path, f"{HEAD}Content-Type: multipart/mixed; boundary=b\n\n--b\n\nWords.\n--b\n{part}")
    assert (list(found.files), list(found.faults)) == ((["a"], []) if whole else ([], ["a"]))
    assert ("file_cut_off" in found.codes) is whole


def test_one_text_beyond_reason_takes_no_other_with_it(tmp_path: Path) -> None:
    part = "--b\nContent-Type: text/plain\n\n"
    long = "word\n" * 300_000
    head = f"{HEAD}Content-Type: multipart/mixed; boundary=b\n\n"
    found = read(tmp_path, f"{head}{part}{long}{part}Short one.\n{part}Short two.\n--b--\n")
    assert (body(found), list(found.files)) == ("Short one.\n\nShort two.", ["text 1.txt"])


def test_text_beyond_reason_is_a_file(tmp_path: Path) -> None:
    message = mail()
    message.set_content("word\n" * 300_000)
    found = read(tmp_path, message)
    assert (found.text, found.codes) == (f"{SHOWN}\nAttachments: text 1.txt", ["long_text"])
    assert found.files["text 1.txt"].count(b"word") == 300_000


# Structure


def nested(depth: int) -> bytes:
    text = HEAD
    for level in range(depth):
        text += f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
    return (text + "\nInnermost.\n").encode()


@pytest.mark.parametrize("depth", [1, mime.MAX_DEPTH, 1_000])
def test_a_mail_may_be_nested_deep(tmp_path: Path, depth: int) -> None:
    assert "Innermost." in read(tmp_path, nested(depth)).text


def test_mails_in_mails_are_read_one_at_a_time(tmp_path: Path) -> None:
    data = b"Subject: innermost\nFrom: a\n\nx"
    for _ in range(1_000):
        data = b"Subject: s\nFrom: a\nContent-Type: message/rfc822\n\n" + data
    assert list(read(tmp_path, data).files) == ["s.eml"]


def test_a_million_header_lines_are_no_harm(tmp_path: Path) -> None:
    lines = b"X-Header: value\n" * 1_000_000
    assert read(tmp_path, HEAD.encode() + lines + b"\nWords.").text == f"{SHOWN}\n\nWords."


@pytest.mark.parametrize("long", [65_536 - 1, 2 * 65_536 - 1, 65_536 - 2, 65_536])
def test_a_header_line_ends_where_it_ends(tmp_path: Path, long: int) -> None:
    line = "X-Long: ".ljust(long, "x")
    for line_end in ("\n", "x\r\n"):
        data = HEAD.replace("Date:", f"{line}{line_end}Date:")
        assert read(tmp_path, f"{data}\nWords.").text == f"{SHOWN}\n\nWords."


def test_a_header_of_no_fields_is_text(tmp_path: Path) -> None:
    part = "--b\nFirst line.\nSecond.\n\nThird.\n--b--\n"
    data = f"{HEAD}Content-Type: multipart/mixed; boundary=b\n\n{part}"
    assert body(read(tmp_path, data)) == "First line.\nSecond.\n\nThird."


def test_a_mail_of_too_many_parts_is_refused(tmp_path: Path) -> None:
    head = HEAD + "Content-Type: multipart/mixed; boundary=b\n\n"
    with pytest.raises(ingest.TooLarge, match="10,000 parts"):
        read(tmp_path, head + "--b\n\nx\n" * 10_001)


def test_a_boundary_of_an_outer_part_ends_the_inner_ones(tmp_path: Path) -> None:
    data = (
        f"{HEAD}Content-Type: multipart/mixed; boundary=out\n\npreamble\n--out\n"
        "Content-Type: multipart/mixed; boundary=in\n\n--in\n\nFirst.\n--out\n\nSecond.\n--out--\nepilogue\n"
    )
    assert body(read(tmp_path, data)) == "First.\n\nSecond."


@pytest.mark.parametrize(
    "parameters",
    [
        "name*0*=utf-8''%E2%82; name*1*=%AC.txt",
        'name="=?utf-8?b?4oKsLnR4dA==?="',
        "name*=utf-8''%E2%82%AC.txt",
    ],
)
def test_a_name_is_put_together(parameters: str) -> None:
    data = f"Content-Type: text/plain; {parameters}\n\n".encode()
    assert structure(BytesIO(data), 0, len(data)).filename == "€.txt"


# Mailboxes


def mailbox(count: int, make: Callable[[int], str], line_end: str = "\n") -> bytes:
    text = "".join(
        f"From ann@example.org Thu Jun 20 09:{number % 60:02}:30 2024\n{make(number)}\n"
        for number in range(count)
    )
    return text.replace("\n", line_end).encode()


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_each_message_of_a_mailbox_is_a_section(tmp_path: Path, line_end: str) -> None:
    data = mailbox(
        3, lambda n: f"{HEAD}MIME-Version: 1.0\n\nMessage {n}.\n>From here on.\n>>From there.\n", line_end
    )
    found = read(tmp_path, data, "all.mbox")
    assert found.started is not None
    assert (found.started.media_type, found.started.total) == (MBOX, 3)
    assert [page.text for page in found.pages] == [
        f"{SHOWN}\n\nMessage {n}.\nFrom here on.\n>From there." for n in range(3)
    ]
    assert {page.label for page in found.pages} == {"2024-06-20"}


@pytest.mark.parametrize(
    "lines",
    [
        "From 10:00 to 11:30 we meet\nPlace: Room 5\nSubject: none\n",
        "From Thursday 10:00 on\nPlace: Room 5\n",
        "text\nFrom ann@example.org Thu Jun 20 09:15:30 2024\nSubject: quoted\n",
        "From ann Thu Jun 20 09:15:30 2024 we waited\nPlace: Room 5\n\n",
    ],
)
def test_a_line_of_text_parts_no_mailbox(tmp_path: Path, lines: str) -> None:
    data = mailbox(2, lambda n: f"{HEAD}MIME-Version: 1.0\n\nMessage {n}.\n\n{lines}")
    found = read(tmp_path, data, "all.mbox")
    assert [page.text for page in found.pages] == [
        f"{SHOWN}\n\nMessage {n}.\n\n{lines.strip()}" for n in range(2)
    ]


@pytest.mark.parametrize(
    "separator",
    [
        "From - Thu Jun 20 09:15:30 2024",
        "From 1234@xxx Thu Jun 20 09:15:30 +0000 2024",
        "From ann at example.org  Thu Jun 20 09:15:30 2024",
        "From MAILER-DAEMON Thu, 20 Jun 2024 09:15 +0000",
        "From ann@example.org Thu Jun  6 09:15 GMT 2024",
    ],
)
def test_a_mailbox_is_parted_by_what_its_writers_write(tmp_path: Path, separator: str) -> None:
    message = f"{separator}\nX-Own: 1\nReceived: x\n{HEAD}\nText.\n\n"
    parts = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nText.\n--b--\n"
    sent = f"{separator}\nSensitivity: none\n{HEAD}{parts}"
    for marks in ("", "\ufeff", "\r\n\n", "\ufeff\n"):
        found = read(tmp_path, marks + message + sent + message, "x")
        assert [page.text for page in found.pages] == [f"{SHOWN}\n\nText."] * 3


def test_a_mail_that_begins_as_a_quoted_mailbox_is_a_mail(tmp_path: Path) -> None:
    found = read(tmp_path, f">From ann@example.org Thu Jun 20 09:15:30 2024\n{HEAD}\nText.\n", "x")
    assert found.text == f"{SHOWN}\n\nText."


def test_separators_are_found_wherever_a_chunk_ends(tmp_path: Path) -> None:
    for extra in range(0, 120, 13):
        first = f"{HEAD}\n" + "x\n" * ((1 << 19) - 120) + "y" * extra + "\n"
        data = mailbox(3, lambda n, first=first: f"{HEAD}\nx\n" if n else first)  # type: ignore[misc]
        assert len(mail_spans(tmp_path, data)) == 3


def test_a_long_message_of_a_mailbox_is_cut_into_sections(tmp_path: Path) -> None:
    long = "\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(300))
    texts = ["First.", long, "Last."]
    bad = "Content-Transfer-Encoding: base64\n\nQ\n"
    data = mailbox(4, lambda n: f"{HEAD}{bad}" if n == 3 else f"{HEAD}Message-ID: 1\n\n{texts[n]}\n")
    found = read(tmp_path, data, "all.mbox")
    assert found.started is not None
    assert found.started.total == len(found.pages) > 20
    assert max(len(page.text) for page in found.pages) < 20_000
    assert {page.label for page in found.pages} == {"2024-06-20"}
    assert found.pages[-2].text.endswith("Last.")
    assert all(f"Paragraph {number}. " in found.text for number in range(300))
    assert [(one.code, one.page) for one in found.notices] == [("text_cut_off", len(found.pages))]


def test_a_mailbox_of_thousands_is_read_as_a_stream(tmp_path: Path) -> None:
    words = "".join(f"Line {number} of some words.\n" for number in range(40))
    data = mailbox(5_000, lambda n: f"{HEAD}MIME-Version: 1.0\n\nMessage {n}.\n{words}")
    assert len(data) > 5 << 20
    found = read(tmp_path, data, "all.mbox")
    assert [page.text.splitlines()[5] for page in found.pages] == [f"Message {n}." for n in range(5_000)]


def test_files_of_a_mailbox_stand_under_their_messages(tmp_path: Path) -> None:
    def message(number: int) -> str:
        made = mail()
        made.set_content(f"Message {number}.\n")
        if number != 1:
            made.add_attachment(b"%d" % number, maintype="image", subtype="png", filename="a.png")
        return made.as_string()

    found = read(tmp_path, mailbox(3, message), "all.mbox")
    assert found.files == {"message 1/a.png": b"0", "message 3/a.png": b"2"}


def test_what_is_told_of_a_message_names_it(tmp_path: Path) -> None:
    bad = f"{HEAD}Content-Transfer-Encoding: base64\n\nQ\n"
    found = read(tmp_path, mailbox(2, lambda n: bad if n else f"{HEAD}MIME-Version: 1\n\nx\n"), "x")
    assert [(notice.code, notice.page) for notice in found.notices] == [("text_cut_off", 2)]


# Anything


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_change_ends_in_pages_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    message = mail()
    message.set_content("Grüße\n")
    message.add_alternative("<p>Grüße</p>", subtype="html")
    message.add_attachment(b"x" * 99, maintype="application", subtype="pdf", filename="Größe.pdf")
    raw = bytearray(message.as_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        raw = bytearray(mailbox(1, lambda _: "x") + raw)
    try:
        read(tmp_path_factory.getbasetemp(), bytes(raw))
    except ingest.IngestError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either end is right


@given(st.binary(max_size=300))
def test_any_bytes_have_a_structure(raw: bytes) -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + raw
    part = structure(BytesIO(data), 0, len(data))
    for inner in part.parts:
        assert 0 <= inner.start <= inner.end <= len(data)


@given(st.text(alphabet="=?utf-8bqQB _\n\u00e9A1"), st.binary(max_size=50), st.text(max_size=12))
def test_any_words_and_bytes_are_decoded(value: str, data: bytes, charset: str) -> None:
    assert "\n" not in decoded_words(value)
    assert isinstance(decoded(data, charset)[0], str)


# Real mails


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
@pytest.mark.parametrize(
    ("name", "starts", "says"),
    [
        ("complex_headers.eml", 'From: "Complex Sender" <complex@example.com>', "Properly quoted names"),
        ("fake_email.eml", "From: Matthew Robinson <mrobinson@unstructured.io>", "- Violets are blue"),
        ("html_email_multipart.eml", "From: html-sender@example.com", "Plain text version of the email."),
    ],
)
def test_real_mails_are_read(name: str, starts: str, says: str) -> None:
    found = read_here(SAMPLES / name)
    assert found.text.startswith(starts)
    assert says in found.text
    assert (found.files, found.notices) == ({}, ())

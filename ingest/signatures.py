"""What tapes, mails and mailboxes begin with: none of them has a signature of a few bytes."""

from __future__ import annotations

import codecs
import re
import tarfile
from typing import Final

from ingest.formats import EML, MBOX, fromline
from ingest.formats.textkinds import kind_of_name

_TAR_HEADER: Final = 512
_MAIL_NAME: Final = ".eml"
_FIELD: Final = re.compile(rb"([!-9;-~]{1,76}):")
_PDF_LINE: Final = re.compile(rb"(?:\A|\n)%PDF-")
_PDF_WITHIN: Final = 1_024

# Fields that memos and notes have as well, and fields that mail programs alone write (RFC 5322, 2045, 6376).
_ORDINARY: Final = {b"from", b"to", b"cc", b"bcc", b"date", b"subject", b"sender", b"reply-to"}
_TELLING: Final = {
    *(b"message-id", b"mime-version", b"received", b"return-path", b"delivered-to", b"dkim-signature"),
    *(b"content-type", b"content-transfer-encoding", b"in-reply-to", b"x-mailer"),
    *(b"x-received", b"arc-seal", b"authentication-results", b"x-original-to", b"envelope-to"),
    *(b"x-gm-thrid", b"x-gmail-labels", b"x-mozilla-status"),
}
_LEAST_FIELDS: Final = 3

_PATCHES: Final = {".patch", ".diff"}
_TEXTS: Final = {
    *(".md", ".markdown", ".mdown", ".mkd", ".html", ".htm", ".xhtml", ".csv", ".tsv", ".tab"),
}
_SURE: Final = {b"message-id", b"received", b"mime-version"}


def is_tar(head: bytes) -> bool:
    """Whether these first bytes are a member's header, by its checksum (POSIX.1-2017, pax, ustar format)."""
    try:
        tarfile.TarInfo.frombuf(head[:_TAR_HEADER], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def mail_type(head: bytes, suffix: str) -> str | None:
    """Return the media type of a mail or mailbox by its header; None where it is another text.

    A text that begins with From:, To: and Subject: is a mail only if a mail program's own field is among them
    or the suffix says so; under the name of another text it needs one that no one writes by hand. A patch is
    a patch, also one that Git made for sending.
    """
    if suffix in _PATCHES or _PDF_LINE.search(head, 0, _PDF_WITHIN):
        return None
    parted = fromline.first(head)
    head = head[parted[1] :] if parted else head.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    fields = _fields(head)
    known = fields & (_ORDINARY | _TELLING)
    if _is_text_name(suffix) and not fields & _SURE:
        return None
    if parted:
        return MBOX if len(known) >= _LEAST_FIELDS else None
    if suffix == _MAIL_NAME:
        return EML if known else None
    sure = fromline.is_quoted(head) or fields & _TELLING
    return EML if len(known) >= _LEAST_FIELDS and sure and fields & _ORDINARY else None


def _is_text_name(suffix: str) -> bool:
    return suffix in _TEXTS or kind_of_name(f"name{suffix}") is not None


def _fields(head: bytes) -> set[bytes]:
    """Return the names of the header's fields; none where a line in it is no field and no field's rest."""
    found: set[bytes] = set()
    lines = head.split(b"\n")
    for line in lines[:-1] if len(lines) > 1 else lines:
        if not line.strip():
            break
        if match := _FIELD.match(line):
            found.add(match[1].lower())
        elif not (found and line.startswith((b" ", b"\t"))) and not line.startswith(b">From "):
            return set()
    return found

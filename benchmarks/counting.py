# ruff: noqa: RUF001, PLR2004 - look-alike letters are what is tried; shares and code points are plain
"""Exact counts: how fast, and how exact: python benchmarks/counting.py [FOLDER] [STRINGS].

Three parts. The text of a folder of PDFs is counted page by page by tiktoken and by `count_tokens`, in one
thread; the ratio is what to quote. Every code point of Unicode is tried around the places where the encoders
could split differently, and the ones that differ are held against the fence of `ingest.tokens`. Random
strings, a million of them unless told otherwise, are counted by both.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import toktok  # type: ignore[import-untyped]

from ingest import tokens
from ingest.formats import PDF, pdf
from ingest.normalize import normalize

ROOT = Path(__file__).parents[1]
PROBES = ("{}\n \n", "!!{}\n \n", "1{}23456", "{}1{}", "a{}A", "A{}a", "a'{}", "'{}s", "{}  x", " {}\n\n \n")
"""Contexts in which it shows by the count whether a character is a letter, a mark, a number or a blank."""
SYMBOLS = ("a", "B", "ǅ", "ʰ", "日", "\u0301", "1", "Ⅷ", " ", "\n", "\r", "\u3000", "/", "'", "s", "!")
"""One or two of each class that the pre-tokenizer knows; all strings of up to five of them are tried."""
PARTS = (
    *SYMBOLS,
    *(
        "  ",
        "\t",
        "\n\n",
        "\r\n",
        "'s",
        "'LL",
        "'ve",
        "'ſ",
        "don't",
        "I'M",
        "</page>\n",
        "<|endoftext|>",
        "//",
    ),
    *(
        "the",
        " and",
        "Über",
        "naïve",
        "ЖК",
        "Ünï",
        "한국어",
        "ไทย",
        "हिन्दी",
        "שלום",
        "العربية",
        "123456",
        "½",
        "٣",
    ),
    *(
        "\x00",
        "\x1c",
        "\x85",
        "\xa0",
        "\u200b",
        "\u2028",
        "\ufeff",
        "\ufffd",
        "😀",
        "👩‍👩‍👧",
        "🇪🇺",
        "𝑥",
        "\ue000",
    ),
    *(
        "\ud800",
        "\udc00",
        "\u1c89",
        "\U000323b0",
        "\U00010940",
        "ſ",
        "K",
        "—",
        "…",
        "“",
        "€",
        "==",
        "$",
        "aaaa",
    ),
)
BATCH = 2_000


def pages(folder: Path) -> list[str]:
    """Return the cleaned text of every page."""
    found: list[str] = []
    for path in sorted(folder.glob("*.pdf")):
        reading = pdf.open_document(path, PDF)
        found.extend(normalize(page.text) for page in reading.pages())
        reading.close()
    return found


def speed(texts: list[str]) -> None:
    """Print the throughput of both, each the best of three rounds in turn."""
    encode = tokens.encoder().encode_ordinary
    tokens.warm()
    rounds = []
    for _ in range(3):
        began = time.perf_counter()
        theirs = [len(encode(text)) for text in texts]
        between = time.perf_counter()
        ours = [tokens.count_tokens(text) for text in texts]
        rounds.append((between - began, time.perf_counter() - between))
        assert ours == theirs
    slow, quick = (min(times) for times in zip(*rounds, strict=True))
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} pages, {size:.1f} MB, {sum(ours):,} tokens, the same from both")
    print(f"tiktoken {size / slow:.1f} MB/s, count_tokens {size / quick:.1f} MB/s: {slow / quick:.1f} times")


def differing() -> set[int]:
    """Return the code points on which the two encoders count differently somewhere."""
    points = [point for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF]
    encode = tokens.encoder().encode_ordinary
    found: set[int] = set()
    for probe in PROBES:
        texts = [probe.replace("{}", chr(point)) for point in points]
        counts = toktok.batch_count(texts, tokens.ENCODING)
        found |= {
            point
            for point, text, count in zip(points, texts, counts, strict=True)
            if len(encode(text)) != count
        }
    return found


def fuzzed(strings: int) -> Iterator[str]:
    """Yield random strings: of parts that split oddly, of any code points, with runs."""
    dice = random.Random(1)  # noqa: S311 - the same strings each time
    for _ in range(strings):
        kind = dice.random()
        if kind < 0.7:
            yield "".join(dice.choices(PARTS, k=dice.randint(1, 16)))
        elif kind < 0.9:
            yield "".join(chr(dice.randrange(0x3100)) for _ in range(dice.randint(1, 24)))
        else:
            yield "".join(dice.choice(PARTS) * dice.randint(1, 40) for _ in range(4)) + chr(
                dice.randrange(0x110000)
            )


def mismatches(texts: Iterator[str]) -> tuple[int, int, list[str]]:
    """Return how many strings there were, how many went the quick way, and those counted wrongly."""
    encode = tokens.encoder().encode_ordinary
    total = quick = 0
    wrong = []
    for batch in iter(lambda: list(itertools.islice(texts, BATCH)), []):
        total += len(batch)
        quick += sum(map(tokens.is_settled, batch))
        wrong += [text for text in batch if tokens.count_tokens(text) != len(encode(text))]
    return total, quick, wrong


def main(folder: Path, strings: int) -> None:
    """Print all three parts; end with an error where a count is wrong."""
    speed(pages(folder))
    found = differing()
    open_ones = sorted(point for point in found if tokens.is_settled(chr(point)))
    print(
        f"{len(found):,} code points differ between the encoders, {len(open_ones)} of them outside the fence"
    )
    short = ("".join(parts) for size in range(1, 6) for parts in itertools.product(SYMBOLS, repeat=size))
    for name, texts in (("every short string", short), ("random strings", fuzzed(strings))):
        total, quick, wrong = mismatches(texts)
        print(f"{name}: {total:,}, {quick / total:.0%} of them the quick way, {len(wrong)} counted wrongly")
        if wrong or open_ones:
            sys.exit(f"not exact: {open_ones[:10]} {wrong[:10]!a}")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples" / "apollo",
        int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000,
    )

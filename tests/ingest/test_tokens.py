"""Exact token counts, against tiktoken itself and a second encoder."""

from __future__ import annotations

import gzip
import importlib
import itertools
import random
import re
import resource
import sys
import threading
import tracemalloc
import unicodedata
import warnings
from typing import Any

import pytest
import regex  # type: ignore[import-untyped]
import tiktoken
import toktok  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest import tokens

HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet=st.characters(codec=None)),
    st.text(alphabet=" \t\n\r\x0b\x1c\x85\xa0\u2028\u3000/!<>'sStTreEaA1é日\u0301\ud800"),
    st.lists(
        st.sampled_from(
            (
                *(
                    " ",
                    "\n",
                    "\r\n",
                    "/",
                    "'s",
                    "'LL",
                    "'\u017f",
                    "don't",
                    "<|endoftext|>",
                    "<|",
                    "123",
                    "ab",
                ),
                *("Ab", "\u0301", "日本", "\u3000", "!", "//", "\ud83d", "\ude00", "😀", "\x1c", "</page>\n"),
                *("\U000323b0", "\u1c89"),
            )
        )
    ).map("".join),
)


@pytest.fixture(scope="module")
def arbiter() -> tiktoken.Encoding:
    """Built from tiktoken's own definition, with the vocabulary it would have downloaded."""
    return tiktoken.Encoding(**_definition(tokens.vocabulary()))


def _definition(ranks: dict[bytes, int]) -> dict[str, Any]:
    """Return tiktoken's definition of the encoding, its download replaced by `ranks`."""

    def load(_: str, expected_hash: str) -> dict[bytes, int]:
        assert expected_hash == tokens.VOCABULARY_SHA256
        return ranks

    published = importlib.import_module("tiktoken_ext.openai_public")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "load_tiktoken_bpe", load)
        definition: dict[str, Any] = published.o200k_base()
    return definition


def test_the_definition_is_the_published_one() -> None:
    definition = _definition({})
    assert definition["pat_str"] == tokens.PATTERN
    assert definition["special_tokens"] == tokens.SPECIAL_TOKENS
    assert definition["name"] == tokens.ENCODING


@given(text=HOSTILE)
@settings(max_examples=400, deadline=None)
@example(text="<|endoftext|>")
@example(text="\ud83d\ude00 \ud800")
@example(text="")
def test_a_count_is_the_length_of_the_arbiters_encoding(arbiter: tiktoken.Encoding, text: str) -> None:
    expected = arbiter.encode_ordinary(text)
    assert tokens.count_tokens(text) == len(expected)
    assert tokens.encode(text) == expected


@given(text=HOSTILE)
@settings(max_examples=400, deadline=None)
def test_cutting_in_pieces_changes_nothing(arbiter: tiktoken.Encoding, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "PIECE_CHARS", 1)
        assert tokens.encode(text) == arbiter.encode_ordinary(text)


@given(head=HOSTILE, tail=HOSTILE)
@settings(max_examples=600, deadline=None)
@example(head="a\n ", tail="/x")
@example(head="!\r", tail="")
def test_blocks_add_up(head: str, tail: str) -> None:
    head, tail = head + "\n", "<" + tail
    assert tokens.count_tokens(head + tail) == tokens.count_tokens(head) + tokens.count_tokens(tail)


def test_the_rule_of_addition_is_not_empty() -> None:
    assert tokens.count_tokens("a\n" + "\nb") != tokens.count_tokens("a\n") + tokens.count_tokens("\nb")


@pytest.fixture(scope="module")
def other() -> Any:  # noqa: ANN401 - a library without types
    """An encoder by other people; importing it warns of an old call."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return importlib.import_module("bpe_openai").get_encoding("o200k_base")


@given(text=st.text())
@settings(max_examples=200, deadline=None)
def test_a_second_encoder_agrees(other: Any, text: str) -> None:  # noqa: ANN401
    assert tokens.count_tokens(text) == len(other.encode_ordinary(text))


def test_a_second_encoder_agrees_on_long_text(other: Any) -> None:  # noqa: ANN401
    chance = random.Random(1)  # noqa: S311 - reproducible, not secret
    letters = [chr(n) for n in range(0x3000) if unicodedata.category(chr(n)) not in {"Cn", "Cs", "Co"}]
    for _ in range(10):
        text = "".join(chance.choices(letters, k=20_000))
        assert tokens.count_tokens(text) == len(other.encode_ordinary(text))


def test_every_character_may_stand_at_a_cut(arbiter: tiktoken.Encoding) -> None:
    """The two regex engines know different Unicode versions, so each character is tried around cuts."""
    characters = [chr(n) for n in range(sys.maxunicode + 1) if n < 0x3400 or n % 97 == 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "PIECE_CHARS", 1)
        for start in range(0, len(characters), 200):
            text = "".join(f"a{c} b\n{c}.{c} {c}\r" for c in characters[start : start + 200])
            assert tokens.encode(text) == arbiter.encode_ordinary(text)


@pytest.mark.parametrize(
    "text",
    [
        " " * 3_000,
        " " * 3_000 + "x",
        "a" + " " * 3_000 + "x",
        "!\n" + "\t " * 1_500 + "\u0301x",
        "\n" + " " * 3_000 + "\nx",
        "\n" + " " * 3_000 + "/",
        "\u3000" * 3_000 + "x" + " " * 2_000,
        " " * 3_000 + "\x1cx" + " " * 3_000 + "\x85",
        " " * 3_000 + "\ud800" + " " * 3_000,
    ],
)
def test_a_long_run_of_blanks_is_counted_as_the_arbiter_does(arbiter: tiktoken.Encoding, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "LONG_BLANK", re.compile(tokens.LONG_BLANK.pattern.replace("500000", "1000")))
        assert tokens.encode(text) == arbiter.encode_ordinary(text)


@pytest.mark.parametrize("tail", ["", "x", "/", "!\n"])
def test_more_blanks_than_the_arbiter_survives(arbiter: tiktoken.Encoding, tail: str) -> None:
    """128 blanks more are one token more, as far as the arbiter goes and beyond."""
    few, many = (" " * (128 * times) + tail for times in (4_000, 9_000))
    assert len(many) > 1_000_000 > len(few) > 500_000
    assert tokens.count_tokens(few) == len(arbiter.encode_ordinary(few))
    assert tokens.count_tokens(many) == tokens.count_tokens(few) + 5_000
    assert tokens.decode(tokens.encode(many)) == many


def test_blanks_up_to_the_arbiters_limit_agree_with_it(arbiter: tiktoken.Encoding) -> None:
    text = "a" + " " * 900_000 + "b"
    assert tokens.count_tokens(text) == len(arbiter.encode_ordinary(text))


def test_special_tokens_are_text() -> None:
    assert tokens.count_tokens("<|endoftext|>") > 1
    assert not set(tokens.encode("<|endoftext|><|endofprompt|>")) & set(tokens.SPECIAL_TOKENS.values())


def test_a_lone_surrogate_counts_as_a_replacement_character() -> None:
    assert tokens.encode("a\ud800b") == tokens.encode("a\ufffdb")


@given(text=st.text())
@settings(max_examples=100, deadline=None)
def test_decoding_gives_the_text_back(text: str) -> None:
    assert tokens.decode(tokens.encode(text)) == text


def test_a_changed_vocabulary_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzip, "decompress", lambda _: b"YQ== 0\n")
    with pytest.raises(RuntimeError, match="not the official one"):
        tokens.vocabulary()


def test_threads_share_one_encoder() -> None:
    tokens._built.cache_clear()  # noqa: SLF001 - as in a new process
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(tokens.encoder())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert len(set(map(id, seen))) == 1


# The quick way, and its fence

SPLITS = ("{}\n \n", "!!{}\n \n", "1{}23456", "a{}A", "A{}a", "a'{}", "'{}s", " {}\n\n \n")
"""Where it shows by the count whether a character is a letter, a mark, a number or a blank."""


def kind(character: str) -> str:
    """Return what the encoder's pattern takes the character for, by Python's Unicode tables."""
    category = unicodedata.category(character)
    return {"Lt": "Lu", "Lo": "Lm"}.get(category, category if category in {"Lu", "Ll", "Lm"} else category[0])


def test_what_changed_its_kind_lately_is_fenced() -> None:
    """By tables newer than Python's: `regex` comes with tiktoken."""
    points = "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1))))
    patterns = {
        "Lu": r"[\p{Lu}\p{Lt}]",
        "Ll": r"\p{Ll}",
        "Lm": r"[\p{Lm}\p{Lo}]",
        "M": r"\p{M}",
        "N": r"\p{N}",
    }
    newest = {
        character: name for name, pattern in patterns.items() for character in regex.findall(pattern, points)
    }
    assert len(newest) > 140_000
    before = ((character, kind(character)) for character in points)
    changed = [one for one, was in before if (was if was in patterns else "") != newest.get(one, "")]
    assert not [ascii(one) for one in changed if tokens.is_settled(one)]


@pytest.mark.parametrize("probe", SPLITS)
def test_the_encoders_differ_behind_the_fence_alone(arbiter: tiktoken.Encoding, probe: str) -> None:
    quick = toktok._encoding(tokens.ENCODING)  # noqa: SLF001 - as the counter calls it
    for code in (*range(0xD800), *range(0xE000, 0x33500, 3)):
        text = probe.replace("{}", chr(code))
        if quick.count(text) != len(arbiter.encode_ordinary(text)):
            assert not tokens.is_settled(text), hex(code)


def test_the_fence_lets_ordinary_text_through() -> None:
    ordinary = (
        "Zoë\u2019s “naïve” café \u2013 ½ €5…\n日本語 한국어 ไทย हिन्दी العربية שלום Москва 😀 \U0001d465\x00"
    )
    assert tokens.is_settled(ordinary)
    for odd in ("'\u017f", "\ud800", "\u1c89", "\U000323b0", "plain\n\u017f\nplain"):
        assert not tokens.is_settled(odd)


def test_another_release_of_the_quick_encoder_is_not_asked(
    arbiter: tiktoken.Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert toktok.__version__ == tokens.QUICK_VERSION
    monkeypatch.setattr(toktok, "__version__", "0.3.1")
    assert not tokens.is_settled("plain")
    assert tokens.count_tokens("plain text") == len(arbiter.encode_ordinary("plain text"))


@given(text=HOSTILE)
@example("don'\u017f'S")
@example("\x1c\x85\u2028 \n/")
@settings(max_examples=3_000, deadline=None)
def test_a_count_is_the_arbiters(arbiter: tiktoken.Encoding, text: str) -> None:
    assert tokens.count_tokens(text) == len(arbiter.encode_ordinary(text))


@pytest.mark.parametrize("symbols", ["aB'1 \n", "Aǅʰ日\u03011", " \u3000\r\n/a", "'sS tLl", "!/ \n\ta"])
def test_every_short_string_is_counted_as_the_arbiter_does(arbiter: tiktoken.Encoding, symbols: str) -> None:
    for size in range(1, 6):
        for parts in itertools.product(symbols, repeat=size):
            text = "".join(parts)
            assert tokens.is_settled(text)
            assert tokens.count_tokens(text) == len(arbiter.encode_ordinary(text)), ascii(text)


@pytest.mark.parametrize(
    "one", ["a", "A", "é", "日", "!", "1", "\n", "\x00", "ab", "Aa", "</", "\ud800", "\u017f"]
)
def test_a_long_run_is_counted_as_the_arbiter_does(arbiter: tiktoken.Encoding, one: str) -> None:
    text = one * 60_000
    assert tokens.count_tokens(text) == len(arbiter.encode_ordinary(text))


def test_a_huge_text_takes_little_memory() -> None:
    text = "A line of a text, naïve and “quoted”.\n" * 500_000
    tracemalloc.start()
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert tokens.count_tokens(text) == 500_000 * tokens.count_tokens(text[:38])
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10
    finally:
        tracemalloc.stop()

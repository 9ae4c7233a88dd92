"""Hostile text as Markdown: rendered, it is the same words and nothing more."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from service.domain.markdown import inline, prose, quoted

RENDERER = MarkdownIt("gfm-like", {"linkify": False, "html": True})
NASTY = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![beacon](https://evil.test/?q=1)",
    "[click](javascript:alert(1))",
    "[ref]: https://evil.test",
    "<https://evil.test>",
    "&lt;b&gt; &#60;",
    "# A heading",
    "```\ncode\n```",
    "~~~",
    "`code`",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "a\n:-:",
    "Title\n=====",
    "Title\n-----",
    "---",
    "***",
    "> quoted",
    "    indented code",
    "\tindented code",
    "- item",
    "1. item",
    "2) item",
    "+ item",
    "ends with a backslash\\",
    "a*b*c _d_ ~~e~~ $x$",
    "-- \n- - -",
    "\u2028# heading",
    "\x0b# heading",
    "\x1b[31mred",
    "a\u202eb",
)
INSIDE = {"text", "softbreak", "hardbreak", "text_special"}
BLOCKS = {"paragraph_open", "paragraph_close", "inline"}
QUOTE = {"blockquote_open", "blockquote_close"}
LISTS = {"bullet_list_open", "bullet_list_close", "ordered_list_open", "ordered_list_close"}
LISTS |= {"list_item_open", "list_item_close"}
BOLD = {"strong_open", "strong_close"}
texts = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=20))).map("\n".join)
lines = st.one_of(st.sampled_from(NASTY), st.text(alphabet="\\`*_[]()<>|~&#$-+=:.1)! \tab\n", max_size=30))


def rendered(markdown: str) -> list[Token]:
    return [token for one in RENDERER.parse(markdown) for token in (one, *(one.children or ()))]


def kinds(markdown: str) -> set[str]:
    return {token.type for token in rendered(markdown)}


def words(markdown: str) -> list[str]:
    """What a reader sees, without white space between."""
    parts = (token.content if token.type == "text" else " " for token in rendered(markdown))
    return "".join(part for part in parts).split()


def seen(text: str) -> list[str]:
    """What of a text can be seen."""
    unseen = r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ue000]"
    return re.sub(unseen, "", text).split()


@pytest.mark.parametrize("text", NASTY)
def test_hostile_text_is_words(text: str) -> None:
    assert kinds(quoted(text)) <= BLOCKS | INSIDE | QUOTE
    assert kinds(inline(text)) <= BLOCKS | INSIDE
    assert kinds(prose(text)) <= BLOCKS | INSIDE | LISTS
    assert words(inline(text)) == words(quoted(text)) == seen(text)


@given(text=texts)
def test_a_quote_is_what_it_was(text: str) -> None:
    assert kinds(quoted(text)) <= BLOCKS | INSIDE | QUOTE
    assert words(quoted(text)) == seen(text)


@given(text=lines)
def test_a_line_is_what_it_was(text: str) -> None:
    assert kinds(inline(text)) <= BLOCKS | INSIDE
    assert words(inline(text)) == seen(text)
    assert "\n" not in inline(text)


@given(name=lines)
def test_a_cell_never_leaves_its_row(name: str) -> None:
    table = f"| a | b |\n|---|---|\n| {inline(name)} | end |"
    cells = [token.content for token in rendered(table) if token.type == "inline"]
    assert len(cells) == 4
    assert cells[-1] == "end"


@given(text=st.one_of(texts, lines))
def test_an_answer_has_no_markup_but_lists_and_bold(text: str) -> None:
    assert kinds(prose(text)) <= BLOCKS | INSIDE | LISTS | BOLD


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One.\n\nTwo.", "<p>One.</p>\n<p>Two.</p>\n"),
        ("- a\n- **b**", "<ul>\n<li>a</li>\n<li><strong>b</strong></li>\n</ul>\n"),
        ("2. a\n3. b", '<ol start="2">\n<li>a</li>\n<li>b</li>\n</ol>\n'),
        ("**a b** and ** c**", "<p><strong>a b</strong> and ** c**</p>\n"),
        ("one\ntwo", "<p>one<br />\ntwo</p>\n"),
        ("**<b>x</b>**", "<p><strong>&lt;b&gt;x&lt;/b&gt;</strong></p>\n"),
    ],
    ids=["paragraphs", "list", "numbers", "bold", "lines", "html"],
)
def test_an_answer_keeps_its_shape(text: str, html: str) -> None:
    assert MarkdownIt("commonmark").render(prose(text)) == html


def test_addresses_are_not_made_links() -> None:
    """GitHub makes links of bare addresses; a backslash in them stops that."""
    shown = inline("see https://evil.test, www.evil.test, HTTP://a and mailto:a@b.test")
    assert shown == r"see https\://evil.test, www\.evil.test, HTTP\://a and mailto\:a\@b.test"


def test_marks_take_the_place_of_what_they_stand_for() -> None:
    text = "It *says* [D1 p.1], and\n- more [D2 p.3]. \ue000"
    marks = [(10, 18, "[1]"), (31, 39, "[2]")]
    assert [text[start:end] for start, end, _ in marks] == ["[D1 p.1]", "[D2 p.3]"]
    assert prose(text, marks).split("\n") == [r"It \*says\* [1], and  ", "- more [2].  "]


@given(before=texts, after=texts)
def test_a_mark_is_never_lost(before: str, after: str) -> None:
    written = prose(f"{before}[D1]{after}", [(len(before), len(before) + 4, r"\[one\]")])
    assert kinds(written) <= BLOCKS | INSIDE | LISTS | BOLD
    assert "".join(words(written)).count("[one]") == 1


def test_a_mark_is_made_no_link() -> None:
    assert "link_open" not in kinds(prose("[D1](https://evil.test)", [(0, 4, r"\[1\]")]))

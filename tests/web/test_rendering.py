"""Answers as HTML: whatever a model writes, only listed tags come out, and no word is lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.citations import find_claims
from service.web.rendering import ALWAYS, ATTRIBUTES, CLASSES, MAX_NESTING, SCHEMES, TAGS, render

VOID = {"br", "hr"}
SIGNS = " \n\n*_`~[]()<>!|#->+1.\\&:\"'="
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<style>*{display:none}</style>",
    "<!--><img src=x onerror=alert(1)>-->",
    '<a href="javascript:alert(1)">a</a>',
    "[a](javascript:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](\x01javascript:alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](vbscript:x)",
    "[a](file:///etc/passwd)",
    "[a](//evil.example/x)",
    "[a](/v1/keys)",
    "[a](#/c/x)",
    '[a](http://x.example/"onmouseover="alert(1))',
    "[a](http://x.example 'title\" onclick=\"alert(1)')",
    "![a](http://evil.example/x.png)",
    "![a](data:image/svg+xml;base64,PHN2Zz4=)",
    '![a" onerror="alert(1)](http://x.example)',
    "[![a](http://evil.example/x.png)](http://x.example)",
    "<http://x.example/<script>>",
    "<javascript:alert(1)>",
    "```<script>\n</code></pre><script>alert(1)</script>\n```",
    "`</code><script>alert(1)</script>`",
    "[x]: javascript:alert(1)\n\n[x]",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "|a|\n|-|\n|<td onclick=alert(1)>|",
    "[D1 p.1<script>]",
    '<button class="cite" data-index="9">fake</button>',
    "\u2e28\ufdd00\ufdd0\u2e29",
    "</p></div></body></html>",
)


class Read(HTMLParser):
    """HTML as a browser takes it: its tags, its attributes, its words, and whether all that opens closes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self.marks: list[int] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "button":
            self.marks.append(int(dict(attrs)["data-index"] or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    @property
    def everything(self) -> str:
        """All that can be read: the words, and where links lead."""
        return self.words + " ".join(value for _, _, value in self.attributes)


def shown(text: str) -> Read:
    made = render(text)
    return Read(made.settled + made.open)


def is_allowed(tag: str, name: str, value: str) -> bool:
    if name == "class":
        return set(value.split()) <= CLASSES[tag]
    if tag == "a" and name == "href":
        return value.partition(":")[0].lower() in SCHEMES
    if tag == "a" and name == "rel":
        return {"noopener", "nofollow"} <= set(value.split())
    if name in ALWAYS.get(tag, {}):
        return value == ALWAYS[tag][name]
    if name in {"data-index", "start"}:
        return value.isdigit() and name in ATTRIBUTES[tag]
    return name in ATTRIBUTES.get(tag, set())


def assert_harmless(read: Read) -> None:
    assert read.tags <= TAGS
    assert [one for one in read.attributes if not is_allowed(*one)] == []


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("around", ["{}", "> {}", "- {}", "# {}", "|a|\n|-|\n|{}|", "**{}** [D1 p.2]"])
def test_nothing_that_a_model_writes_becomes_markup_of_its_own(around: str, text: str) -> None:
    assert_harmless(shown(around.replace("{}", text)))


def test_tags_of_the_text_are_words() -> None:
    read = shown("Look: <script>alert(1)</script> and <b>this</b>.")
    assert read.words.strip() == "Look: <script>alert(1)</script> and <b>this</b>."


_PIECES = st.one_of(
    st.sampled_from(HOSTILE),
    st.sampled_from(
        [
            "[D1 p.2]",
            "[D3 p.4-6; D5 p.6]",
            "【D2 p.1】",
            "\n\n",
            "\n",
            "- ",
            "> ",
            "```\n",
            "| a | b |\n|---|:-:|\n",
        ]
    ),
    st.text(alphabet=SIGNS + "abcXYZäß中ع0123456789", max_size=12),
    st.text(max_size=8),
)
TEXTS = st.lists(_PIECES, max_size=24).map("".join)


@given(TEXTS)
@example("\r\r\n[D1 p.1]")
@example("# a\n#")
def test_whatever_the_text_it_is_harmless_and_each_mark_is_one_button_in_order(text: str) -> None:
    read = shown(text)
    assert_harmless(read)
    buttons = read.marks
    assert set(buttons) <= set(range(len(find_claims(text))))
    in_addresses = len(find_claims(text)) - len(buttons)
    assert in_addresses == 0 or "](" in text or "<" in text
    assert buttons == sorted(buttons)


@given(st.text(alphabet="abc xyz \n\n*_`~[]()<>!|#->+1.\\:\"'=", max_size=120))
def test_no_word_is_lost(text: str) -> None:
    """In the same order too, but for addresses, which stand in attributes."""
    there = shown(text).everything.lower()
    assert [word for word in re.findall("[a-z]+", text) if word not in there] == []


@given(st.text(alphabet=st.characters(categories=["L", "N"]) | st.just(" "), max_size=200))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert " ".join(shown(text).words.split()) == " ".join(text.split())


@given(TEXTS, st.data())
def test_a_text_that_comes_in_pieces_ends_as_the_same_html(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    settled, marks, lines = "", 0, 0
    for cut in [*cuts, len(text)]:
        made = render("\n".join(text[:cut].split("\n")[lines:]), first_mark=marks)
        settled, marks, lines = settled + made.settled, marks + made.marks, lines + made.lines
    whole = render(text)
    assert settled + made.open == whole.settled + whole.open


def test_marks_are_numbered_from_where_the_text_begins() -> None:
    made = render('"a" [D1 p.2]\n\nAnd "b" [D1 p.3], "c" [D2 p.4; D2 p.9].\n', first_mark=7)
    assert Read(made.settled).marks == [7]
    assert Read(made.open).marks == [8, 9, 10]
    assert (made.lines, made.marks) == (2, 1)


def test_a_mark_in_an_address_stays_a_part_of_it() -> None:
    made = render("[a](http://x.example/[D1 p.2]) then [D2 p.3]")
    assert "http://x.example/%5BD1%20p.2%5D" in made.open
    assert Read(made.open).marks == [1]


def test_bold_may_end_before_a_mark() -> None:
    assert "<strong>It says “so”</strong><button" in render("**It says “so”**[D1 p.2]").open


def test_a_link_tells_where_it_leads_unless_its_words_do() -> None:
    assert "your bank evil.example" in shown("[your bank](https://bank.example@evil.example/x)").words
    assert shown("<https://a.example/x>").words.strip() == "https://a.example/x"


def test_a_picture_is_its_description_and_its_address() -> None:
    read = shown("![The harbour](https://evil.example/x.png?secret=1)")
    assert read.words.strip() == "The harbour https://evil.example/x.png?secret=1"
    assert read.tags == {"p", "span"}


def test_signs_that_turn_the_direction_of_the_text_are_left_out() -> None:
    assert shown("invoice\u202efdp.exe\u2066 [D1\u202e p.2]").words.strip() == "invoicefdp.exe [D1 p.2]"


def test_tables_lists_and_code_are_kept() -> None:
    read = shown("| a | b |\n|:--|--:|\n| 1 | 2 |\n\n3. x\n4. y\n\n```py\nz = 1\n```\n~~old~~")
    assert {"table", "ol", "pre", "code", "s"} <= read.tags
    assert ("ol", "start", "3") in read.attributes
    assert ("td", "class", "right") in read.attributes
    assert "z = 1\n" in read.words


@pytest.mark.parametrize("begin", ["> ", "- ", "1. ", "> - "], ids=["quotes", "items", "numbers", "both"])
def test_what_lies_too_deep_is_shown_as_plain_text_whole(begin: str) -> None:
    deep = begin * (MAX_NESTING * 2)
    read = shown(f"Before.\n\n{deep}the words [D1 p.2]\n\nAfter.")
    assert "the words D1 p.2" in read.words
    assert ("p", "class", "plain") in read.attributes
    assert read.marks == [0]


def slow_texts() -> Iterator[tuple[str, str]]:
    n = 4_000
    yield "brackets", "[" * n
    yield "pictures", "![" * n
    yield "links", "[a](" * n
    yield "links in links", "[" * n + "a" + "](b)" * n
    yield "stars", "*a **a " * n
    yield "underscores", "_a __a " * n
    yield "backticks", "".join("e" + "`" * (at % 300) for at in range(n // 10))
    yield "quotes", ">" * n + "a"
    yield "items", "".join("  " * (at % 200) + "* a\n" for at in range(n // 4))
    yield "cells", "|a" * 400 + "\n" + "|-" * 400 + "\n" + "|a\n" * (n // 4)
    yield "marks", "[D1 p.2]" * n
    yield "links with marks", "[a](http://x.example/[D1 p.2])" * (n // 4)
    yield "places", "\u2e28\ufdd0" * n


@pytest.mark.parametrize("text", [text for _, text in slow_texts()], ids=[name for name, _ in slow_texts()])
def test_what_is_built_to_be_slow_is_shown_as_anything_else(text: str) -> None:
    """Where one took a time that grows with the square of its length, the suite would stop here."""
    assert_harmless(shown(text))

"""Markdown kept as written, HTML as a browser shows it, both in sections that begin at headings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import EmptyDocument, TooLarge
from ingest.formats import HTML, MARKDOWN
from ingest.formats.hypertext import MAX_DEPTH, bounded_depth, read_hypertext
from ingest.formats.markup import MAX_HTML_BYTES, MarkupReading, open_document
from ingest.normalize import normalize

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"


def opened(tmp_path: Path, text: str | bytes, media_type: str) -> MarkupReading:
    path = tmp_path / "file"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return open_document(path, media_type)


def texts(reading: MarkupReading) -> list[str]:
    pages = [page.text for page in reading.pages()]
    assert len(pages) == reading.total
    return pages


def shown(html: str) -> str:
    return normalize(read_hypertext(html).text)


# Markdown


def test_markdown_sections_begin_at_headings_and_keep_every_character(tmp_path: Path) -> None:
    text = "# Title\n\n## First\n\nSome *text*.\n\n### Deep\n\n- a\n\n"
    text += "Second\n------\n\nMore.\n\n# Last\n\nEnd.\n"
    reading = opened(tmp_path, text, MARKDOWN)
    assert texts(reading) == [
        "# Title\n\n## First\n\nSome *text*.\n\n### Deep\n\n- a",
        "Second\n------\n\nMore.",
        "# Last\n\nEnd.",
    ]
    assert reading.title == "Title"


@pytest.mark.parametrize(
    "text",
    [
        "Intro.\n\n```sh\n# no heading\n```\n\nEnd.",
        "Intro.\n\n~~~~\n# no\n~~~\n# no\n~~~~\nEnd.",
        "---\ntitle: x\n---\nText.",
        "a | b\n--- | ---\n1 | 2",
        "Text\n#no heading",
        "One\ntwo\n---\nthree",
    ],
)
def test_what_is_no_heading_parts_nothing(tmp_path: Path, text: str) -> None:
    assert texts(opened(tmp_path, text, MARKDOWN)) == [text]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["# A", "## B", "```", "~~~", "text", "", "---", "===", "    # x", "y" * 70_000]),
        max_size=12,
    )
)
def test_no_line_of_markdown_is_lost(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    text = "\n".join(["begin", *lines])
    reading = opened(tmp_path_factory.getbasetemp(), text, MARKDOWN)
    assert "".join("".join(texts(reading)).split()) == "".join(text.split())


# HTML


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One\n  two</p><p>three<br>four", "One two\n\nthree\nfour"),
        ("a<b>b</b>c <i>d</i>", "abc d"),
        ("x &amp; y&nbsp;&lt;z&gt; &#8364;", "x & y <z> €"),
        ("<h3>Deep</h3>text", "### Deep\n\ntext"),
        ("<body><script>no()</script><style>p{}</style><noscript>no</noscript>yes", "yes"),
        ("<template>no</template>yes", "yes"),
        ("<svg><text>no</text></svg><iframe>no</iframe><input type=hidden value=no>yes", "yes"),
        ("<div hidden>no</div><div style='Display: NONE'>no</div>yes", "yes"),
        ("see <a href='https://example.org'>the page</a>.", "see the page."),
        ("<img src=x alt='A  duck'><img src=y alt=''>", "[image: A duck]"),
        ("<ul><li>a<li><p>b</p><ul><li>c</ul></ul>d", "- a\n- b\n  - c\n\nd"),
        ("<ol start=3><li>a</li><li>b</li></ol>", "3. a\n4. b"),
        ("<pre>  a\n    b\n</pre>after", "  a\n    b\n\nafter"),
        ("<table><tr><th>A<th>B<tr><td>1<td>2<br>3</table>", "A | B\n1 | 2 3"),
        ("<table><tr><td>a<td><td>1<tr><td>b<td> <td>2</table>", "a | 1\nb | 2"),
        ("<table><tr><td rowspan=2>a<td>b<tr><td>c<tr><td colspan=2>d</table>", "a | b\n | c\nd"),
        ("<table><caption>T</caption><tr><td>x<td><ul><li>p<li>q</ul></table>", "T\nx | p q"),
        (
            "<table><tr><td><h2>Left</h2>text<td><table><tr><td>1<td>2</table></table>",
            "## Left\n\ntext\n\n1 | 2",
        ),
        ("<table><tr><td>only<tr><td>column</table>", "only\ncolumn"),
        ("<p>unclosed <b>bold <p>next", "unclosed bold\n\nnext"),
    ],
)
def test_html_reads_as_it_looks(html: str, text: str) -> None:
    assert shown(html) == text


def test_html_sections_begin_at_headings(tmp_path: Path) -> None:
    html = "<title> The\nreport </title>intro<h1>A</h1><h2>A1</h2><p>x<h3>A11</h3>y<h2>B</h2>z"
    reading = opened(tmp_path, html, HTML)
    assert [normalize(text) for text in texts(reading)] == [
        "intro",
        "# A\n\n## A1\n\nx\n\n### A11\n\ny",
        "## B\n\nz",
    ]
    assert reading.title == "The report"


def test_without_a_title_the_first_heading_names_it(tmp_path: Path) -> None:
    assert opened(tmp_path, "text<h2>Name <i>it</i></h2>", HTML).title == "Name it"
    assert opened(tmp_path, "text", HTML).title is None


@pytest.mark.parametrize(
    ("html", "codec"),
    [
        ("<meta charset=utf-8>", "utf-8"),
        ("<meta charset='iso-8859-1'>", "windows-1252"),
        ("<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r"),
        ("<meta charset=base64>", "utf-8"),
        ("<meta charset=undefined>", "utf-8"),
        ("<meta charset=idna>", "utf-8"),
        ("<meta charset=unicode_escape>", "utf-8"),
        ("<meta charset=no-such-thing>", "utf-8"),
        ("<meta charset=koi8-r>", "utf-16"),
        ("", "utf-8"),
    ],
)
def test_the_encoding_is_the_declared_one(tmp_path: Path, html: str, codec: str) -> None:
    word = "Привет" if codec != "windows-1252" else "“Größe”"
    assert texts(opened(tmp_path, f"{html}<p>{word}".encode(codec), HTML)) == [word]


@pytest.mark.parametrize("html", ["<html></html>", "<script>x</script>", "<p> </p>"])
def test_a_page_that_shows_nothing_is_empty(tmp_path: Path, html: str) -> None:
    with pytest.raises(EmptyDocument):
        opened(tmp_path, html, HTML)


def test_html_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.html"
    with path.open("wb") as file:
        file.truncate(MAX_HTML_BYTES + 1)
    with pytest.raises(TooLarge, match="Split it"):
        open_document(path, HTML)


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000 + "core",
        "<div>" * 100_000 + "core" + "</div>" * 100_000,
        "<table><tr><td>" * 30_000 + "core",
        "<svg>" * 100_000 + "</svg>" * 100_000 + "core",
        "<ul><li>" * 50_000 + "core",
        "<b><p>" * 30_000 + "core",
        "core" + "<!--" * 100_000,
        "core" + "<a " * 100_000,
        "core" + "<script>" * 100_000,
        "".join(f"<font size={size}>" for size in range(50_000)) + "<p>x" * 300 + "core",
    ],
    ids=lambda html: html[:12],
)
def test_hostile_nesting_ends_quickly_and_keeps_the_text(html: str) -> None:
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (10, 10))\n"
        "from ingest.formats.hypertext import read_hypertext\n"
        "assert 'core' in read_hypertext(sys.stdin.read()).text"
    )
    subprocess.run([sys.executable, "-c", script], input=html, text=True, check=True, timeout=60)


def test_ordinary_depth_is_left_alone() -> None:
    html = "<div><p>x</p>" * (MAX_DEPTH - 1) + "</div>" * (MAX_DEPTH - 1) + "<p><br><li>" * 2_000
    assert bounded_depth(html) == html


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *"abc",
                *(
                    f"<{slash}{tag}>"
                    for tag in ("table", "tr", "td", "li", "ul", "p", "pre", "h1", "b", "a", "div", "svg")
                    for slash in ("", "/")
                ),
            ]
        ),
        max_size=60,
    )
)
def test_any_soup_is_read(pieces: list[str]) -> None:
    inside_svg = "<svg>" in pieces
    letters = [piece for piece in pieces if len(piece) == 1]
    read = [letter for letter in shown("".join(pieces)) if letter in "abc"]
    assert inside_svg or sorted(read) == sorted(letters)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wiki_duck.html", ["# Duck\n", "Ducks eat food sources such as grasses", "Kingdom: | Animalia"]),
        ("test_wikipedia.html", ["# Microsoft\n", "Paul Allen", "Founders"]),
        ("test_blog.html", ["Chi Wang"]),
        ("test_serp.html", ["Microsoft"]),
    ],
)
def test_real_pages_are_read(name: str, words: list[str]) -> None:
    text = "\n".join(normalize(section) for section in texts(open_document(SAMPLES / name, HTML)))
    assert all(word in text for word in words)
    assert "function(" not in text
    assert "{display" not in text

"""A model's Markdown as HTML that can be shown: headings, lists, tables, code; no script, picture or style.

Two walls, one behind the other: the renderer makes no HTML of the text's own and no link but to the web or
an address of mail; the sanitiser then lets through what is listed here alone. Marks of citations become
`<button class="cite" data-index="…">`, which the page fills with the verdict. Signs that are no text
(controls, turns of the writing direction) are left out, as in exported answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.normalize_url import normalizeLink
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from service.domain.citations import Claim, find_claims

MAX_NESTING = 24
"""Levels of quotes and lists (a list has two); a block that goes deeper is shown as plain text, whole."""

SCHEMES = frozenset({"http", "https", "mailto"})
TAGS = frozenset(
    "a blockquote br button code em h3 hr li ol p pre s span strong table tbody td th thead tr ul".split()  # noqa: SIM905 - tags as words
)
ATTRIBUTES = {"a": {"href", "title"}, "button": {"data-index"}, "ol": {"start"}}
CLASSES = {
    "button": {"cite"},
    "h3": {f"level-{level}" for level in range(1, 7)},
    "p": {"plain"},
    "span": {"address", "language", "picture"},
    "td": {"center", "left", "right"},
    "th": {"center", "left", "right"},
}
ALWAYS = {"a": {"target": "_blank"}, "button": {"type": "button"}}
REL = "noopener nofollow noreferrer"

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
    "|[\ufdd0-\ufdef\ufffe\uffff]"
)
_RETURN = re.compile("\r+\n?")
_OPEN, _CLOSE = "\u2e28\ufdd0", "\ufdd0\u2e29"
"""Around a mark's number while Markdown is read. The sign inside is no character, and none is left in the
text; the brackets outside make it punctuation, as the mark's own would be, for what is emphasised."""

_PLACE = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was made of a text.

    Attributes:
        settled: HTML of the blocks that nothing which follows can change.
        open: HTML of what comes behind them.
        lines: of the text that the settled blocks take.
        marks: in those lines.
    """

    settled: str
    open: str
    lines: int
    marks: int


def render(text: str, *, first_mark: int = 0) -> Rendered:
    """Return Markdown as HTML, in a time that grows with the text's length alone.

    A text that is still being written is given again from the first line that is not settled.

    Args:
        text: an answer, or what of it follows the blocks that are settled.
        first_mark: how many marks of the answer stand before it.
    """
    source = _Source(text, find_claims(text), first_mark)
    whole_lines = source.text.rpartition("\n")[0]
    blocks = _blocks(whole_lines)
    start = blocks[-1].first_line if blocks else 0
    rest = "\n".join(source.text.split("\n")[start:])
    return Rendered(
        settled=_clean("".join(source.html(block) for block in blocks[:-1])),
        open=_clean("".join(source.html(block) for block in _blocks(rest))),
        lines=start,
        marks=len(source.claims) - len(_PLACE.findall(rest)),
    )


class _Source:
    """A text with a place for each mark, and without signs that are no text; it keeps its lines."""

    def __init__(self, text: str, claims: Sequence[Claim], first_mark: int) -> None:
        pieces, at = [], 0
        for number, claim in enumerate(claims):
            pieces += [_shown(text[at : claim.start]), f"{_OPEN}{number}{_CLOSE}"]
            at = claim.end
        self.text = "".join([*pieces, _shown(text[at:])])
        self.claims = claims
        self._first_mark = first_mark

    def html(self, block: _Block) -> str:
        """Return one block, marks as buttons; as plain text where something lies too deep in it."""
        env = {"source": self}
        if any(token.level >= MAX_NESTING - 1 and token.type != "inline" for token in block.tokens):
            return f'<p class="plain">{self.with_buttons(block.text)}</p>'
        return str(_markdown().renderer.render(block.tokens, _markdown().options, env))

    def with_buttons(self, text: str) -> str:
        """Return text as HTML, marks as buttons."""
        return _PLACE.sub(self._button, escapeHtml(text))

    def _button(self, place: re.Match[str]) -> str:
        number = int(place[1])
        name = self.claims[number].marker.strip("[]")
        return f'<button class="cite" data-index="{self._first_mark + number}">{escapeHtml(name)}</button>'

    def in_words(self, text: str) -> str:
        """Return text with its marks as they read, for addresses and the like."""
        return _PLACE.sub(lambda place: self.claims[int(place[1])].marker, text)


@dataclass(frozen=True, slots=True)
class _Block:
    """One block of the text's own level."""

    tokens: Sequence[Token]
    first_line: int
    text: str


def _blocks(text: str) -> list[_Block]:
    lines = text.split("\n")
    return [_block(tokens, lines) for tokens in _top_level(_markdown().parse(text))]


def _block(tokens: Sequence[Token], lines: Sequence[str]) -> _Block:
    first, end = tokens[0].map or [0, len(lines)]
    return _Block(tokens, first, "\n".join(lines[first:end]))


def _top_level(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    start = 0
    for at, token in enumerate(tokens, 1):
        if token.level == 0 and token.nesting != 1:
            yield tokens[start:at]
            start = at


def _shown(text: str) -> str:
    return _UNSEEN.sub("", _RETURN.sub(lambda ends: "\n" if ends[0].endswith("\n") else " ", text))


class _Renderer(RendererHTML):
    """Writes what the rules below do not forbid; each method is named after the token that it writes."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write words, with their marks."""
        del options
        return _source(env).with_buttons(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write code in a line, with the marks in it."""
        return f"<code>{self.text(tokens, idx, options, env)}</code>"

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write indented code."""
        return f"<pre><code>{self.text(tokens, idx, options, env)}</code></pre>\n"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write code between fences, and over it what the fence says."""
        said = _source(env).with_buttons(tokens[idx].info.strip())
        language = f'<span class="language">{said}</span>' if said else ""
        return f"<pre>{language}<code>{self.text(tokens, idx, options, env)}</code></pre>\n"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write a picture's description and its address: nothing is fetched."""
        token, source = tokens[idx], _source(env)
        alt = source.with_buttons(self.renderInlineAsText(token.children or (), options, env))
        address = escapeHtml(source.in_words(str(token.attrGet("src") or "")))
        title = escapeHtml(source.in_words(str(token.attrGet("title") or "")))
        words = " ".join(part for part in (alt, title) if part)
        return f'<span class="picture">{words} <span class="address">{address}</span></span>'

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write all headings as the level that follows the page's own; how large is a class."""
        del options, env
        return f'<h3 class="level-{tokens[idx].tag[1:]}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write the end of a heading."""
        del tokens, idx, options, env
        return "</h3>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write a column's head; how it is aligned is a class, for styles are not let in."""
        del options, env
        token = tokens[idx]
        side = str(token.attrGet("style") or "").removeprefix("text-align:")
        return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"

    td_open = th_open

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write where a link leads."""
        del options
        source, token = _source(env), tokens[idx]
        address = normalizeLink(source.in_words(str(token.attrGet("href"))))
        title = source.in_words(str(token.attrGet("title") or ""))
        return f'<a href="{escapeHtml(address)}"' + (f' title="{escapeHtml(title)}">' if title else ">")

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Write the end of a link, and behind it whose address that is, where the words do not tell."""
        del options
        start = next(at for at in range(idx, -1, -1) if tokens[at].type == "link_open")
        words = "".join(token.content for token in tokens[start:idx])
        host = _host(normalizeLink(_source(env).in_words(str(tokens[start].attrGet("href") or ""))))
        return "</a>" if host in words else f'</a> <span class="address">{escapeHtml(host)}</span>'


def _source(env: EnvType) -> _Source:
    source: _Source = env["source"]
    return source


def _host(address: str) -> str:
    """Return whose an address is; all of it where that can't be told."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    return parts.hostname or parts.path


class _Markdown(MarkdownIt):
    """Makes links to the web and to addresses of mail; what they are is written when the marks are back."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name and form
        """Whether a link may lead there; of others the letters stay."""
        return url.strip().partition(":")[0].lower() in SCHEMES

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the same
        """Leave an address as it is."""
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802 - the same
        """Leave what is shown of it as it is."""
        return link


@cache
def _markdown() -> MarkdownIt:
    """Return CommonMark with tables, without HTML and without addresses that stand elsewhere in a text."""
    options: dict[str, Any] = {"html": False, "breaks": True, "maxNesting": MAX_NESTING}
    markdown = _Markdown("commonmark", options, renderer_cls=_Renderer)
    markdown.enable(["table", "strikethrough"]).disable(["reference", "html_block", "html_inline"])
    return markdown


def _clean(html: str) -> str:
    return _cleaner().clean(html)


@cache
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(TAGS),
        clean_content_tags=set(),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        allowed_classes={tag: set(names) for tag, names in CLASSES.items()},
        set_tag_attribute_values=ALWAYS,
        url_schemes=set(SCHEMES),
        url_relative="deny",
        link_rel=REL,
        strip_comments=True,
    )

"""What the upstream's model says: real words of the packed documents, quoted with their marks."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.support.billing import text_of

_DOCUMENT = re.compile(r'<document id="(D\d+)"[^>]*>\n(.*?)(?=</document>|\Z)', re.DOTALL)
_PAGE = re.compile(r'<page n="(\d+)"[^>]*>\n(.*?)(?=<page n="|</page>|\Z)', re.DOTALL)
_FINDINGS = re.compile(r'<findings part="\d+">\n(.*?)\n</findings>', re.DOTALL)
MARKED = re.compile(r'"[^"\n]+" \[D\d+ p\.\d+\]')
_QUESTION = re.compile(r"<question(?: n=\"(\d+)\")?>\n(.*?)\n</question>", re.DOTALL)
_WORD = re.compile(r"\w{4,}")
_QUOTED_WORDS = 10


def answer(body: dict[str, Any]) -> str:
    """An answer to the request: JSON where a response format asks for it."""
    text = _text(body)
    form = body.get("response_format") or {"type": "text"}
    if form["type"] == "json_schema":
        return json.dumps(_instance(form["json_schema"].get("schema", {}), text))
    return json.dumps({"answer": text}) if form["type"] == "json_object" else text


def _text(body: dict[str, Any]) -> str:
    prompt = "".join(text_of(message) for message in body["messages"] if message["role"] == "user")
    if "<findings" in prompt:
        marks = [mark for block in _FINDINGS.findall(prompt) for mark in MARKED.findall(block)]
        return f"Taken together: {'; '.join(dict.fromkeys(marks))}." if marks else "No part found anything."
    questions = _QUESTION.findall(prompt) or [("", "")]
    return "\n".join((f"{number}. " if number else "") + _said(prompt, asked) for number, asked in questions)


def _said(prompt: str, question: str) -> str:
    found = _best_page(prompt, question)
    if found is None:
        return "The prompt holds no documents."
    document, page, quote = found
    return f'According to the documents, "{quote}" [{document} p.{page}].'


def _best_page(prompt: str, question: str) -> tuple[str, str, str] | None:
    """Document, page and opening words of the page that shares most words with the question."""
    wanted = set(_WORD.findall(question.lower()))
    best: tuple[int, tuple[str, str, str]] | None = None
    for document in _DOCUMENT.finditer(prompt):
        for page in _PAGE.finditer(document[2]):
            quote = _opening(page[2])
            score = len(wanted & set(_WORD.findall(page[2].lower())))
            if quote and (best is None or score > best[0]):
                best = score, (document[1], page[1], quote)
    return best[1] if best else None


def _opening(text: str) -> str:
    """The first words of the first line that has some, free of double quotes, exactly as they stand."""
    lines = (line.strip() for line in text.splitlines())
    line = next((line for line in lines if len(line.split()) > 2 and '"' not in line), "")
    match = re.match(rf"\S+(?:\s+\S+){{0,{_QUOTED_WORDS - 1}}}", line)
    return match[0] if match else ""


def _instance(schema: dict[str, Any], text: str) -> Any:  # noqa: ANN401 - any JSON value
    """The least value that fits a plain JSON Schema; strings hold the answer."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return {name: _instance(inner, text) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [_instance(schema.get("items", {"type": "string"}), text)]
    return {"string": text, "integer": 0, "number": 0.0, "boolean": True}.get(kind)

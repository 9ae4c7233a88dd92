"""The commands about answers that were given: list them, and take one out as a file."""

from __future__ import annotations

import sys
from enum import StrEnum
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from service import console, endings, opening
from service.errors import Invalid
from service.usecases import arrange_corpus
from service.usecases.context import LOCAL
from service.usecases.export_answer import describe_export, export_answer, list_answers
from service.usecases.write_markdown import write_markdown

MOST_QUESTION = 100

app = typer.Typer()


class Form(StrEnum):
    """What an answer can be exported as."""

    MD = "md"
    JSON = "json"


@app.command("answers")
def show(
    corpus: Annotated[str | None, typer.Option(help="Only those of a corpus, by name or id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List the answers that were given, the newest first.

    Example: unabridged answers --corpus reports
    """
    ctx = opening.concluded(opening.settings())
    corpus_id = None if corpus is None else arrange_corpus.find(ctx, LOCAL, corpus).id
    rows = [_row(*one) for one in list_answers(ctx, LOCAL, corpus_id=corpus_id, limit=limit)]
    if json:
        console.as_json(rows)
        return
    out = console.results()
    for row in rows:
        asked = row["created_at"][:16].replace("T", " ")
        cost = f", {endings.paid(row)}" if row["actual_usd"] else ""
        name = row["corpus"] or "a corpus forgotten since"
        out.print(f"{row['id']}  {asked} UTC  {name}: {row['status']}{cost}", markup=False)
        out.print(f"  {_short(row['question'])}", markup=False)
    if not rows:
        out.print('No question was asked yet. Ask one: unabridged ask FOLDER "your question"')


@app.command()
def export(
    answer: Annotated[str, typer.Argument(help="Its id, or last; `unabridged answers` lists them.")],
    form: Annotated[Form, typer.Option("--format", help="md for people, json to check it.")] = Form.MD,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there, not to the screen.")
    ] = None,
) -> None:
    """Write an answer with its sources, their words and its price, as Markdown or JSON.

    Example: unabridged export last -o answer.md
    """
    ctx = opening.concluded(opening.settings())
    exported = export_answer(ctx, LOCAL, opening.answer_id(ctx, answer))
    if form is Form.MD:
        written = write_markdown(exported)
    else:
        written = dumps(describe_export(exported), ensure_ascii=False, indent=2) + "\n"
    if output is None:
        sys.stdout.write(written)
    else:
        _write(output, written)


def _write(output: Path, text: str) -> None:
    try:
        output.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise Invalid(
            f"{output} can't be written: {error.strerror or error}. Name another file with -o."
        ) from error
    console.say(f"Written: {output}")


def _row(answer: dict[str, Any], corpus: str | None) -> dict[str, Any]:
    row = {name: answer[name] for name in ("id", "created_at", "corpus_id", "question", "status", "model")}
    return {**row, "corpus": corpus, **{name: answer["cost"][name] for name in ("actual_usd", "actual_is")}}


def _short(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= MOST_QUESTION else f"{line[: MOST_QUESTION - 1]}…"

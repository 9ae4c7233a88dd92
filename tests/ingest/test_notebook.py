"""Jupyter notebooks: all that was written and printed, and a word on what was drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.document import Unit
from ingest.errors import DamagedDocument, EmptyDocument, IngestError
from ingest.formats import IPYNB
from ingest.formats.archive import Pages
from ingest.formats.notebook import open_document

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"
PICTURE = {"output_type": "display_data", "data": {"image/png": "aGk=", "text/plain": "<Figure>"}}


def code(source: str | list[str], *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source}


def read(path: Path, *cells: dict[str, Any], **metadata: Any) -> Pages:  # noqa: ANN401 - any JSON
    known = {"language_info": {"name": "python"}, **metadata}
    path.write_text(json.dumps({"nbformat": 4, "metadata": known, "cells": cells}))
    return open_document(path, IPYNB)


def text_of(reading: Pages) -> str:
    return "\n--\n".join(page.text for page in reading.pages())


def test_code_and_what_it_printed_stand_in_fences(tmp_path: Path) -> None:
    printed = {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]}
    result = {"output_type": "execute_result", "data": {"text/plain": "42", "text/html": "<b>42</b>"}}
    reading = read(tmp_path / "a", code(["x = 1\n", "x"], printed, result), markdown("*Done.*"))
    assert text_of(reading) == "```python\nx = 1\nx\n```\n\n```\none\ntwo\n```\n\n```\n42\n```\n\n*Done.*"
    assert reading.unit is Unit.SECTION
    assert reading.media_type == IPYNB
    assert reading.notices == []


def test_a_fence_is_longer_than_what_it_holds(tmp_path: Path) -> None:
    assert text_of(read(tmp_path / "a", code("s = '''\n```\n'''"))) == "````python\ns = '''\n```\n'''\n````"


def test_headings_begin_sections(tmp_path: Path) -> None:
    cells = [
        markdown("# Title"),
        markdown("Words."),
        code("1"),
        markdown("## Next\nmore"),
        markdown("### In it"),
    ]
    reading = read(tmp_path / "a", *cells)
    assert text_of(reading) == "# Title\n\nWords.\n\n```python\n1\n```\n--\n## Next\nmore\n\n### In it"
    assert reading.title == "Title"
    assert read(tmp_path / "a", *cells, title="Its own").title == "Its own"


def test_long_notebooks_without_headings_are_grouped(tmp_path: Path) -> None:
    reading = read(tmp_path / "a", *[code(f"x = {at}\n" * 20) for at in range(100)])
    assert 3 < reading.total < 20
    assert all(page.text.startswith("```python") for page in reading.pages())


def test_pictures_are_counted_and_left_out(tmp_path: Path) -> None:
    widget = {"output_type": "display_data", "data": {"application/vnd.jupyter.widget-view+json": {}}}
    inline = markdown(f"See ![it](data:image/png;base64,{'A' * 5_000}) there.")
    reading = read(tmp_path / "a", code("plot()", PICTURE, PICTURE, widget), inline)
    assert text_of(reading).endswith("See ![it]() there.")
    (notice,) = reading.notices
    assert notice.code == "outputs_left_out"
    assert "3 pictures and 1 interactive output can't" in notice.detail


def test_errors_and_progress_read_as_a_terminal_shows_them(tmp_path: Path) -> None:
    error = {
        "output_type": "error",
        "ename": "E",
        "evalue": "x",
        "traceback": ["\x1b[0;31mE\x1b[0m: x", "at 1"],
    }
    progress = {"output_type": "stream", "text": "10%\r50%\r100%\r\nDone\n"}
    bare = {"output_type": "error", "ename": "KeyError", "evalue": "'k'"}
    reading = read(tmp_path / "a", code("f()", progress, error, bare))
    assert text_of(reading).endswith(
        "```\n100%\nDone\n```\n\n```\nE: x\nat 1\n```\n\n```\nKeyError: 'k'\n```"
    )


def test_lines_overwritten_again_and_again_keep_their_last_state(tmp_path: Path) -> None:
    printed = {"output_type": "stream", "text": "a\r\rb\nc\r\nd\r"}
    assert text_of(read(tmp_path / "a", code("", printed))) == "```\nb\nc\nd\n```"


@pytest.mark.parametrize(
    "line",
    ["x" * 400_000, "\r" * 400_000 + "x", "x\r" * 200_000 + "x"],
    ids=["no return", "returns", "overwritten"],
)
def test_very_long_lines_are_read_in_linear_time(tmp_path: Path, line: str) -> None:
    printed = {"output_type": "stream", "text": line}
    assert text_of(read(tmp_path / "a", code("", printed))).count("x") == (1 if "\r" in line else len(line))


def test_blanks_in_a_heading_are_read_in_linear_time(tmp_path: Path) -> None:
    blanks = " " * 500_000
    assert read(tmp_path / "a", markdown(f"# a{blanks}b # #")).title == f"a{blanks}b"


def test_version_3_is_read(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Old"]},
        {"cell_type": "code", "language": "python", "input": ["1 + 1"], "outputs": [
            {"output_type": "pyout", "text": ["2"], "png": "aGk="},
            {"output_type": "pyerr", "traceback": ["\x1b[31mBad\x1b[0m"]},
        ]},
    ]  # fmt: skip
    path = tmp_path / "a"
    path.write_text(json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]}))
    reading = open_document(path, IPYNB)
    assert text_of(reading) == "## Old\n\n```python\n1 + 1\n```\n\n```\n2\n```\n\n```\nBad\n```"
    assert len(reading.notices) == 1


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b'{"cells": 1}', b"\xff\xfe\xfd", b"[" * 100_000, b'{"cells": [' + b"[" * 100_000],
)
def test_a_damaged_notebook_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    with pytest.raises(DamagedDocument, match=r"Open it in Jupyter, save it anew and upload that file\.$"):
        open_document(path, IPYNB)


def test_a_notebook_that_says_nothing_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        read(tmp_path / "a", code(""), markdown(" \n"))


KEYS = ["cells", "worksheets", "metadata", "cell_type", "source", "input", "outputs", "output_type", "data"]
KEYS += [
    "text",
    "traceback",
    "level",
    "language_info",
    "kernelspec",
    "name",
    "language",
    "title",
    "text/plain",
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["code", "stream", "error"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.lists(values, max_size=4), st.dictionaries(st.sampled_from(["metadata", "worksheets"]), values))
@example(cells=[{"cell_type": [], "source": "0"}], more={})
def test_no_shape_of_json_breaks_it(
    tmp_path_factory: pytest.TempPathFactory, cells: list[Any], more: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_text(json.dumps({"cells": cells, **more}))
    try:
        assert open_document(path, IPYNB).total > 0
    except IngestError as error:
        assert str(error).endswith(".")  # noqa: PT017 - either end is right


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
def test_real_notebooks_are_read() -> None:
    reading = open_document(SAMPLES / "test_notebook.ipynb", IPYNB)
    assert reading.title == "Test Notebook Title"
    assert "```python\n# comment in code\nprint(42)\n```\n\n```\n42\n```" in text_of(reading)
    assert "Supported IPython display formatters:" in text_of(open_document(SAMPLES / "mime.ipynb", IPYNB))

"""CSV and TSV: the right columns in the right characters, whoever wrote them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Unit
from ingest.errors import EmptyDocument
from ingest.formats import CSV, TSV, RawPage, Reading, open_document

SAMPLES = Path(__file__).resolve().parents[2] / "../shared/samples/office"


def read(path: Path, media_type: str = CSV) -> tuple[Reading, list[RawPage]]:
    reading = open_document(path, media_type)
    pages = list(reading.pages())
    reading.close()
    assert len(pages) == reading.total
    return reading, pages


def text(tmp_path: Path, data: str | bytes, media_type: str = CSV) -> str:
    path = tmp_path / "a.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return "\n--\n".join(page.text for page in read(path, media_type)[1])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("a,b\r\n1,2\r\n", "a | b\n1 | 2"),
        ("name;price\nBolt;0,20\nNut;0,10\n", "name | price\nBolt | 0,20\nNut | 0,10"),
        ("a\tb, c\n1\t2, 3\n", "a | b, c\n1 | 2, 3"),
        ("1,5;2,5\n3,5;4,0\n", "1,5 | 2,5\n3,5 | 4,0"),
        ("a|b\n1|2\n", "a | b\n1 | 2"),
        ('a,"b, ""c""\nd",e\n\n,,\n1,,\n', 'a | b, "c" d | e\n1'),
        ("\ufeffone\ntwo words\n", "one\ntwo words"),
    ],
)
def test_the_delimiter_is_found(tmp_path: Path, data: str, said: str) -> None:
    assert text(tmp_path, data) == said


def test_tabs_are_what_their_type_says(tmp_path: Path) -> None:
    assert text(tmp_path, "a,b,c\td\n1,2,3\t4\n", TSV) == "a,b,c | d\n1,2,3 | 4"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "naïve | Straße"),
        ("utf-16", "naïve | Straße"),
        ("cp1252", "Müller | Königstraße"),
        ("cp932", "佐藤太郎 | 東京"),
        ("euc_jp", "佐藤太郎 | 東京"),
        ("gb18030", "张三先生 | 北京市"),
        ("cp949", "홍길동 | 서울"),
        ("cp1251", "Мария Иванова | Москва"),
    ],
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str, said: str) -> None:
    line = said.replace(" | ", ",") + "\n"
    assert text(tmp_path, (line * 5).encode(encoding)) == "\n".join([said] * 5)


def test_a_long_table_is_cut_and_its_rows_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{number},x\n" for number in range(1, 451)))
    reading, pages = read(path)
    assert reading.unit is Unit.SECTION
    assert [page.label for page in pages] == ["rows 1–200", "rows 201–400", "rows 401–450"]  # noqa: RUF001
    assert pages[2].text.startswith("401 | x\n")


@pytest.mark.parametrize("data", [b'a,"' + b"x" * 200_000, b"word " * 60_000])
def test_what_is_no_table_is_read_as_text(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    reading, pages = read(path)
    assert [notice.code for notice in reading.notices] == ["read_as_text"]
    assert sum(len(page.text.replace(" ", "")) for page in pages) == len(data.replace(b" ", b""))


def test_nothing_filled_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        text(tmp_path, ",,\n\n , \n")


rows = st.lists(
    st.lists(
        st.text(st.characters(categories=["L", "N"], include_characters=' \n"')), min_size=2, max_size=5
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(rows, st.sampled_from(",;\t"))
def test_every_word_comes_through(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], delimiter: str
) -> None:
    made = io.StringIO()
    csv.writer(made, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(table)
    wanted = [" ".join(cell.split()) for row in table for cell in row]
    if not any(wanted):
        return
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(made.getvalue(), encoding="utf-8", newline="")
    _, pages = read(path, TSV if delimiter == "\t" else CSV)
    shown = "\n".join(page.text for page in pages)
    assert "".join(shown.replace(" | ", "").split()) == "".join("".join(wanted).split())


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real documents are not here")
def test_a_real_table_in_shift_jis() -> None:
    _, pages = read(SAMPLES / "test_mskanji.csv")
    assert pages[0].text.splitlines()[3] == "髙橋淳 | 35 | 名古屋"

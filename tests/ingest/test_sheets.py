"""XLSX, XLS and ODS: a sheet is a page; cells as they are shown, however sparse or hostile the sheet is."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import xlwt  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.document import Unit
from ingest.errors import DamagedDocument, EmptyDocument, TooLarge
from ingest.formats import ODS, XLS, XLSX, RawPage, Reading, open_document
from ingest.formats.grid import MAX_CHARS, MAX_ROWS, Budget, Grid, letters
from tests.support import packages
from tests.support.packages import relations, row


def read(path: Path, media_type: str = XLSX) -> tuple[Reading, list[RawPage]]:
    reading = open_document(path, media_type)
    pages = list(reading.pages())
    reading.close()
    assert len(pages) == reading.total
    return reading, pages


def text(path: Path, media_type: str = XLSX) -> str:
    return "\n--\n".join(page.text for page in read(path, media_type)[1])


def test_cells_read_as_they_are_shown(tmp_path: Path) -> None:
    rows = [
        row(1, A='t="s"><v>0</v>', B='t="inlineStr"><is><t>Due</t></is>', C='t="str"><v>Share</v>'),
        row(2, A='s="1"><v>1234.5</v>', B='s="2"><v>45000</v>', C='s="3"><v>0.125</v>'),
        row(3, A='t="b"><v>1</v>', B='t="e"><v>#DIV/0!</v>', C='t="d"><v>2024-02-29T00:00:00</v>'),
        row(4, A="><f>SUM(A1:A3)</f><v>6</v>", B="0.30000000000000004"),
    ]
    path = packages.workbook(
        tmp_path / "a.xlsx",
        {"Fees": "".join(rows)},
        formats=["[$€-407] #,##0.00", "d mmm yyyy", "0.0%"],
        texts=["<r><t>Am</t></r><r><t>ount</t></r><rPh><t>ignored</t></rPh>"],
    )
    reading, pages = read(path)
    assert (reading.unit, pages[0].label) == (Unit.SECTION, "Fees")
    assert pages[0].text.splitlines() == [
        "# Fees",
        "Amount | Due | Share",
        "€ 1,234.50 | 15 Mar 2023 | 12.5%",
        "TRUE | #DIV/0! | 2024-02-29",
        "6 | 0.3",
    ]
    assert reading.notices == []


def test_empty_rows_and_columns_go_and_gaps_stay(tmp_path: Path) -> None:
    rows = row(1, B="1", D="2") + row(2) + row(900, B="", F="3") + row(1_048_576, D="4")
    assert text(packages.workbook(tmp_path / "a.xlsx", {"S": rows})) == "# S\n1 | 2\n |  | 3\n | 4"


def test_a_cell_without_an_address_follows_the_last(tmp_path: Path) -> None:
    rows = "<row><c><v>1</v></c><c/><c><v>2</v></c></row><row><c><v>3</v></c><c><v>4</v></c></row>"
    assert text(packages.workbook(tmp_path / "a.xlsx", {"S": rows})) == "# S\n1 |  | 2\n3 | 4"


def test_a_long_sheet_is_cut(tmp_path: Path) -> None:
    rows = "".join(row(number, A=str(number)) for number in range(1, 451))
    _, pages = read(packages.workbook(tmp_path / "a.xlsx", {"Long": rows, "Short": row(1, A="1")}))
    labels = ["Long, rows 1–200", "Long, rows 201–400", "Long, rows 401–450", "Short"]  # noqa: RUF001
    assert [page.label for page in pages] == labels
    assert pages[1].text.startswith("# Long, rows 201–400\n201\n202\n")  # noqa: RUF001 - as written
    assert sum(page.text.count("\n") for page in pages) == 451


def test_a_hidden_sheet_says_so(tmp_path: Path) -> None:
    path = packages.workbook(
        tmp_path / "a.xlsx", {"Open": row(1, A="1"), "Secret": row(1, A="2")}, hidden=["Secret"]
    )
    assert text(path) == "# Open\n1\n--\n# Secret [hidden sheet]\n2"


def test_a_formula_without_a_result_is_told(tmp_path: Path) -> None:
    reading, pages = read(packages.workbook(tmp_path / "a.xlsx", {"S": row(1, A="><f>B1*2</f>", B="3")}))
    assert pages[0].text == "# S\n=B1*2 | 3"
    assert [notice.code for notice in reading.notices] == ["formulas_without_values"]
    assert reading.notices[0].detail.startswith("1 formula carries no result and is read as a formula. ")


def test_comments_and_chart_titles_stand_below(tmp_path: Path) -> None:
    chart = "<c><title><t>Growth</t></title><ser><val><pt idx='0'><v>5</v></pt></val></ser></c>"
    parts = {
        "xl/_rels/s1.xml.rels": relations({"c": ("comments", "c.xml"), "d": ("drawing", "d.xml")}),
        "xl/c.xml": "<l><comment><text><r><t>Che</t></r><r><t>ck</t></r></text></comment></l>",
        "xl/d.xml": "<d/>",
        "xl/_rels/d.xml.rels": relations({"x": ("chart", "chart.xml")}),
        "xl/chart.xml": chart,
    }
    path = packages.workbook(tmp_path / "a.xlsx", {"S": row(1, A="1")}, parts=parts)
    assert text(path) == "# S\n1\n[comment: Check]\n[chart: Growth]"


def test_a_scattered_sheet_does_not_explode(tmp_path: Path) -> None:
    rows = "".join(row(number, **{letters(number * 16): str(number)}) for number in range(1, 1_001))
    started = time.process_time()
    made = text(packages.workbook(tmp_path / "a.xlsx", {"S": rows}))
    assert time.process_time() - started < 5
    assert "\nQ1: 1\nAG2: 2\n" in made
    assert len(made) < 20_000


def test_wild_numbers_do_no_harm(tmp_path: Path) -> None:
    rows = row(1, A='t="s"><v>99999999999999</v>', B='s="99999999999"><v>1e999</v>', C='s="²"><v>5</v>')
    rows += '<row r="99999999999999999999"><c r="ZZZ9"><v>far</v></c></row>'
    assert text(packages.workbook(tmp_path / "a.xlsx", {"S": rows})) == "# S\ninf | 5\n |  | far"


def test_too_many_cells_are_refused() -> None:
    budget = Budget(3)
    budget.take(3)
    with pytest.raises(TooLarge, match="filled cells"):
        budget.take(1)


def test_nothing_filled_is_empty_and_bad_xml_is_damage(tmp_path: Path) -> None:
    with pytest.raises(EmptyDocument):
        read(packages.workbook(tmp_path / "a.xlsx", {"S": row(1, A="")}))
    with pytest.raises(DamagedDocument, match="Open it in Excel"):
        read(packages.workbook(tmp_path / "b.xlsx", {"S": "<row>"}))


def test_an_unknown_encoding_is_damage(tmp_path: Path) -> None:
    parts = {"xl/s1.xml": "<?xml version='1.0' encoding='none-such'?><worksheet/>"}
    with pytest.raises(DamagedDocument):
        read(packages.workbook(tmp_path / "a.xlsx", {"S": ""}, parts=parts))


cells = st.dictionaries(
    st.integers(0, 300),
    st.text("ab1| ", max_size=5).filter(str.strip),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(cells, max_size=450))
def test_no_cell_is_lost_and_pages_are_bounded(rows: list[dict[int, str]]) -> None:
    grid = Grid("S")
    count = sum(grid.add(number, sorted(row.items())) for number, row in enumerate(rows, start=1))
    assert count == sum(map(len, rows))
    written = " ".join(page for _, page in grid.pages()).replace("|", " ").split()
    for row_cells in rows:
        for cell in row_cells.values():
            assert all(word in written or f"{word}:" in written for word in cell.replace("|", " ").split())
    assert all(page.count("\n") <= MAX_ROWS and len(page) < 2 * MAX_CHARS for _, page in grid.pages())


@given(st.integers(0, 16_383))
def test_columns_are_named_as_spreadsheets_do(column: int) -> None:
    number = 0
    for letter in letters(column):
        number = number * 26 + ord(letter) - 64
    assert number == column + 1


# XLS ------------------------------------------------------------------------------------------------------


def old_workbook(path: Path) -> Path:
    book = xlwt.Workbook()
    sheet, hidden = book.add_sheet("Fees"), book.add_sheet("Sécret 日本")
    hidden.visibility = 1
    sheet.write(0, 1, "Straße")
    sheet.write(4, 1, 1234.5, xlwt.easyxf(num_format_str="#,##0.00"))
    sheet.write(4, 3, 45000, xlwt.easyxf(num_format_str="yyyy-mm-dd"))
    sheet.write(65_535, 1, 0.5, xlwt.easyxf(num_format_str="0%"))
    sheet.write_merge(5, 6, 1, 3, "merged")
    sheet.write(8, 3, True)  # noqa: FBT003 - the cell's value
    hidden.write(0, 0, "日本")
    book.save(str(path))
    return path


def test_an_old_workbook_reads_alike(tmp_path: Path) -> None:
    reading, pages = read(old_workbook(tmp_path / "a.xls"), XLS)
    assert reading.unit is Unit.SECTION
    assert [page.text for page in pages] == [
        "# Fees\nStraße\n1,234.50 | 2023-03-15\nmerged\n | TRUE\n50%",
        "# Sécret 日本 [hidden sheet]\n日本",
    ]
    assert pages[1].label == "Sécret 日本"


@pytest.mark.parametrize("keep", [600, 3_000, 5_000])
def test_a_broken_old_workbook_says_so(tmp_path: Path, keep: int) -> None:
    path = old_workbook(tmp_path / "a.xls")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedDocument, match="save it as XLSX"):
        read(path, XLS)


# ODS ------------------------------------------------------------------------------------------------------


def ods(path: Path, rows: str, more: str = "") -> Path:
    return packages.open_document(path, ODS, f'<table:table table:name="S">{rows}</table:table>{more}')


def cell(said: str, attributes: str = "") -> str:
    inside = f"<text:p>{said}</text:p>" if said else ""
    return f"<table:table-cell {attributes}>{inside}</table:table-cell>"


def repeat(kind: str, times: int) -> str:
    return f'table:number-{kind}-repeated="{times}"'


def test_an_open_spreadsheet_reads_alike(tmp_path: Path) -> None:
    rows = (
        f"<table:table-row>{cell('')}{cell('Total', repeat('columns', 2))}"
        f"{cell('', repeat('columns', 16_380))}"
        f"{cell('end')}</table:table-row><table:table-row {repeat('rows', 1_048_570)}>{cell('')}"
        f"</table:table-row><table:table-row>{cell('')}{cell('€ 5.00')}"
        "<table:covered-table-cell><text:p>under</text:p></table:covered-table-cell></table:table-row>"
    )
    assert text(ods(tmp_path / "a.ods", rows), ODS) == "# S\nTotal | Total | end\n€ 5.00"


def test_repeats_do_not_explode(tmp_path: Path) -> None:
    inside = cell("x", repeat("columns", 16_384))
    rows = f"<table:table-row {repeat('rows', 1_048_576)}>{inside}</table:table-row>"
    started = time.process_time()
    _, pages = read(ods(tmp_path / "a.ods", rows), ODS)
    assert time.process_time() - started < 2
    assert pages[0].text.startswith("# S\nx [the same in 16,384 cells]\n")
    assert pages[0].text.endswith("\n[the same row 1,048,476 more times]")


def test_a_hidden_sheet_and_a_comment_are_told(tmp_path: Path) -> None:
    style = '<style:style style:name="h"><style:table-properties table:display="false"/></style:style>'
    noted = cell("5").replace(
        "<text:p>", "<office:annotation><text:p>Why?</text:p></office:annotation><text:p>", 1
    )
    rows = f"<table:table-row>{noted}</table:table-row>"
    body = f'<table:table table:name="S" table:style-name="h">{rows}</table:table>'
    path = packages.open_document(tmp_path / "a.ods", ODS, body, styles=style)
    assert text(path, ODS) == "# S [hidden sheet]\n[comment: Why?] 5"

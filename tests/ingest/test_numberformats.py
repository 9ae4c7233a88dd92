"""Numbers look as Excel shows them; whatever the format code, no number is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.numberformats import BUILT_IN, shown

ACCOUNTING = '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)'


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (1234.5, "General", "1234.5"),
        (0.1 + 0.2, "General", "0.3"),
        (-7.0, "General", "-7"),
        (1e20, "General", "1E+20"),
        (1234.5, "#,##0.00", "1,234.50"),
        (0, "#,##0", "0"),
        (999_999_999, "#,##0", "999,999,999"),
        (0.1234, "0.0%", "12.3%"),
        (0.25, "0%", "25%"),
        (-5, "#,##0;(#,##0)", "(5)"),
        (-5, "0", "-5"),
        (-0.001, "0.00", "0.00"),
        (1.005, "0.00", "1.01"),
        (2.5, "0", "3"),
        (0.3, "#.##", ".3"),
        (7, "000", "007"),
        (9.999999999999995e27, "010", "1E+28"),
        (1_234_567, '0.0,,"M"', "1.2M"),
        (1_234_567, '"$"#,##0', "$1,234,567"),
        (1_234_567, "[$€-407] #,##0", "€ 1,234,567"),
        (5_551_234, "000-0000", "555-1234"),
        (12_345.678, "0.00E+00", "1.23E+04"),
        (3, ACCOUNTING, "3.00"),
        (-3, ACCOUNTING, "(3.00)"),
        (0, ACCOUNTING, "-"),
        (150, '[>=100]"big "0;[<0]"neg";0', "big 150"),
        (5, '[>=100]"big "0;[<0]"neg";0', "5"),
        (12, '0 "kg"', "12 kg"),
        (12, "@", "12"),
        (45_000, "yyyy-mm-dd", "2023-03-15"),
        (45_000.75, "m/d/yyyy h:mm AM/PM", "3/15/2023 6:00 PM"),
        (45_000.123456, "hh:mm:ss.0", "02:57:46.5"),
        (45_000, "[$-F800]dddd, mmmm dd, yyyy", "Wednesday, March 15, 2023"),
        (45_000, "mmm-yy", "Mar-23"),
        (0.52, "h:mm", "12:28"),
        (1.5, "[h]:mm:ss", "36:00:00"),
        (59, "yyyy-mm-dd", "1900-02-28"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-3, "yyyy", "-3"),
        (0.5, "# ?/?", "0.5"),
    ],
)
def test_a_number_is_shown(value: float, code: str, text: str) -> None:
    assert shown(value, code) == text


def test_dates_may_count_from_1904() -> None:
    assert shown(43_538, "yyyy-mm-dd", from_1904=True) == "2023-03-15"


@given(st.floats(), st.text('0#?.,%/E+-;[]"\\_*@ymdhs$>=1 AMPG', max_size=20))
def test_any_code_shows_something(value: float, code: str) -> None:
    assert isinstance(shown(value, code), str)


@given(st.integers(-(10**9), 10**9), st.sampled_from(["0", "#,##0", "General", "0.00", "#,##0.00"]))
def test_whole_numbers_keep_their_digits(number: int, code: str) -> None:
    assert float(shown(float(number), code).replace(",", "")) == number


def test_every_built_in_code_is_read() -> None:
    assert {
        number: shown(45_000.5, code) for number, code in BUILT_IN.items() if number in {1, 9, 14, 20}
    } == {
        1: "45001",
        9: "4500050%",
        14: "2023-03-15",
        20: "12:00",
    }

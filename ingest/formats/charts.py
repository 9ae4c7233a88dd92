"""The numbers behind a chart: its title, then one row a category and one column a series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ingest.formats.archive import Archive, on_one_line

_MAX_POINTS: Final = 10_000
_ROLES: Final = {"tx": "name", "cat": "categories", "xVal": "categories", "val": "values", "yVal": "values"}


@dataclass(slots=True)
class _Series:
    name: list[str] = field(default_factory=list)
    categories: dict[int, str] = field(default_factory=dict)
    values: dict[int, str] = field(default_factory=dict)


def chart_lines(archive: Archive, part: str) -> Iterator[str]:
    """Yield the chart as lines: what its file keeps of the numbers, whatever workbook they come from."""
    chart = _Chart()
    archive.parse(part, start=chart.start, end=chart.end, text=chart.text)
    title = on_one_line("".join(chart.titles)).strip("; ")
    rows = list(_rows(chart.series))
    if title or rows:
        yield f"[chart: {title}]" if title else "[chart]"
        yield from rows


def _rows(series: list[_Series]) -> Iterator[str]:
    series = [each for each in series if each.values]
    if not series:
        return
    names = [on_one_line("".join(each.name)) for each in series]
    if any(names):
        yield " | ".join(["", *names])
    points = sorted({point for each in series for point in (*each.categories, *each.values)})
    for point in points[:_MAX_POINTS]:
        category = next((each.categories[point] for each in series if point in each.categories), "")
        yield " | ".join([category, *(each.values.get(point, "") for each in series)])


class _Chart:
    """Takes the events of a chart's XML (ECMA-376 21.2)."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.series: list[_Series] = []
        self._in_title = 0
        self._role = ""
        self._point = 0
        self._in_value = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        if tag == "title":
            self._in_title += 1
            self.titles.append("; " if self.titles else "")
        elif tag == "ser":
            self.series.append(_Series())
        elif tag == "p" and self._in_title:
            self.titles.append(" ")  # a paragraph of the title
        elif tag in _ROLES and self.series and not self._in_title:
            self._role = _ROLES[tag]
        elif tag == "pt":
            index = attributes.get("idx", "")
            self._point = int(index) if index.isascii() and index.isdecimal() and len(index) < 8 else 0  # noqa: PLR2004 - digits
        elif tag in {"v", "t"}:
            self._in_value = True

    def end(self, tag: str) -> None:
        """End an element."""
        if tag == "title":
            self._in_title -= 1
        elif tag in _ROLES:
            self._role = ""
        elif tag in {"v", "t"}:
            self._in_value = False

    def text(self, text: str) -> None:
        """Take characters."""
        if not self._in_value:
            return
        if self._in_title:
            self.titles.append(text)
        elif self.series:
            self._take(self.series[-1], text)

    def _take(self, series: _Series, text: str) -> None:
        if self._role == "name":
            series.name.append(text)
        elif self._role:
            points: dict[int, str] = getattr(series, self._role)
            points[self._point] = points.get(self._point, "") + text

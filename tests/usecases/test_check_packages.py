"""What the service runs on is held against what it needs."""

from __future__ import annotations

import pytest

from service.usecases.check_packages import check_packages, check_python, held_against


def test_these_tests_run_on_what_is_needed() -> None:
    assert (check_python().state, check_packages().state) == ("ok", "ok")


@pytest.mark.parametrize(("found", "state"), [((3, 10, 14), "fail"), ((3, 11, 0), "ok"), ((4, 0, 0), "ok")])
def test_an_old_python_is_refused(found: tuple[int, ...], state: str) -> None:
    assert check_python(found).state == state


def test_what_is_missing_or_of_another_version_is_named() -> None:
    needed = (
        "here>=1.2",
        "old>=2",
        "gone",
        "pinned==1.0",
        'elsewhere; sys_platform == "none"',
        'x; extra == "x"',
    )
    there = {"here": "1.10rc1", "old": "1.9", "pinned": "1.0.1"}
    found = held_against(needed, there.get)
    assert found.state == "fail"
    assert (
        found.detail
        == "old is 1.9, and has to be >=2; gone is missing; pinned is 1.0.1, and has to be ==1.0."
    )
    assert "pip install" in found.do
    fitting = held_against(needed[:1], there.get)
    assert (fitting.state, fitting.detail[:14]) == ("ok", "All 1 packages")

"""Which days are ingested in one run."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.automation.day_ranges import DayRange, plan_ranges

DAY, NEXT, OLD = "2025-03-03", "2025-03-04", "2023-06-01"


def ranges(*texts: str) -> tuple[DayRange, ...]:
    """Days and ranges of days, written ``first/last``."""
    return tuple(DayRange(text.partition("/")[0], text.rpartition("/")[2]) for text in texts)


TOGETHER = [f"2025-03-{day:02}" for day in range(3, 8)]
FAILED = dict.fromkeys(TOGETHER, DayRange(TOGETHER[0], TOGETHER[-1]))


@pytest.mark.parametrize(
    ("days", "options", "planned"),
    [
        pytest.param([], {}, [], id="no days"),
        pytest.param([], {"failed": FAILED}, [], id="no days, though some failed"),
        pytest.param(["2025-03-05", DAY, NEXT, DAY], {}, [f"{DAY}/2025-03-05"], id="adjacent"),
        pytest.param(
            ["2025-01-01", "2025-01-30"], {}, ["2025-01-01", "2025-01-30"], id="no day between"
        ),
        pytest.param(
            ["2025-01-01", "2025-02-01"],
            {"limit": 1},
            ["2025-01-01/2025-02-01"],
            id="a month, when there would be too many runs",
        ),
        pytest.param(
            ["2025-01-01", "2025-02-02"], {"limit": 1}, ["2025-01-01"], id="never across more"
        ),
        pytest.param([DAY, "2025-03-05"], {"apart": {NEXT}}, [DAY, "2025-03-05"], id="apart"),
        pytest.param(
            [*TOGETHER, "2025-03-01", "2025-03-09"],
            {"failed": FAILED},
            ["2025-03-01", "2025-03-09", "2025-03-03/2025-03-05", "2025-03-06/2025-03-07"],
            id="what failed together in halves, after the others",
        ),
        pytest.param(
            [OLD, DAY], {"failed": {OLD: DayRange(OLD, OLD)}, "limit": 1}, [DAY], id="failed last"
        ),
        pytest.param(
            ["2024-01-01", "2023-06-01", "2023-01-01"],
            {"limit": 2},
            ["2023-01-01", "2023-06-01"],
            id="the oldest, up to the limit",
        ),
    ],
)
def test_days_are_planned_as_few_ranges(
    days: list[str], options: dict[str, Any], planned: list[str]
) -> None:
    assert plan_ranges(days, **{"limit": 5, **options}) == ranges(*planned)


def test_one_bad_day_of_a_year_is_found_in_a_few_runs() -> None:
    first = date(2024, 1, 1)
    days = [(first + timedelta(days=number)).isoformat() for number in range(366)]
    due, bad, runs = set(days), days[200], 0
    failed: dict[str, DayRange] = {}
    while due != {bad} or failed[bad] != DayRange(bad, bad):
        for planned in plan_ranges(due, failed=failed, limit=5):
            runs += 1
            covered = {day for day in due if day in planned}
            if bad in covered:
                failed.update(dict.fromkeys(covered, planned))
            else:
                due -= covered
    assert runs <= 20


def test_ten_years_of_days_are_ranges_of_a_year() -> None:
    first = date(2015, 1, 1)
    days = [(first + timedelta(days=number)).isoformat() for number in range(3650)]
    planned = plan_ranges(days, limit=20)
    assert len(planned) == 10
    assert (planned[0].first, planned[-1].last) == (days[0], days[-1])
    assert sum(sum(day in each for day in days) for each in planned) == len(days)


some_days = st.sets(st.dates(date(2023, 1, 1), date(2023, 12, 31)).map(date.isoformat), max_size=30)


@settings(max_examples=100, deadline=None)
@given(days=some_days, others=some_days, data=st.data())
def test_every_due_day_is_in_exactly_one_range(
    days: set[str], others: set[str], data: st.DataObject
) -> None:
    together = DayRange("2023-01-01", "2023-12-31")
    failed = {day: together for day in sorted(days) if data.draw(st.booleans())}
    others -= days
    planned = plan_ranges(days, failed=failed, apart=others, limit=10_000)
    for day in days:
        assert sum(day in each for each in planned) == 1
    for each in planned:
        covered = {day for day in days if day in each}
        assert {each.first, each.last} <= days
        assert not any(other in each for other in others)
        assert covered <= failed.keys() or covered.isdisjoint(failed)
    assert len(plan_ranges(days, failed=failed, apart=others, limit=2)) <= 2

"""The page of what the endpoint was asked, and its small charts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.last_drift import FeatureNumbers, LastDrift
from abalone_assets.pages.drift.charts import HEIGHT, WIDTH, bars, trend
from abalone_assets.pages.drift.page import SHOWN_DAYS
from abalone_assets.pages.report_list import REPORT_HEADERS
from abalone_assets_tests.monitoring.support import keep_days, report_on
from abalone_assets_tests.pages.support import Site

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2025, 3, 3)
LIVE = {"animals": 40, "rmse": 2.3, "low": 2.0, "high": 2.6, "mae": 1.7, "bias": -0.4}


@pytest.fixture
def site(home: Path) -> Site:
    return Site.of(home)


def test_before_anything_was_captured_it_says_how_that_comes(site: Site) -> None:
    page = site.text("/drift")
    assert "No captures yet" in page
    assert "monitor_requests" in page
    assert "No animal that was asked about has been surveyed since." in page
    assert site.get("/drift/report").status_code == 404
    assert "/drift says how" in site.get("/drift/report").text


def test_captured_days_without_a_report_say_what_makes_one(site: Site) -> None:
    keep_days(site.lake, {"2025-03-03": 2, "2025-03-04": 0})
    page = site.text("/drift")
    assert "No report yet" in page
    assert "of 1 days are in the lake" in page


def test_the_numbers_of_the_last_report_are_told_by_feature(site: Site) -> None:
    report_on(site.lake, longer_by=0.08, refusals=("sex", "sex", "content type"))
    page = site.text("/drift")
    assert "180 animals differ from those that the model learnt from: length." in page
    assert "2025-02-27 to 2025-03-05" in page
    assert "<dt>requests</dt><dd>183</dd>" in page
    assert "<dt>requests outside the contract</dt><dd>1.6 %</dd>" in page
    assert "3 of 183 requests were refused" in page
    assert page.index(">sex</th>") < page.index(">content type</th>")
    assert page.count('role="rowheader">') == 9 + 2 + 3
    assert page.count('<span class="badge bad">drifted</span>') == 1
    assert "chi-squared" in page
    assert "p under 2e-05" in page
    assert "3 days, 2025-03-03 to 2025-03-05" in page


def test_a_quiet_report_is_good_news(site: Site) -> None:
    report_on(site.lake)
    page = site.text("/drift")
    assert 'class="note good"' in page
    assert "look like those that the model learnt from." in page
    assert "None was refused." in page
    assert "badge bad" not in page


def test_too_few_animals_are_told_as_that(site: Site) -> None:
    report_on(site.lake, animals_a_day=5)
    page = site.text("/drift")
    assert "Too few to tell: 15 animals, and 30 are needed." in page
    assert "note good" not in page


def test_the_report_opens_as_a_page_that_may_run_and_fetch_nothing(site: Site) -> None:
    report_on(site.lake)
    assert 'href="/drift/report"' in site.text("/drift")
    answer = site.get("/drift/report")
    assert "<h1>What the endpoint was asked</h1>" in answer.text
    for name, value in REPORT_HEADERS.items():
        assert answer.headers[name] == value


def test_the_report_of_an_earlier_release_is_shown_as_far_as_it_goes(site: Site) -> None:
    features = [{"feature": "shell_weight", "psi": 0.4, "drifted": True}]
    site.lake.store.write_json(
        "drift_report/data.json", {"last": "2025-03-03", "animals": 500, "features": features}
    )
    page = site.text("/drift")
    assert "drifted: shell weight." in page
    assert "The last report did not count them" in page
    assert "<dt>requests outside the contract</dt><dd>unknown</dd>" in page
    assert "<svg" not in page
    assert "/drift/report" not in page


def test_the_errors_seen_since_are_told(site: Site) -> None:
    site.lake.store.write_json("live_performance/data.json", LIVE)
    page = site.text("/drift")
    assert "40 animals were asked about first" in page
    assert '2.30 rings <span class="quiet">(2.00 to 2.60)</span>' in page
    assert "<dt>expected</dt><dd>unknown</dd>" in page
    assert "in their interval" not in page
    full = LIVE | {"expected": 2.1, "coverage": 0.9}
    site.lake.store.write_json("live_performance/data.json", full)
    page = site.text("/drift")
    assert "2.10 rings, out of fold" in page
    assert "90.0 %" in page


def test_the_newest_days_are_listed_and_the_others_counted(site: Site) -> None:
    days = [(DAY + timedelta(days=number)).isoformat() for number in range(SHOWN_DAYS + 3)]
    keep_days(site.lake, dict.fromkeys(days, 1))
    page = site.text("/drift")
    assert f"{len(days)} days, {days[0]} to {days[-1]}; the newest {SHOWN_DAYS}:" in page
    assert f'role="rowheader">{days[-1]}<' in page
    assert f'role="rowheader">{days[2]}<' not in page
    assert f'role="rowheader">{days[3]}<' in page


def test_a_damaged_report_is_a_page_that_says_what_to_do(site: Site) -> None:
    site.lake.store.write_json("drift_report/data.json", {"last": "soon"})
    answer = site.get("/drift")
    assert answer.status_code == 503
    assert "materialize drift_report again" in answer.text


def test_it_is_in_the_navigation_and_guarded_as_the_other_pages(home: Path) -> None:
    site = Site.of(home)
    assert '<a href="/drift" aria-current="page">Drift</a>' in site.text("/drift")
    elsewhere = Site.of(home, url="http://evil.example:8080")
    assert elsewhere.get("/drift").status_code == 403
    assert elsewhere.get("/drift/report").status_code == 403


def test_bars_are_as_high_as_their_shares_and_marks_where_training_is() -> None:
    feature = FeatureNumbers("sex", 0.0, drifted=False, bins=(0.5, 0.3, 0.2), expected=(0.25,) * 3)
    first, second, third = bars(feature)
    assert (first.y, first.height, first.mark) == (0, HEIGHT, HEIGHT / 2)
    assert second.height == pytest.approx(0.6 * HEIGHT)
    assert third.x + third.width < WIDTH
    assert bars(FeatureNumbers("sex", 0.0, drifted=False)) == []


def test_a_trend_goes_from_the_first_day_to_the_last() -> None:
    assert trend([], 0.1) is None
    drawn = trend(
        [(DAY, 0.0), (DAY + timedelta(days=1), 0.5), (DAY + timedelta(days=4), 0.25)], 0.1
    )
    assert drawn is not None
    places = [tuple(map(float, each.split(","))) for each in drawn.points.split()]
    assert [x for x, _ in places] == [3, 31.5, 117]
    assert [y for _, y in places] == [33, 3, 18]
    assert drawn.last == places[-1]
    assert drawn.limit == pytest.approx(27)
    small = trend([(DAY, 0.02)], None)
    assert small is not None
    assert (small.limit, small.last[0]) == (None, 3)
    assert small.last[1] > 30  # a small index looks small


def test_a_lake_without_anything_has_no_numbers(site: Site) -> None:
    found = LastDrift(site.lake)
    assert (found.numbers(), found.live(), found.days().files, found.report()) == (
        None,
        None,
        {},
        None,
    )

"""What people are told of survey files and of the landing zone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.alerts import matters, surveys
from abalone_assets.alerts.surveys import FILES_OF_A_DAY
from abalone_assets.automation.runs import AGE_JOB
from abalone_assets.lake.manifest import StoredDays
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.automation.support import ingest, name_of, requests
from abalone_assets_tests.automation.told import DAY, observe, tick, titles
from abalone_assets_tests.support.inbox import Webhook
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from abalone_assets.lake.manifest import IngestedDay
    from abalone_assets_tests.support.platform import Platform

OLD = name_of("2024-01-02")


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (survey_rows(6) + b"M,a,b,c,d,e,f,g,h\n", "lost 1 of 7 rows"),
        (b"PK\x03\x04" + bytes(60), "is no survey"),
    ],
    ids=["bad rows", "no survey"],
)
def test_a_file_that_needs_somebody_is_told_until_it_is_mended(
    platform: Platform, hook: Webhook, data: bytes, title: str
) -> None:
    platform.land(name_of(DAY), data)
    ingest(platform)
    tick(platform)
    assert titles(hook) == [f"{name_of(DAY)} {title}"]
    platform.land(name_of(DAY), survey_rows(18))
    ingest(platform)
    tick(platform)
    assert titles(hook)[1:] == [f"over: {name_of(DAY)} {title}"]


def test_few_bad_rows_and_those_of_years_ago_are_nobodys_matter(
    platform: Platform, hook: Webhook
) -> None:
    platform.land(name_of(DAY), survey_rows(30) + b"M,a,b,c,d,e,f,g,h\n")
    platform.land(name_of("2024-01-02"), b"M,a,b,c,d,e,f,g,h\n")
    ingest(platform)
    assert tick(platform) == "nothing is new"


@pytest.mark.parametrize(
    ("data", "title", "ends"),
    [
        (b"PK\x03\x04" + bytes(60), "is no survey", ". Land it again, mended."),
        (
            Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file(),
            "is held",
            f". Land it again, mended, or say that it is right: `abalone accept {OLD} --because",
        ),
    ],
    ids=["no survey", "held"],
)
def test_a_file_of_years_ago_that_waits_for_somebody_is_told_until_it_is_mended(
    platform: Platform, hook: Webhook, data: bytes, title: str, ends: str
) -> None:
    platform.land(OLD, data)
    ingest(platform)
    tick(platform)
    assert titles(hook) == [f"{OLD} {title}"]
    assert ends in str(hook.posted[0])
    assert tick(platform) == "nothing is new"
    platform.land(OLD, survey_rows(18))
    ingest(platform)
    tick(platform)
    assert titles(hook)[1:] == [f"over: {OLD} {title}"]


def test_bad_rows_that_were_told_are_not_over_because_they_grew_old(
    platform: Platform, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name_of("2025-06-02")
    platform.land(name, survey_rows(6) + b"M,a,b,c,d,e,f,g,h\n")
    ingest(platform)
    monkeypatch.setattr(surveys, "RECENT", timedelta(days=36_600))
    tick(platform)
    assert titles(hook) == [f"{name} lost 1 of 7 rows"]
    monkeypatch.setattr(surveys, "RECENT", timedelta())
    assert tick(platform) == "nothing is new"
    platform.land(name, survey_rows(18))
    ingest(platform)
    tick(platform)
    assert titles(hook)[1:] == [f"over: {name} lost 1 of 7 rows"]


def test_the_files_of_old_days_are_read_once(
    platform: Platform, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.land(name_of("2024-01-02"), b"PK\x03\x04" + bytes(60))
    ingest(platform)
    tick(platform)
    read: list[str] = []
    found = StoredDays.__getitem__

    def reading(days: StoredDays, day: str) -> IngestedDay:
        read.append(day)
        return found(days, day)

    monkeypatch.setattr(StoredDays, "__getitem__", reading)
    assert tick(platform) == "nothing is new"
    assert read == []


def test_a_landing_zone_that_went_away_is_told_at_the_second_look_and_when_it_is_back(
    platform: Platform, hook: Webhook
) -> None:
    zone = platform.home / "landing_zone"
    away = zone.rename(platform.home / "unmounted")
    assert tick(platform) == "nothing is new"
    tick(platform)
    assert titles(hook) == ["the landing zone cannot be read"]
    assert str(zone) in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"
    away.rename(zone)
    tick(platform)
    assert titles(hook)[1:] == ["over: the landing zone cannot be read"]
    zone.rename(away)
    assert tick(platform) == "nothing is new"  # two looks in a row, anew
    away.rename(zone)
    assert tick(platform) == "nothing is new"
    assert len(hook.posted) == 2


def test_a_landing_zone_that_is_suddenly_empty_is_told_once_and_when_its_files_are_back(
    platform: Platform, hook: Webhook
) -> None:
    days = [f"2025-06-{day:02d}" for day in range(1, 10)]
    for number, day in enumerate(days):
        platform.land(name_of(day), survey_rows(3, seed=number))
    ingest(platform)
    zone = platform.home / "landing_zone"
    full = zone.rename(platform.home / "unmounted")
    zone.mkdir()
    requests(platform)
    for _ in range(2):
        tick(platform)
    assert titles(hook) == ["survey files are gone from the landing zone"]
    assert "9 survey days, 2025-06-01 to 2025-06-09, are gone" in hook.posted[0]["message"]
    zone.rmdir()
    full.rename(zone)
    requests(platform)
    tick(platform)
    assert titles(hook)[1:] == ["over: survey files are gone from the landing zone"]


def test_stray_files_are_told_until_they_are_gone(platform: Platform, hook: Webhook) -> None:
    platform.land("notes.txt", b"from the crew\n")
    observe(platform)
    tick(platform)
    assert titles(hook) == ["1 file in the landing zone is no survey"]
    assert "no survey: notes.txt: " in hook.posted[0]["message"]
    platform.land("more.txt", b"from the crew\n")
    observe(platform)
    tick(platform)
    assert titles(hook)[1:] == ["2 files in the landing zone are no survey"]
    (platform.home / "landing_zone" / "more.txt").unlink()
    (platform.home / "landing_zone" / "notes.txt").unlink()
    observe(platform)
    tick(platform)
    assert titles(hook)[2:] == ["over: 2 files in the landing zone are no survey"]


@pytest.mark.parametrize("about", [{}, {"files": 3}, {"stray_files": 2}], ids=str)
def test_what_others_observe_of_the_landing_zone_says_nothing_of_strays(
    platform: Platform, hook: Webhook, about: dict[str, int]
) -> None:
    platform.land("notes.txt", b"from the crew\n")
    observe(platform)
    tick(platform)
    platform.instance.report_runless_asset_event(
        dg.AssetObservation("landing_zone", metadata=about)
    )
    assert tick(platform) == "nothing is new"
    assert len(hook.posted) == 1


def test_a_folder_of_spoilt_files_is_few_matters_and_a_small_record(
    platform: Platform, hook: Webhook
) -> None:
    """One matter a file had made a record of 17 MB of 100,000 of them."""
    for second in range(FILES_OF_A_DAY + 7):
        platform.land(name_of(DAY, f"0615{second:02}"), b"\0")
    ingest(platform)
    tick(platform)
    told = matters.read_told(platform.lake.store)
    files = [key for key in told.matters if key.startswith("file")]
    assert len(files) == FILES_OF_A_DAY + 1
    assert f"7 more files of {DAY} need somebody" in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"

    (platform.landing_zone.folder / name_of(DAY, f"0615{FILES_OF_A_DAY + 6:02}")).unlink()
    ingest(platform)
    tick(platform)
    assert titles(hook)[1:] == [f"6 more files of {DAY} need somebody"]


def test_many_refused_files_of_one_day_are_told_once_of_each_kind(
    platform: Platform, hook: Webhook
) -> None:
    """Surveys and animals without rings shared a key, so each look told of them anew."""
    for second in range(FILES_OF_A_DAY + 2):
        name = name_of(DAY, f"0615{second:02}")
        platform.land(name, b"\0")
        platform.land(name.replace("abalone.", "animals."), b"\0")
    ingest(platform)
    (request,) = requests(platform, "animals_sensor")
    assert platform.run(AGE_JOB, request).success
    tick(platform)
    assert f"2 more files of {DAY} need somebody" in hook.posted[0]["message"]
    assert f"2 more files of animals without rings of {DAY} need" in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"

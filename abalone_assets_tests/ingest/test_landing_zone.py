"""What a landing zone promises, in a folder and on S3."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.s3_landing_zone import S3LandingZone
from abalone_assets.survey import ANIMALS
from abalone_assets_tests.ingest.landing_zone_support import FIRST, LAST, NAME, stray_problems

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.ingest.landing_zone import LandingZone


@pytest.fixture(params=["folder", "s3"])
def zone(request: pytest.FixtureRequest, tmp_path: Path) -> LandingZone:
    """An empty landing zone in a folder and one on S3."""
    (tmp_path / "zone").mkdir()
    uri = request.getfixturevalue("s3") if request.param == "s3" else str(tmp_path / "zone")
    return open_landing_zone(uri)


def test_opens_the_backing_that_the_uri_names(tmp_path: Path, s3: str) -> None:
    assert isinstance(open_landing_zone(str(tmp_path)), FolderLandingZone)
    assert isinstance(open_landing_zone(tmp_path.as_uri()), FolderLandingZone)
    assert isinstance(open_landing_zone(s3), S3LandingZone)
    assert open_landing_zone(s3).uri == s3


def test_a_landed_file_keeps_its_e_tag_until_it_is_landed_again(zone: LandingZone) -> None:
    zone.land(NAME, b"one")
    (before,) = zone.list_files()
    assert (before.name, before.size, zone.read(NAME)) == (NAME, 3, b"one")
    assert list(zone.list_files()) == [before]
    zone.land(NAME, b"two")
    (after,) = zone.list_files()
    assert (after.name, after.size, zone.read(NAME)) == (NAME, 3, b"two")
    assert after.e_tag != before.e_tag


def test_a_file_that_lies_there_is_not_replaced_unless_that_is_wanted(zone: LandingZone) -> None:
    zone.land(NAME, b"one", replace=False)
    with pytest.raises(FileExistsError):
        zone.land(NAME, b"two", replace=False)
    assert zone.read(NAME) == b"one"
    assert list(zone.list_names()) == [NAME]
    zone.land(NAME, b"two")
    assert zone.read(NAME) == b"two"


def test_a_file_is_found_by_its_name_as_a_listing_has_it(zone: LandingZone) -> None:
    zone.land(NAME, b"one")
    zone.land("notes.txt", b"two")
    assert zone.find(NAME) == next(each for each in zone.list_files() if each.name == NAME)
    assert zone.find("abalone.20250303120001") is None
    assert zone.find("notes.txt") is zone.find("../notes.txt") is None
    assert sorted(zone.list_names()) == [NAME, "notes.txt"]


def test_reading_a_missing_file_names_it(zone: LandingZone) -> None:
    with pytest.raises(StorageError, match=f"{NAME}: "):
        zone.read(NAME)


def test_files_are_sorted_into_their_days_by_name(zone: LandingZone) -> None:
    landed = ["abalone.20250303120001", "abalone.20250303120000", "abalone.20250101000000"]
    for name in landed:
        zone.land(name, name.encode())
    days = zone.scan(FIRST, LAST).days
    assert {day: [file.name for file in files] for day, files in days.items()} == {
        "2025-01-01": [landed[2]],
        "2025-03-03": [landed[1], landed[0]],
    }


def test_the_first_and_the_last_day_are_taken_in_their_neighbours_are_strays(
    zone: LandingZone,
) -> None:
    for day in ("20241231", "20250101", "20250331", "20250401"):
        zone.land(f"abalone.{day}120000", b"")
    assert list(zone.scan(FIRST, LAST).days) == ["2025-01-01", "2025-03-31"]
    problems = stray_problems(zone)
    assert set(problems) == {"abalone.20241231120000", "abalone.20250401120000"}
    assert "set ABALONE_FIRST_SURVEY_DAY" in problems["abalone.20241231120000"]
    assert "in the future" in problems["abalone.20250401120000"]


@pytest.mark.parametrize(
    "name",
    ["readme.txt", "abalone.2025", "abalone.20250230120000", "ABALONE.20250303120000", "a b"],
)
def test_a_name_that_is_no_surveys_is_a_stray_that_says_so(zone: LandingZone, name: str) -> None:
    zone.land(name, b"")
    zone.land(NAME, b"")
    assert list(zone.scan(FIRST, LAST).days) == ["2025-03-03"]
    assert name in stray_problems(zone)[name]


def test_a_look_since_a_day_says_nothing_of_the_days_before(zone: LandingZone) -> None:
    zone.land("abalone.20250101000000", b"")
    zone.land(NAME, b"")
    landing = zone.scan(FIRST, LAST, since=date(2025, 3, 1))
    assert (landing.first, list(landing.days), landing.strays) == ("2025-03-01", ["2025-03-03"], ())


def test_files_since_a_day_are_of_one_kind(zone: LandingZone) -> None:
    animals = "animals.20250303120000"
    for name in (NAME, animals, "notes.txt"):
        zone.land(name, b"x")
    assert [file.name for file in zone.list_files(FIRST)] == [NAME]
    assert [file.name for file in zone.list_files(FIRST, ANIMALS)] == [animals]

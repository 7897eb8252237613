"""A week of a fleet that sends all kinds of bad files: nothing is lost, and the model is no worse.

The real daemon goes through the same week in ``benchmarks/fleet_week.py``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets_tests.automation.support import RELEASE, SURVEY_SENSOR, Clock, platform_in
from abalone_assets_tests.cli.support import abalone_json
from abalone_assets_tests.support.fleet.accounts import Accounted, account, lose_day, merged_rows
from abalone_assets_tests.support.fleet.address import Address
from abalone_assets_tests.support.fleet.crews import FOLDER, LINK, Crews
from abalone_assets_tests.support.fleet.kinds import CORRECTED, GROWING, KINDS, UNREADABLE
from abalone_assets_tests.support.fleet.week import DAYS, ODD_ANIMALS, FleetWeek, iso_day
from abalone_assets_tests.support.lake_page import unlisted
from abalone_assets_tests.support.platform import QUICK_BLEND
from abalone_assets_tests.support.whole_surveys import Animals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.xdist_group("fleet_week")  # one story for all

LARGEST_RATIO = 1.02
SETTLE_SECONDS = 60
LOST_DAY = 2

Status = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """What happened, in order.

    Attributes:
        week: What was sent.
        sent: When all files of the week were sent and the sensors asked for nothing more.
        growing: Survey days asked for, and files that were waited for, as the file grew.
        gone: What the sensor says without a landing zone.
        away: While the landing zone was empty.
        refetched: Whether the release with the base survey's page succeeded.
        page: After it.
        runs: Runs by job for what was mended and corrected since.
        end: When the sensors asked for nothing more.
        files: What became of each file.
        merged: The rows of ``merged_dataset``.
        repeated: Runs by job, when the sensors looked again.
        errors: RMSE of each release's model on clean animals.
        clean_error: The same, of a platform that got the clean files only.
        objects: Keys of the lake's objects, in the end.
    """

    week: FleetWeek
    sent: Status
    growing: tuple[int, list[str]]
    gone: str
    away: Status
    refetched: bool
    page: Status
    runs: Mapping[str, int]
    end: Status
    files: Mapping[str, Accounted]
    merged: list[tuple[Any, ...]]
    repeated: Mapping[str, int]
    errors: list[float]
    clean_error: float
    objects: list[str]

    def odd(self, what: str) -> Accounted:
        return self.files[self.week.the(what).name]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, uci_file: Path) -> Iterator[Story]:
    week = FleetWeek.drawn_from(Animals.of(uci_file))
    with Address.of(week.base.file()) as address, pytest.MonkeyPatch.context() as patches:
        settings = {
            "RAW_URI": address.uri,
            "HYPERPARAMETERS": json.dumps(QUICK_BLEND),
            "SETTLE_SECONDS": str(SETTLE_SECONDS),
        }
        with platform_in(tmp_path_factory.mktemp("clean"), **settings) as platform:
            for sent in week.clean:
                platform.land(sent.name, sent.data)
            platform.settle()
            clean_error = week.error_of(platform.home, _released(platform))
        clock = Clock.installed(patches)
        _let_root_be_refused(patches)
        with platform_in(tmp_path_factory.mktemp("fleet"), **settings) as platform:
            yield _told(week, platform, address, clock, clean_error)


def _let_root_be_refused(patches: pytest.MonkeyPatch) -> None:
    """Let nobody read a file without permissions, as root may."""
    read = FolderLandingZone.read

    def refusing(zone: FolderLandingZone, name: str) -> bytes:
        if not (zone.folder / name).stat().st_mode & 0o400:
            raise StorageError(f"{zone.folder / name}: cannot read this survey: Permission denied")
        return read(zone, name)

    patches.setattr(FolderLandingZone, "read", refusing)


def _told(
    week: FleetWeek, platform: Platform, address: Address, clock: Clock, clean_error: float
) -> Story:
    crews = Crews(week, platform.home / "landing_zone")
    base = dg.RunRequest(asset_selection=[dg.AssetKey("raw_abalone")])
    platform.run(RELEASE, base)  # else the week is released before it comes, and after
    for day in range(1, DAYS + 1):
        crews.send(day)
    platform.settle()
    sent, first = abalone_json("status"), _released(platform)

    crews.write_rows(10)
    growing = platform.tick_and_run(SURVEY_SENSOR), abalone_json("status")["growing_files"]
    crews.write_rows(ODD_ANIMALS)
    with (
        crews.unmounted(mount_point=False),
        pytest.raises(StorageError) as gone,
    ):
        platform.tick(SURVEY_SENSOR)
    with crews.unmounted(mount_point=True):
        platform.settle()
        away = abalone_json("status")
    address.breaks = True
    refetched = platform.run(RELEASE, dg.RunRequest(), raise_on_error=False).success
    page, address.breaks = abalone_json("status"), False
    crews.mend()
    crews.correct()
    lose_day(platform.lake, LOST_DAY)
    platform.tick_and_run(SURVEY_SENSOR)  # sees the file as it is in the end
    clock.advance(seconds=2 * SETTLE_SECONDS)
    runs, end = platform.settle(), abalone_json("status")
    versions = [first, _released(platform)]
    return Story(
        week,
        sent,
        growing,
        str(gone.value),
        away,
        refetched,
        page,
        runs,
        end,
        {each.sent.name: each for each in account(week, platform.lake)},
        merged_rows(platform.lake),
        platform.settle(),
        [week.error_of(platform.home, version) for version in versions],
        clean_error,
        [stored.key for stored in platform.lake.store.list("")],
    )


def _released(platform: Platform) -> int:
    release = platform.lake.release()
    assert release is not None
    assert release.version is not None
    return release.version


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.what)
def test_each_file_becomes_what_its_content_allows(story: Story, kind: Any) -> None:
    file = story.odd(kind.what)
    assert file.outcome == kind.outcome, file.told
    assert re.search(kind.told, file.told)
    assert bool(file.told) == bool(kind.told)
    good = ODD_ANIMALS - kind.lost
    expected = {
        "read": (good, kind.lost, 0, 0),
        "held": (0, 0, ODD_ANIMALS, 0),
        "refused": (0, 0, 0, ODD_ANIMALS),
    }
    assert (file.rows, file.quarantined, file.held, file.refused) == expected[kind.outcome]


def test_status_names_what_is_held_refused_and_left_where_it_is(story: Story) -> None:
    def of(outcome: str) -> dict[str, str]:
        return {name: file.told for name, file in story.files.items() if file.outcome == outcome}

    assert story.end["held_files"] == of("held")
    assert story.end["unreadable_files"] == of("refused")
    assert len(of("held")) == 4
    assert len(of("refused")) == 3
    assert story.end["stray_files"].keys() == {LINK, FOLDER}
    assert "links are not followed" in story.end["stray_files"][LINK]
    assert "nothing in it is taken in" in story.end["stray_files"][FOLDER]
    assert (story.end["growing_files"], story.end["unreadable_now"]) == ([], {})
    assert story.end["next"].startswith("land ")


def test_every_record_of_every_file_is_in_one_place(story: Story) -> None:
    assert story.files.keys() == {sent.name for sent in story.week.sent}
    assert [file for file in story.files.values() if not file.is_conserved] == []
    totals = story.end["totals"]
    assert totals["rows"] == sum(file.rows for file in story.files.values())
    assert totals["held_rows"] == 4 * ODD_ANIMALS


def test_the_merged_dataset_is_the_right_rows_and_no_others(story: Story) -> None:
    assert Counter(story.merged) == Counter(story.week.merged)


def test_a_file_that_grows_is_waited_for_and_holds_up_nothing(story: Story) -> None:
    name = story.week.the(GROWING).name
    assert name in story.sent["growing_files"]
    assert story.growing == (0, [name])
    assert story.sent["release"]["outcome"] == "deployed"
    assert not story.sent["release_due"]


def test_a_file_that_cannot_be_read_holds_up_nothing_and_is_read_later(story: Story) -> None:
    name = story.week.the(UNREADABLE).name
    assert "Permission denied" in story.sent["unreadable_files"][name]
    assert story.odd(UNREADABLE).rows == ODD_ANIMALS


def test_a_correction_of_equal_size_and_time_is_seen(story: Story) -> None:
    assert story.week.the(CORRECTED).merged <= set(story.merged)


def test_a_landing_zone_that_went_away_is_not_believed(story: Story) -> None:
    assert "cannot read the landing zone" in story.gone
    assert story.away["vanished_days"] == [iso_day(day) for day in range(1, DAYS + 1)]
    assert story.away["totals"] == story.sent["totals"]
    assert story.end["vanished_days"] == []


def test_a_day_that_was_deleted_from_the_lake_is_ingested_again(story: Story) -> None:
    files = [file for file in story.files.values() if file.sent.day == LOST_DAY]
    assert sum(file.rows for file in files) > 0
    assert story.end["lost_days"] == []


def test_a_page_at_the_address_of_the_base_survey_changes_nothing(story: Story) -> None:
    assert not story.refetched
    assert "an HTML page, 'Sign in'" in story.page["base_refused"]
    assert story.page["totals"] == story.sent["totals"]
    assert story.end["totals"]["base_rows"] == len(story.week.base)


def test_the_lake_holds_no_objects_but_those_that_the_page_lists(story: Story) -> None:
    assert len(story.objects) > 30
    assert unlisted(story.objects) == []


def test_all_of_it_comes_to_rest(story: Story) -> None:
    assert story.runs["release"] == 1
    assert story.repeated == {"ingest_surveys": 0, "release": 0}
    assert (story.end["due_days"], story.end["release_due"]) == ([], False)


def test_no_model_is_worse_on_clean_animals_than_without_the_bad_files(story: Story) -> None:
    assert len(story.errors) == 2
    assert max(story.errors) <= LARGEST_RATIO * story.clean_error

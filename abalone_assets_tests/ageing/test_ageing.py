"""Files of animals without rings, from the landing zone to their ages, through sensor and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from abalone_assets.ageing.intake import Intake
from abalone_assets.automation.animals_sensor import ALL_AGED
from abalone_assets.automation.runs import AGE_JOB
from abalone_assets.ingest.memory import ANIMALS_MEMORY_KEY, read_memory
from abalone_assets.survey import FEATURES
from abalone_assets_tests.ageing.support import (
    FRIDAY,
    MONDAY,
    SENSOR,
    TUESDAY,
    Crew,
    animals,
    animals_name,
    archive_of,
)
from abalone_assets_tests.serving.support import local_prediction
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.ageing.intake import TakenInDay
    from abalone_assets.ingest.landing_zone import LandedFile

pytestmark = pytest.mark.service


@pytest.fixture
def crew(platform: Platform) -> Crew:
    return Crew(platform)


def test_a_file_is_aged_by_the_live_model_once(crew: Crew) -> None:
    crew.make_live()
    name = crew.land(MONDAY, animals(300))
    assert crew.ranges() == [(MONDAY, MONDAY)]
    assert crew.settle() == 1
    assert crew.reason == ALL_AGED
    aged = crew.table("aged_animals", MONDAY)
    assert aged.select(*FEATURES, "source_file", "line").equals(
        crew.table("unaged_animals", MONDAY)
    )
    assert aged["rings"].to_list() == local_prediction(archive_of(1), animals(300).decode())
    assert aged["age_years"].to_list() == pytest.approx((aged["rings"] + 1.5).to_list())
    assert set(aged["model_version"]) == {1}
    assert aged.select((pl.col("rings").is_between("rings_low", "rings_high")).all()).item()
    told = crew.csv(name)
    assert told["line"].to_list() == list(range(1, 301))
    assert told.select("rings", "age_years").equals(aged.select("rings", "age_years"))
    assert crew.settle() == 0


def test_animals_make_no_release_due_and_are_no_strays(crew: Crew) -> None:
    crew.make_live()
    digest = crew.platform.lake.manifest().digest
    crew.land(MONDAY, animals(10))
    crew.settle()
    assert crew.platform.lake.manifest().digest == digest
    ticked = crew.platform.tick("survey_sensor")
    assert not ticked.run_requests
    assert not ticked.asset_events
    assert list(crew.platform.landing_zone.list_oddities()) == []


def test_animals_wait_for_a_model_and_are_aged_as_soon_as_one_is_live(crew: Crew) -> None:
    crew.land(MONDAY, animals(20))
    assert crew.settle() == 1
    assert crew.table("unaged_animals", MONDAY).height == 20
    assert "no model is live yet, to age 1 day of animals" in crew.reason
    assert MONDAY in crew.reason
    assert not (crew.zone / "aged").exists()
    crew.make_live()
    (request,) = crew.asked()
    assert [key.to_user_string() for key in request.asset_selection or ()] == ["aged_animals"]
    assert crew.settle() == 1
    assert crew.table("aged_animals", MONDAY).height == 20


def test_a_new_model_ages_only_what_is_new_until_a_backfill_is_asked_for(crew: Crew) -> None:
    crew.make_live(1)
    early = crew.land(MONDAY, animals(20), "080000")
    crew.land(TUESDAY, animals(10, seed=1))
    crew.settle()
    before = crew.csv(early)
    crew.make_live(2)
    assert crew.settle() == 0
    late = crew.land(MONDAY, animals(30, seed=2), "160000")
    assert crew.ranges() == [(MONDAY, MONDAY)]
    crew.settle()
    by_file = (
        crew.table("aged_animals", MONDAY)
        .group_by("source_file")
        .agg(pl.col("model_version").unique(), pl.len())
    )
    assert dict(zip(by_file["source_file"], by_file["len"], strict=True)) == {early: 20, late: 30}
    versions = dict(zip(by_file["source_file"], by_file["model_version"].to_list(), strict=True))
    assert versions == {early: [1], late: [2]}
    assert crew.csv(early).equals(before)
    assert crew.backfill(MONDAY, TUESDAY).success
    assert set(crew.table("aged_animals", MONDAY)["model_version"]) == {2}
    assert set(crew.table("aged_animals", TUESDAY)["model_version"]) == {2}
    assert set(crew.csv(early)["model_version"]) == {2}
    assert crew.settle() == 0


def test_a_rewritten_and_a_deleted_file_are_aged_again_and_forgotten(crew: Crew) -> None:
    crew.make_live()
    kept = crew.land(MONDAY, animals(10), "080000")
    changed = crew.land(MONDAY, animals(10, seed=1), "090000")
    deleted = crew.land(MONDAY, animals(10, seed=2), "100000")
    other = crew.land(TUESDAY, animals(5))
    crew.settle()
    crew.land(MONDAY, animals(12, seed=3), "090000")
    (crew.zone / deleted).unlink()
    crew.settle()
    aged = crew.table("aged_animals", MONDAY)
    assert dict(aged.group_by("source_file").len().iter_rows()) == {kept: 10, changed: 12}
    assert crew.csv(changed).height == 12
    assert not (crew.zone / "aged" / f"{deleted}.csv").exists()
    (crew.zone / kept).unlink()
    (crew.zone / changed).unlink()
    crew.settle()
    assert crew.table("aged_animals", MONDAY).height == 0
    assert [path.name for path in (crew.zone / "aged").iterdir()] == [f"{other}.csv"]


def test_bad_rows_are_quarantined_and_bad_files_refused(crew: Crew) -> None:
    crew.make_live()
    good = animals(50).decode().splitlines()
    bad = ["M,0.4,wide,0.1,0.5,0.2,0.1,0.15", "X,0.4,0.3,0.1,0.5,0.2,0.1,0.15"]
    name = crew.land(MONDAY, "\n".join([*good[:10], *bad, *good[10:]]).encode())
    survey = crew.land(TUESDAY, survey_rows(20))
    crew.settle()
    quarantined = crew.table("quarantined_animals", MONDAY)
    assert quarantined.select("source_file", "line", "column", "rule", "raw").rows() == [
        (name, 11, "diameter", "not_a_number", bad[0]),
        (name, 12, "sex", "sex", bad[1]),
    ]
    assert crew.csv(name)["line"].to_list() == [*range(1, 11), *range(13, 53)]
    (refused,) = crew.records.manifest().days[TUESDAY].files
    assert "call it abalone.20250304120000" in str(refused.problem)
    assert not (crew.zone / "aged" / f"{survey}.csv").exists()


def test_days_that_differ_are_one_run(crew: Crew) -> None:
    crew.make_live()
    for day in (MONDAY, TUESDAY):
        crew.land(day, animals(5))
    crew.land(FRIDAY, animals(5))
    assert crew.ranges() == [(MONDAY, TUESDAY), (FRIDAY, FRIDAY)]


def test_objects_that_the_lake_lost_are_made_again(crew: Crew) -> None:
    crew.make_live()
    crew.land(MONDAY, animals(5))
    crew.settle()
    lake = crew.platform.lake
    lake.store.delete(lake.key("aged_animals", MONDAY))
    assert crew.settle() == 1
    assert crew.table("aged_animals", MONDAY).height == 5
    lake.store.delete(lake.key("unaged_animals", MONDAY))
    assert crew.settle() == 1
    assert crew.table("unaged_animals", MONDAY).height == 5


def test_what_a_partition_shows(crew: Crew) -> None:
    crew.make_live()
    crew.land(MONDAY, animals(40))
    crew.settle()
    shown = crew.metadata("aged_animals", MONDAY)
    assert shown["dagster/row_count"] == 40
    assert shown["model_versions"] == "1"
    assert "data:image/png" in shown["ages"]
    assert len(shown["preview"].records) == 5
    assert crew.metadata("unaged_animals", MONDAY)["dagster/row_count"] == 40
    assert crew.platform.instance.get_runs()[0].job_name == AGE_JOB
    assert crew.platform.reasons[SENSOR] == ALL_AGED


def test_a_file_that_is_still_written_waits_whatever_looks_at_surveys_see(crew: Crew) -> None:
    name = animals_name(MONDAY)
    (crew.zone / name).write_bytes(animals(5))
    assert crew.asked() == []
    assert "still being written" in crew.reason
    crew.platform.tick("survey_sensor")
    assert name in read_memory(crew.platform.lake.store, ANIMALS_MEMORY_KEY).growing
    assert name not in read_memory(crew.platform.lake.store).growing


def test_of_two_runs_that_take_in_one_day_neither_is_believed(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first wakes when the second, which has seen a later file, has committed."""
    crew.make_live()
    name = crew.land(MONDAY, animals(30))
    (request,) = crew.asked()
    take_in, woken = Intake._take_in, list[str]()

    def sleeping(intake: Intake, day: str, files: Sequence[LandedFile]) -> TakenInDay:
        taken = take_in(intake, day, files)
        if not woken:
            woken.append(day)
            before = crew.platform.lake.store.read(crew.platform.lake.key("unaged_animals", day))
            crew.platform.land(name, animals(40, seed=1))
            crew.platform.run(AGE_JOB, request, raise_on_error=False)
            crew.platform.lake.store.write(
                crew.platform.lake.key("unaged_animals", day), before
            )  # as if it had written only now
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(Intake, "_take_in", sleeping)
        assert not crew.platform.run(AGE_JOB, request, raise_on_error=False).success
    assert crew.records.manifest().summaries[MONDAY].being_written
    assert crew.platform.run(AGE_JOB, request).success  # which the sensor asks for after its wait
    assert crew.table("unaged_animals", MONDAY).height == 40
    assert crew.table("aged_animals", MONDAY).height == 40

"""The ingestion assets: what they keep, what they show, and that no row is lost unnoticed."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl
import pytest

from abalone_assets import definitions
from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.defs.ingestion.checks import files_are_surveys
from abalone_assets.ingest import frames
from abalone_assets.ingest.accepted_files import accept_file
from abalone_assets.ingest.frames import QUARANTINE_SCHEMA, SURVEY_SCHEMA, to_parquet
from abalone_assets.lake.manifest import BEING_WRITTEN, IngestedFile
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.automation.support import (
    INGEST,
    RELEASE_SENSOR,
    ingest,
    ingest_range,
    know_as_simulated,
    name_of,
    platform_in,
    ranges,
    recorded,
    requests,
    table,
)
from abalone_assets_tests.defs.ingested import DAY, EMPTY_DAY, NEXT_DAY, by_partition, check
from abalone_assets_tests.support.platform import Platform, survey_rows
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.service

FIRST_DAY = date(2023, 1, 1)
RANGE_DAYS = int(os.environ.get("ABALONE_TEST_RANGE_DAYS", "366"))
"""Dagster takes about 15 ms a day; three years (1096) pass too."""

BAD_ROWS = b"X,0.1,0.1,0.1,0.1,0.1,0.1,0.1,5\nM,0.1\n"


@pytest.fixture(scope="module")
def ranged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Two files on one day, one on the next, none on the third."""
    with platform_in(tmp_path_factory.mktemp("range")) as platform:
        platform.land(name_of(DAY), survey_rows(3) + BAD_ROWS)
        platform.land(name_of(DAY, "130000"), b"\x00")
        know_as_simulated(platform, NEXT_DAY, survey_rows(4, seed=1).rstrip())
        platform.land(name_of(NEXT_DAY), survey_rows(4, seed=1).rstrip())
        yield platform


@pytest.fixture(scope="module")
def result(ranged: Platform) -> dg.ExecuteInProcessResult:
    """The one run that ingested all three days."""
    return ingest_range(ranged, DayRange(DAY, EMPTY_DAY))


class TestASurveyRange:
    @pytest.mark.parametrize(
        ("asset", "rows"),
        [("new_surveys", [3, 4, 0]), ("quarantined_rows", [2, 0, 0])],
    )
    def test_shows_each_partition_its_own_rows_and_where_they_are(
        self,
        result: dg.ExecuteInProcessResult,
        ranged: Platform,
        asset: str,
        rows: list[int],
    ) -> None:
        partitions = by_partition(result, asset)
        assert list(partitions) == [DAY, NEXT_DAY, EMPTY_DAY]
        assert [shown["dagster/row_count"].value for shown in partitions.values()] == rows
        assert [len(table(shown["preview"])) for shown in partitions.values()] == rows
        folder = ranged.lake.folder_uri(asset)
        assert {shown["dagster/uri"].value for shown in partitions.values()} == {folder}

    def test_shows_each_partition_its_own_digest_and_files(
        self, result: dg.ExecuteInProcessResult, ranged: Platform
    ) -> None:
        partitions = by_partition(result, "new_surveys")
        manifest = ranged.lake.manifest()
        for day, shown in partitions.items():
            assert shown["digest"].value == manifest.days[day].digest
            names = [record["file"] for record in table(shown["files"])]
            assert names == [file.name for file in manifest.days[day].files]
        assert len({shown["digest"].value for shown in partitions.values()}) == 3

    def test_says_of_a_day_in_a_gap_that_there_was_no_survey(
        self, result: dg.ExecuteInProcessResult
    ) -> None:
        for asset in ("new_surveys", "quarantined_rows"):
            partitions = by_partition(result, asset)
            assert "no file of this day" in str(partitions[EMPTY_DAY]["survey"].value)
            assert "survey" not in partitions[DAY]

    def test_warns_of_a_day_with_many_rows_in_quarantine(
        self, result: dg.ExecuteInProcessResult
    ) -> None:
        found = check(result, "few_rows_are_quarantined")
        assert (found.asset_key, found.passed) == (dg.AssetKey("quarantined_rows"), False)
        assert found.severity is dg.AssetCheckSeverity.WARN
        day = {"survey_day": DAY, "rows": 3, "quarantined": 2}
        assert table(found.metadata["days"]) == [day]

    def test_tells_simulated_rows_from_surveyed_ones(
        self, result: dg.ExecuteInProcessResult, ranged: Platform
    ) -> None:
        partitions = by_partition(result, "new_surveys")
        counts = {day: shown["synthetic_rows"].value for day, shown in partitions.items()}
        assert counts == {DAY: 0, NEXT_DAY: 4, EMPTY_DAY: 0}
        (shown,) = table(partitions[NEXT_DAY]["files"])
        assert shown["origin"] == "synthetic"
        origins = {
            day: set(pl.read_parquet(ranged.lake.uri("new_surveys", day))["origin"])
            for day in (DAY, NEXT_DAY)
        }
        assert origins == {DAY: {"surveyed"}, NEXT_DAY: {"synthetic"}}

    def test_quarantines_with_file_line_rule_and_raw_text(
        self, result: dg.ExecuteInProcessResult, ranged: Platform
    ) -> None:
        assert result.success
        rows = pl.read_parquet(ranged.lake.uri("quarantined_rows", DAY), hive_partitioning=False)
        assert rows.select("source_file", "line", "raw").rows() == [
            (name_of(DAY), 4, "X,0.1,0.1,0.1,0.1,0.1,0.1,0.1,5"),
            (name_of(DAY), 5, "M,0.1"),
        ]
        assert rows["rule"].to_list() == ["sex", "field_count"]

    def test_warns_of_a_file_that_is_no_survey(self, result: dg.ExecuteInProcessResult) -> None:
        readable = check(result, "files_are_surveys")
        assert not readable.passed
        assert readable.severity is dg.AssetCheckSeverity.WARN
        (refused,) = table(readable.metadata["refused"])
        assert refused["file"] == name_of(DAY, "130000")
        (noted,) = table(readable.metadata["noted"])
        assert noted["file"] == name_of(NEXT_DAY)
        assert "if the file was cut short" in str(noted["notes"])

    def test_warns_of_a_file_that_cannot_be_read_now_and_calls_it_not_refused(self) -> None:
        unread = IngestedFile.out_of_reach(name_of(DAY), 160, "permission denied")
        readable = files_are_surveys(1, [replace(unread, rows=3)])
        assert not readable.passed
        assert table(readable.metadata["refused"]) == []
        (told,) = table(readable.metadata["out_of_reach"])
        assert (told["file"], told["rows"]) == (name_of(DAY), 3)

    def test_counts_its_rows_in_what_was_written(self, result: dg.ExecuteInProcessResult) -> None:
        conserved = check(result, "rows_are_conserved")
        assert conserved.passed
        counts = {name: value.value for name, value in conserved.metadata.items()}
        assert counts == {"records": 9, "new_surveys": 7, "quarantined_rows": 2}


def test_a_row_lost_on_its_way_to_the_lake_fails_the_run_and_leaves_the_day_due(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.land(name_of(DAY), survey_rows(3))
    monkeypatch.setattr(frames, "to_parquet", lambda frame: to_parquet(frame.tail(-1)))
    (request,) = requests(platform)
    result = platform.run(INGEST, request, raise_on_error=False)
    conserved = check(result, "rows_are_conserved")
    assert not result.success
    assert not conserved.passed
    assert conserved.metadata["new_surveys"].value == 2
    assert platform.lake.manifest().days == {DAY: BEING_WRITTEN}


def test_a_day_that_lost_every_row_is_an_error_until_it_is_landed_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It was green: nothing looked at the quarantine.
    platform.land(name_of(DAY), BAD_ROWS)
    platform.land(name_of(NEXT_DAY), survey_rows(9) + BAD_ROWS)
    found = check(ingest_range(platform, DayRange(DAY, NEXT_DAY)), "few_rows_are_quarantined")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert found.metadata["days_without_a_row_left"].value == 1
    assert [day["survey_day"] for day in table(found.metadata["days"])] == [DAY, NEXT_DAY]
    platform.land(name_of(EMPTY_DAY), survey_rows(3, seed=3))
    monkeypatch.setenv("ABALONE_MAX_QUARANTINED_SHARE", "0.2")
    later = ingest_range(platform, DayRange(EMPTY_DAY, EMPTY_DAY))
    still = check(later, "few_rows_are_quarantined")
    assert [day["survey_day"] for day in table(still.metadata["days"])] == [DAY], "of all days"
    (platform.home / "landing_zone" / name_of(DAY)).unlink()
    platform.land(name_of(DAY), survey_rows(3, seed=2))
    mended = ingest_range(platform, DayRange(DAY, DAY))
    assert check(mended, "few_rows_are_quarantined").passed


def test_implausible_rows_are_kept_and_warned_of(platform: Platform) -> None:
    platform.land(name_of(DAY), b"M,0.5,0.4,0.1,0.5,0.9,0.1,0.1,9\n")  # shucked > whole
    (request,) = requests(platform)
    result = platform.run(INGEST, request)
    plausible = check(result, "rows_are_plausible")
    assert not plausible.passed
    assert plausible.severity is dg.AssetCheckSeverity.WARN
    assert platform.lake.manifest().days[DAY].rows == 1


@pytest.mark.parametrize(
    ("asset", "schema"),
    [
        ("raw_abalone", SURVEY_SCHEMA),
        ("new_surveys", SURVEY_SCHEMA),
        ("quarantined_rows", QUARANTINE_SCHEMA),
    ],
)
def test_columns_are_described_with_their_units(
    platform: Platform, asset: str, schema: pl.Schema
) -> None:
    metadata = platform.definitions.resolve_asset_graph().get(dg.AssetKey(asset)).metadata
    columns = {
        column.name: column.description for column in metadata["dagster/column_schema"].columns
    }
    assert list(columns) == list(schema)
    assert all(columns.values())
    if schema is SURVEY_SCHEMA:
        assert "[mm / 200]" in columns["length"]
        assert "[g / 200]" in columns["shell_weight"]


def test_a_survey_day_can_be_asked_for_in_sql(platform: Platform) -> None:
    import duckdb

    platform.land(name_of(DAY), survey_rows(3))
    assert ingest(platform) == [True]
    with duckdb.connect(str(platform.home / "catalog.duckdb"), read_only=True) as connection:
        counted = connection.execute(
            "select survey_day::varchar, count(*) from new_surveys group by all"
        ).fetchall()
    assert counted == [(DAY, 3)]


def test_a_catalog_that_refuses_fails_no_work_that_is_done(platform: Platform) -> None:
    in_the_way = platform.home / "catalog.duckdb" / "file"
    in_the_way.parent.mkdir()
    in_the_way.touch()
    platform.land(name_of(DAY), survey_rows(3))
    (request,) = requests(platform)
    run = platform.run(INGEST, request)
    assert platform.lake.manifest().days[DAY].rows == 3
    warnings = [
        entry.user_message
        for entry in platform.instance.all_logs(run.run_id)
        if entry.level == logging.WARNING
    ]
    assert len(warnings) == 1
    assert warnings[0].startswith("the catalog's tables are outdated until its next refresh: /")
    assert requests(platform) == []


def test_a_range_with_a_survey_every_third_day_takes_one_run_and_one_release(home: Path) -> None:
    days = [(FIRST_DAY + timedelta(days=number)).isoformat() for number in range(RANGE_DAYS)]
    surveyed = days[::3]
    with dg.DagsterInstance.ephemeral() as instance:  # half the time of a database on disk
        platform = Platform(home=home, definitions=definitions.defs(), instance=instance)
        for seed, day in enumerate(surveyed):
            platform.land(name_of(day), survey_rows(1, seed=seed))
        (request,) = requests(platform)
        assert ranges([request]) == [(days[0], surveyed[-1])]
        run = platform.run(INGEST, request)
        covered = days[: days.index(surveyed[-1]) + 1]
        for asset in ("new_surveys", "quarantined_rows"):
            key = dg.AssetKey(asset)
            assert platform.instance.get_materialized_partitions(key) == set(covered)
        events = recorded(platform, run.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)
        assert len(events) == 2 * len(covered)
        manifest = platform.lake.manifest()
        assert list(manifest.days) == covered
        assert sum(day.rows for day in manifest.days.values()) == len(surveyed)
        assert requests(platform) == []
        assert len(requests(platform, RELEASE_SENSOR)) == 1


def test_a_file_that_is_off_as_a_whole_is_held_shown_and_let_in_when_accepted(
    platform: Platform,
) -> None:
    animals = Animals.of(base_survey())
    kilograms = animals[900:960].with_error(ERRORS["weights * 0.2"])
    platform.land(name_of(DAY), kilograms.file() + BAD_ROWS)
    platform.land(name_of(DAY, "130000"), survey_rows(3))
    platform.land(name_of(NEXT_DAY), survey_rows(4, seed=1))
    (request,) = requests(platform)
    result = platform.run(INGEST, request)
    assert check(result, "rows_are_conserved").passed
    days = platform.lake.manifest().days
    assert [(day.rows, day.quarantined, day.held_rows) for day in days.values()] == [
        (3, 2, 60),
        (4, 0, 0),
    ]
    plausible = check(result, "files_are_plausible")
    assert not plausible.passed
    assert plausible.severity is dg.AssetCheckSeverity.WARN
    assert check(result, "few_rows_are_quarantined").passed, "most rows of the day are held"
    (shown,) = table(plausible.metadata["held"])
    assert (shown["file"], shown["held_rows"]) == (name_of(DAY), 60)
    metadata = by_partition(result, "new_surveys")
    assert metadata[DAY]["held_rows"].value == 60
    assert "as if weights were in kilograms" in str(metadata[DAY]["held"].value)
    assert "held" not in metadata[NEXT_DAY]
    assert requests(platform) == []
    accept_file(platform.lake.store, name_of(DAY), because="weighed again", by="ana")
    (request,) = requests(platform)
    assert ranges([request]) == [(DAY, DAY)]
    result = platform.run(INGEST, request)
    assert platform.lake.manifest().days[DAY].rows == 63
    assert check(result, "files_are_plausible").passed


def test_a_long_run_shows_rows_and_files_only_of_days_where_something_is_amiss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abalone_assets.defs.ingestion.surveys.SHOWN_DAYS", 2)
    with platform_in(tmp_path) as platform:
        platform.land(name_of(DAY), survey_rows(40) + BAD_ROWS)
        platform.land(name_of(NEXT_DAY), survey_rows(4))
        result = ingest_range(platform, DayRange(DAY, EMPTY_DAY))
        manifest = platform.lake.manifest()
    for asset in ("new_surveys", "quarantined_rows"):
        shown = by_partition(result, asset)
        assert [day for day in shown if {"preview", "files"} & shown[day].keys()] == [DAY]
        assert [shown[day]["digest"].value for day in shown] == [
            manifest.days[day].digest for day in shown
        ]
        assert [shown[day]["file_count"].value for day in (NEXT_DAY, EMPTY_DAY)] == [1, 0]
    assert by_partition(result, "new_surveys")[NEXT_DAY]["dagster/row_count"].value == 4

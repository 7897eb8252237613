"""The preparation's conservation laws notice what is missing, and stop what depends on it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import narwhals as nw
import polars as pl
import pytest

from abalone_assets.defs.preparation import checks
from abalone_assets.defs.preparation.prepare import ATTEMPTS
from abalone_assets.errors import StorageError
from abalone_assets.etl import lake_inputs, outputs, polars_engine
from abalone_assets.etl.preparation import split
from abalone_assets.etl.request import SPLIT_PERCENT, PrepareReport
from abalone_assets.ingest import folder_landing_zone
from abalone_assets.lake.released_files import first_release
from abalone_assets.resources.storage import LakeResource
from abalone_assets_tests.automation.support import (
    RELEASE,
    RELEASE_SENSOR,
    ingest,
    know_as_simulated,
    name_of,
    platform_in,
    prepare_only,
    recorded,
    requests,
)
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.support.platform import Platform

DAY = "2025-03-03"
REPEATED = 2


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Sixty rows as the base survey, thirty as a survey day, two of which repeat each other."""
    folder = tmp_path_factory.mktemp("prepared")
    raw = folder / "base.csv"
    raw.write_bytes(survey_rows(60))
    with platform_in(folder, RAW_URI=str(raw)) as platform:
        rows = survey_rows(30, seed=9).splitlines(keepends=True)
        platform.land(name_of(DAY), b"".join([*rows, *rows[:REPEATED]]))
        assert ingest(platform) == [True]
        assert prepare_only(platform).success
        shutil.copytree(platform.home / "lake", platform.home / "lake as prepared")
        yield platform


@pytest.fixture
def prepared(platform: Platform) -> Platform:
    """The platform, its lake as the first preparation left it."""
    shutil.rmtree(platform.home / "lake")
    shutil.copytree(platform.home / "lake as prepared", platform.home / "lake")
    return platform


def drop_a_row(uri: str) -> None:
    pl.read_parquet(uri).tail(-1).write_parquet(uri)


def judged(platform: Platform) -> list[bool]:
    """Whether the rows are conserved, and whether the splits partition them."""
    lake = LakeResource(uri=platform.lake.store.uri)
    results = (checks.rows_are_conserved(lake=lake), checks.splits_partition_the_rows(lake=lake))
    return [isinstance(each, dg.AssetCheckResult) and each.passed for each in results]


def test_all_rows_are_accounted_for(prepared: Platform) -> None:
    assert judged(prepared) == [True, True]
    record = prepared.lake.preparation()
    assert (record.rows_in, record.repeats) == (92, REPEATED)
    assert record.digest == prepared.lake.manifest().digest


def test_simulated_rows_are_counted_and_a_flood_of_them_warned_of(prepared: Platform) -> None:
    data = survey_rows(46, seed=20)
    know_as_simulated(prepared, "2025-03-04", data)
    prepared.land(name_of("2025-03-04"), data)
    assert ingest(prepared) == [True]
    result = prepare_only(prepared)
    (prepared.home / "landing_zone" / name_of("2025-03-04")).unlink()
    (merged,) = [
        event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("merged_dataset")
    ]
    (check,) = [
        found
        for found in result.get_asset_check_evaluations()
        if found.check_name == "synthetic_share_is_small"
    ]
    assert result.success
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert merged["synthetic_rows"].value == check.metadata["synthetic_rows"].value == 46
    assert merged["synthetic_share"].value == 46 / 136
    origins = pl.read_parquet(prepared.lake.uri("train_split"))["origin"]
    assert set(origins) == {"surveyed", "synthetic"}


def test_up_to_a_third_of_the_rows_may_be_simulated() -> None:
    report = PrepareReport("polars", 135, 0, {"merged_dataset": 135}, 45, 0.1)
    assert checks.synthetic_share_is_small(report).passed
    assert not checks.synthetic_share_is_small(replace(report, synthetic_rows=46)).passed


@pytest.mark.parametrize(
    ("asset", "passed"),
    [
        ("merged_dataset", [False, False]),
        ("train_split", [True, False]),
        ("validation_split", [True, False]),
        ("test_split", [True, False]),
    ],
)
def test_a_missing_row_is_noticed(prepared: Platform, asset: str, passed: list[bool]) -> None:
    drop_a_row(prepared.lake.uri(asset))
    assert judged(prepared) == passed


def test_a_row_in_two_splits_is_noticed(prepared: Platform) -> None:
    train, test = prepared.lake.uri("train_split"), prepared.lake.uri("test_split")
    leaked = pl.concat([pl.read_parquet(test).tail(-1), pl.read_parquet(train).head(1)])
    leaked.write_parquet(test)
    assert judged(prepared) == [True, False]


def test_a_row_missing_from_an_ingested_day_is_noticed_by_the_next_preparation(
    prepared: Platform,
) -> None:
    drop_a_row(prepared.lake.uri("new_surveys", DAY))
    assert not prepare_only(prepared).success
    record = prepared.lake.preparation()
    assert record.rows_ingested == record.rows_in + 1
    assert not judged(prepared)[0]


def test_nothing_is_trained_on_splits_that_lost_rows(
    prepared: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing_split(merged: nw.LazyFrame[pl.LazyFrame], name: str) -> nw.LazyFrame[pl.LazyFrame]:
        return split(merged, name).filter(nw.col("sex") != "M")

    monkeypatch.setattr(outputs, "split", losing_split)
    result = prepared.run(RELEASE, dg.RunRequest(), raise_on_error=False)
    assert not result.success
    started = {
        event.step_key
        for event in recorded(prepared, result.run_id, dg.DagsterEventType.STEP_START)
    }
    assert "trained_model" not in started
    assert prepared.lake.release() is None


def test_a_preparation_that_did_not_end_vouches_for_nothing(
    prepared: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some splits are then of the new content, others of the old."""

    def ending_split(merged: nw.LazyFrame[pl.LazyFrame], name: str) -> nw.LazyFrame[pl.LazyFrame]:
        if name == "validation_split":
            raise StorageError("the worker was killed")
        return split(merged, name)

    monkeypatch.setattr(outputs, "split", ending_split)
    assert not prepare_only(prepared).success
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        prepared.lake.preparation()


@pytest.mark.parametrize("tokens", ["each write's", "the content's, as on S3"])
def test_a_survey_that_is_corrected_while_it_is_merged_and_back_again_is_merged_once_more(
    prepared: Platform, monkeypatch: pytest.MonkeyPatch, tokens: str
) -> None:
    """The manifest is as it was then, so nothing else would tell that its rows are not."""
    if tokens != "each write's":
        # Sizes tell these contents apart.
        monkeypatch.setattr(folder_landing_zone, "token_of", lambda found: str(found.st_size))
    other = name_of("2025-03-10")
    as_it_was, corrected = survey_rows(9, seed=13), survey_rows(7, seed=12)
    prepared.land(other, as_it_was)
    assert ingest(prepared) == [True]
    merge = polars_engine.prepare
    merged: list[int] = []

    def correct_and_merge(*arguments: Any) -> PrepareReport:
        if merged:
            merged.append(1)
            return merge(*arguments)
        prepared.land(other, corrected)
        assert ingest(prepared) == [True]
        report = merge(*arguments)
        merged.append(1)
        prepared.land(other, as_it_was)
        assert ingest(prepared) == [True]
        return report

    with monkeypatch.context() as patch:
        patch.setattr(polars_engine, "prepare", correct_and_merge)
        assert prepare_only(prepared).success
    assert len(merged) == 2
    made = pl.read_parquet(prepared.lake.uri("merged_dataset"))
    assert made["source_file"].to_list().count(other) == 9
    (prepared.home / "landing_zone" / other).unlink()


def test_surveys_that_are_corrected_each_time_they_are_merged_leave_nothing_behind(
    prepared: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, merge, times = name_of("2025-03-10"), polars_engine.prepare, iter(range(20, 99))

    def merge_and_correct(*arguments: Any) -> PrepareReport:
        report = merge(*arguments)
        prepared.land(other, survey_rows(9, seed=next(times)))
        assert ingest(prepared) == [True]
        return report

    prepared.land(other, survey_rows(9, seed=13))
    assert ingest(prepared) == [True]
    with monkeypatch.context() as patch:
        patch.setattr(polars_engine, "prepare", merge_and_correct)
        result = prepare_only(prepared)
    (failure,) = [each for each in result.all_events if each.is_step_failure]
    assert "2025-03-10 and 0 others were ingested again" in str(failure.step_failure_data.error)
    assert next(times) == 20 + ATTEMPTS
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        prepared.lake.preparation()
    assert prepared.lake.release_due()
    assert prepare_only(prepared).success
    (prepared.home / "landing_zone" / other).unlink()


def test_each_file_is_recorded_with_the_first_release_that_it_is_a_part_of(
    prepared: Platform,
) -> None:
    manifest = prepared.lake.manifest()
    (file,) = manifest.days[DAY].files
    first = first_release(prepared.lake.store, DAY, file.name, file.sha256)
    assert first is not None
    assert first.digest == manifest.digest
    data = prepared.lake.data_of(manifest.digest)
    assert data == {"rows": manifest.rows, "days": 1, "first_day": DAY, "last_day": DAY}
    assert prepared.lake.data_of("another") is None


def test_splits_are_not_rewritten_while_a_model_is_trained_on_them(prepared: Platform) -> None:
    nodes = prepared.definitions.resolve_job_def(RELEASE).graph.node_defs
    pools = {node.name: node.pool for node in nodes if isinstance(node, dg.OpDefinition)}
    assert pools["prepare"] == pools["trained_model"] is not None


def test_columns_tell_their_units_and_where_they_come_from(prepared: Platform) -> None:
    graph = prepared.definitions.resolve_asset_graph()
    for asset, upstream in {
        "merged_dataset": {"raw_abalone", "new_surveys"},
        "train_split": {"merged_dataset"},
        "validation_split": {"merged_dataset"},
        "test_split": {"merged_dataset"},
    }.items():
        metadata = graph.get(dg.AssetKey(asset)).metadata
        schema, lineage = metadata["dagster/column_schema"], metadata["dagster/column_lineage"]
        columns = {column.name: column for column in schema.columns}
        assert "[mm / 200]" in str(columns["length"].description)
        assert "[g / 200]" in str(columns["whole_weight"].description)
        stored = pl.read_parquet_schema(prepared.lake.uri(asset))
        assert list(stored) == list(columns)
        assert {
            dep.asset_key.to_user_string() for dep in lineage.deps_by_column["rings"]
        } == upstream


def test_rows_too_few_for_every_split_end_their_release_once_with_one_clear_error(
    tmp_path: Path,
) -> None:
    """Without a test row, a release was once trained, failed, and tried again for ever."""
    raw = tmp_path / "base.csv"
    raw.write_bytes(survey_rows(3))
    with platform_in(tmp_path, RAW_URI=str(raw)) as platform:
        (request,) = requests(platform, RELEASE_SENSOR)
        result = platform.run(RELEASE, request, raise_on_error=False)
        assert [event.step_key for event in result.get_step_failure_events()] == ["trained_model"]
        release = platform.lake.release()
        assert release is not None
        assert release.reason.startswith(
            "Rejected: too few rows: 3 surveyed rows leave validation_split and test_split without"
        )
        assert (release.outcome, release.version) == ("rejected", None)
        assert requests(platform, RELEASE_SENSOR) == []
        platform.land(name_of(DAY), survey_rows(60, seed=1))
        assert ingest(platform) == [True]
        assert platform.lake.release_due(), "more rows are another matter"


def test_one_day_more_of_a_large_lake_reads_that_month_only(
    prepared: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_inputs, "KEPT_FROM_ROWS", 1)
    assert prepare_only(prepared).success
    base = Path(prepared.lake.uri("raw_abalone"))
    whole, before = base.read_bytes(), prepared.lake.preparation()
    prepared.land(name_of("2025-03-04"), survey_rows(9, seed=4))
    assert ingest(prepared) == [True]
    base.write_bytes(b"not to be read")
    result = prepare_only(prepared, "merged_dataset", *SPLIT_PERCENT)
    base.write_bytes(whole)
    assert result.success  # the conservation laws hold, too
    after = prepared.lake.preparation()
    assert after.rows_in == before.rows_in + 9 == after.rows_ingested
    assert judged(prepared) == [True, True]

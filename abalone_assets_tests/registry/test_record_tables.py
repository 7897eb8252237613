"""The records of versions, decisions and released files as tables of the lake."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from abalone_assets.ingest.frames import schema_of
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest, day_digest
from abalone_assets.lake.released_files import FirstRelease, files_of_month, record_released_files
from abalone_assets.registry import record_tables
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.record_tables import (
    RECORD_TABLES,
    outdated_record_tables,
    refresh_record_tables,
)
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.modeling.evaluation.judged import BETTER, champion, comparison
from abalone_assets_tests.registry.support import add
from abalone_assets_tests.registry.test_provenance import MADE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion

SLICE = {"value": "F", "rows": 70, "rmse": 2.2, "rmse_low": 2.0, "rmse_high": 2.4}
EVALUATION: dict[str, Any] = {
    "rows": 209,
    "mae": 1.5,
    "r2": 0.5,
    "confidence": {"rmse": [2.0, 2.2], "r2": None},
    "prediction_interval": {"coverage": 0.9},
    "slices": {"sex": [{**SLICE, "mae": 1.6, "bias": -0.1, "coverage": None}]},
    "out_of_fold": {"rows": 3968, "rmse": 2.05, "mae": 1.45},
    "data": {"rows": 4177, "days": 2, "first_day": "2025-03-03", "last_day": "2025-03-14"},
}
FEMALE = comparison(0.01, -0.02, 0.03, value="F", rows=70)
NAME, DAY = "abalone.20250314061500", "2025-03-14"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def folder(tmp_path: Path) -> FolderRegistry:
    return FolderRegistry(ObjectStore(tmp_path / "registry"))


def table(lake: Lake, name: str) -> pl.DataFrame:
    return pl.read_parquet(BytesIO(lake.store.read(lake.key(name))))


def rows(lake: Lake, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return table(lake, name).select(columns).rows()


def release(lake: Lake, **files: str) -> Manifest:
    """A release prepares these files of a day, each with the digest of its bytes."""
    ingested = [IngestedFile(name, 9, "token", sha256, 3, 0) for name, sha256 in files.items()]
    manifest = Manifest(None, {DAY: IngestedDay(day_digest(ingested), tuple(ingested))})
    record_released_files(lake.store, manifest)
    return manifest


def test_without_records_there_is_no_table(lake: Lake, registry: ModelRegistry) -> None:
    refresh_record_tables(lake, registry)
    assert [*lake.store.list()] == []
    assert outdated_record_tables(lake, registry) == []


def test_a_version_is_a_row_with_who_said_what_of_it(
    lake: Lake,
    registry: ModelRegistry,
) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    add(registry, "a", rule="first_model", **EVALUATION)
    add(registry, "b", approved=False, release="r2", rule="above_max_rmse", champion=champion())
    registry.approve(2, because="the scale was checked", by="ana")
    refresh_record_tables(lake, registry)
    columns = ("version", "approved", "decided_by", "rmse", "release_digest", "champion")
    assert rows(lake, "model_versions", *columns) == [
        (1, True, "the gate", 2.1, "r1", None),
        (2, True, "ana", 2.1, "r2", 3),
    ]
    known = table(lake, "model_versions").row(0, named=True)
    assert (known["rmse_low"], known["rmse_high"], known["mae"]) == (2.0, 2.2, 1.5)
    assert (known["test_rows"], known["rows"], known["days"]) == (209, 4177, 2)
    assert (known["first_day"], known["last_day"]) == (date(2025, 3, 3), date(2025, 3, 14))
    assert known["approved_at"] == known["registered_at"] > before
    assert known["model_sha256"] == "a"
    decisions = ("version", "decided_by", "approved", "rule", "reason", "holds")
    assert rows(lake, "model_decisions", *decisions) == [
        (1, "the gate", True, "first_model", "as measured", True),
        (2, "the gate", False, "above_max_rmse", "as measured", False),
        (2, "ana", True, None, "the scale was checked", True),
    ]


def test_a_version_says_which_run_code_and_base_survey_made_it(
    lake: Lake, folder: FolderRegistry
) -> None:
    add(folder, "a", provenance=MADE.to_document())
    refresh_record_tables(lake, folder)
    columns = ("framework", "code", "code_commit", "dagster_run_id", "base_survey_sha256")
    assert rows(lake, "model_versions", *columns) == [
        ("blend", "0.1.0, commit 1a2b3c4d5e with changes", "1a2b3c4d5e6f", "run", "r")
    ]


def test_every_number_of_an_evaluation_is_a_row_with_its_rows_and_unit(
    lake: Lake, folder: FolderRegistry
) -> None:
    add(folder, "a", **EVALUATION, champion=champion(BETTER, sex=[FEMALE], age_band=[]))
    refresh_record_tables(lake, folder)
    found = {
        (row["measured_on"], row["slice"], row["metric"]): row
        for row in table(lake, "model_metrics").iter_rows(named=True)
    }

    def of(*key: str) -> tuple[Any, ...]:
        measured_on, of_slice, metric = key
        row = found[measured_on, of_slice, metric]
        return tuple(row[name] for name in ("value", "low", "high", "unit", "rows"))

    assert of("test_split", "all", "rmse") == (2.1, 2.0, 2.2, "rings", 209)
    assert of("test_split", "all", "r2") == (0.5, None, None, "share", 209)
    assert of("test_split", "all", "coverage") == (0.9, None, None, "share", 209)
    assert of("test_split", "F", "rmse") == (2.2, 2.0, 2.4, "rings", 70)
    assert of("test_split", "F", "bias") == (-0.1, None, None, "rings", 70)
    assert of("out_of_fold", "all", "rmse") == (2.05, None, None, "rings", 3968)
    assert of("compared", "all", "rmse_difference") == (-0.012, -0.020, -0.004, "rings", 4177)
    assert of("compared", "all", "other_rmse") == (2.0, None, None, "rings", 4177)
    assert found["compared", "all", "rmse"]["other_version"] == 3
    assert of("compared", "F", "rmse_difference") == (0.01, -0.02, 0.03, "rings", 70)
    assert found["test_split", "F", "rmse"]["slice_of"] == "sex"
    assert ("test_split", "F", "coverage") not in found  # there is none


def test_a_record_of_before_has_nulls_and_no_row_for_what_it_lacks(
    lake: Lake, folder: FolderRegistry
) -> None:
    odd = {"slices": {"sex": "none"}, "confidence": [1], "champion": "2", "rows": True}
    folder.register(b"one", evaluation=odd, decision={"approved": False}, release_digest="")
    refresh_record_tables(lake, folder)
    assert table(lake, "model_metrics").is_empty()
    known = table(lake, "model_versions").row(0, named=True)
    assert {name for name, value in known.items() if value is not None} == {
        *("version", "registered_at", "approved", "decided_by", "release_digest"),
        "archive_sha256",
    }
    assert rows(lake, "model_decisions", "rule", "reason") == [(None, "")]


def test_a_refresh_reads_what_was_written_since_and_no_other_record(
    lake: Lake,
    registry: ModelRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add(registry, "a")
    add(registry, "b")
    refresh_record_tables(lake, registry)
    asked: list[set[int]] = []
    several = registry.several

    def noted(numbers: Collection[int]) -> Iterator[ModelVersion]:
        asked.append({*numbers})
        return several(numbers)

    monkeypatch.setattr(registry, "several", noted)
    writes = {each.key: each.e_tag for each in lake.store.list()}
    refresh_record_tables(lake, registry)
    assert asked == []
    assert {each.key: each.e_tag for each in lake.store.list()} == writes

    registry.reject(1, because="a slip", by="ana")
    add(registry, "c", release="r2")
    assert outdated_record_tables(lake, registry) == [*RECORD_TABLES[:3]]
    refresh_record_tables(lake, registry)
    assert asked == [{1, 3}]
    assert rows(lake, "model_versions", "version", "approved") == [(1, False), (2, True), (3, True)]
    assert outdated_record_tables(lake, registry) == []


def test_a_record_written_again_as_it_was_is_read_once(lake: Lake, folder: FolderRegistry) -> None:
    add(folder, "a")
    refresh_record_tables(lake, folder)
    key = "versions/000001/version.json"
    folder.store.write(key, folder.store.read(key) + b" ")
    assert "model_versions" in outdated_record_tables(lake, folder)
    refresh_record_tables(lake, folder)
    assert outdated_record_tables(lake, folder) == []


def test_a_version_whose_record_is_gone_loses_its_rows(lake: Lake, folder: FolderRegistry) -> None:
    add(folder, "a")
    add(folder, "b")
    refresh_record_tables(lake, folder)
    folder.store.delete("versions/000001/version.json")
    refresh_record_tables(lake, folder)
    assert rows(lake, "model_decisions", "version") == [(2,)]
    folder.store.delete("versions/000002/version.json")
    refresh_record_tables(lake, folder)
    assert table(lake, "model_versions").is_empty()


@pytest.mark.parametrize("fault", ["deleted", "damaged", "of another format", "overtaken"])
def test_a_table_that_is_not_of_the_last_refresh_is_made_again(
    lake: Lake, folder: FolderRegistry, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    add(folder, "a", **EVALUATION)
    refresh_record_tables(lake, folder)
    key, older = lake.key("model_metrics"), lake.store.read(lake.key("model_metrics"))
    add(folder, "b", **EVALUATION)
    refresh_record_tables(lake, folder)
    whole = table(lake, "model_metrics")
    if fault == "deleted":
        lake.store.delete(key)
    elif fault == "damaged":
        lake.store.write(key, b"no Parquet")
    elif fault == "overtaken":  # by a refresh that began before this one
        lake.store.write(key, older)
    else:
        monkeypatch.setattr(record_tables, "FORMAT", record_tables.FORMAT + 1)
    refresh_record_tables(lake, folder)
    assert table(lake, "model_metrics").equals(whole)
    assert outdated_record_tables(lake, folder) == []


def test_a_table_has_the_columns_that_are_documented(lake: Lake, folder: FolderRegistry) -> None:
    manifest = release(lake, **{NAME: "one"})
    add(folder, "a", release=manifest.digest, **EVALUATION)
    refresh_record_tables(lake, folder)
    for name in RECORD_TABLES:
        assert table(lake, name).schema == schema_of(name)


def test_a_file_is_told_with_the_first_version_that_learnt_from_it(
    lake: Lake, folder: FolderRegistry
) -> None:
    columns = ("source_file", "survey_day", "sha256", "version")
    day = date.fromisoformat(DAY)
    first = release(lake, **{NAME: "one"})
    refresh_record_tables(lake, folder)
    assert rows(lake, "released_files", *columns) == [(NAME, day, "one", None)]
    add(folder, "a", release=first.digest)
    add(folder, "b", release=first.digest, trained_at="later")
    refresh_record_tables(lake, folder)
    assert rows(lake, "released_files", *columns) == [(NAME, day, "one", 1)]

    other = "abalone.20250314061501"
    second = release(lake, **{NAME: "mended", other: "two"})
    refresh_record_tables(lake, folder)
    assert rows(lake, "released_files", *columns) == [
        (NAME, day, "mended", None),
        (other, day, "two", None),
    ]
    add(folder, "c", release=second.digest)
    refresh_record_tables(lake, folder)
    assert rows(lake, "released_files", "version") == [(3,), (3,)]


def test_a_version_of_before_a_file_was_released_has_not_learnt_from_it(
    lake: Lake, folder: FolderRegistry
) -> None:
    # A landing zone that goes back to what it was has the digest of an earlier release again.
    known = add(folder, "a", release="r1")
    first = release(lake, **{NAME: "one"})
    early = replace(known, created_at="2020-01-01T00:00:00+00:00", release_digest=first.digest)
    folder.store.write_json(
        "versions/000001/version.json",
        {name: value for name, value in vars(early).items() if name != "overrides"},
    )
    refresh_record_tables(lake, folder)
    assert rows(lake, "released_files", "version") == [(None,)]


def test_only_months_that_changed_or_wait_are_read(
    lake: Lake, folder: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = release(lake, **{NAME: "one"})
    add(folder, "a", release=first.digest)
    refresh_record_tables(lake, folder)
    read: list[str] = []

    def noted(store: ObjectStore, month: str) -> dict[str, FirstRelease]:
        read.append(month)
        return files_of_month(store, month)

    monkeypatch.setattr(record_tables, "files_of_month", noted)
    refresh_record_tables(lake, folder)
    assert read == []
    release(lake, **{NAME: "two"})
    refresh_record_tables(lake, folder)
    refresh_record_tables(lake, folder)  # it waits for its version
    assert read == ["2025-03"] * 2

"""Dagster's SQLite storage with connections that stay open: what it must not lose by that."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import psutil
import pytest

from abalone_assets.local import dagster_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = """
telemetry:
  enabled: false
storage:
  custom:
    module: abalone_assets.local.dagster_storage
    class: SqliteStorage
    config: {base_dir: {env: DAGSTER_HOME}}
"""


@dg.asset
def counted() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    assert folder.is_dir()
    with dg.DagsterInstance.get() as instance:
        yield instance


def materialize(instance: dg.DagsterInstance) -> str:
    return dg.materialize([counted], instance=instance).run_id


def rows_of(instance: dg.DagsterInstance) -> object:
    event = instance.get_latest_materialization_event(dg.AssetKey("counted"))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization.metadata["rows"].value


def open_files(folder: Path) -> set[str]:
    """The database files in the folder that this process has open."""
    opened = {file.path for file in psutil.Process().open_files()}
    return {path for path in opened if path.endswith(".db") and Path(path).is_relative_to(folder)}


def test_it_reads_what_dagsters_own_wrote_and_the_other_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    runs = []
    for config in ("telemetry: {enabled: false}", CONFIG, "telemetry: {enabled: false}"):
        (tmp_path / "dagster.yaml").write_text(config)
        with dg.DagsterInstance.get() as instance:
            runs.append(materialize(instance))
            assert {run.run_id for run in instance.get_runs()} == set(runs)
            assert [len(instance.all_logs(run)) > 5 for run in runs] == [True] * len(runs)
            assert rows_of(instance) == 3


def test_files_that_were_deleted_meanwhile_are_made_again(
    instance: dg.DagsterInstance, folder: Path
) -> None:
    materialize(instance)
    shutil.rmtree(folder / "history" / "runs")
    (folder / "history" / "runs").mkdir()
    run = materialize(instance)
    assert rows_of(instance) == 3
    assert instance.all_logs(run)
    with dg.DagsterInstance.get() as other:
        assert [entry.run_id for entry in other.all_logs(run)][:1] == [run]


def test_few_files_stay_open_and_none_after_the_end(
    instance: dg.DagsterInstance, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster_storage, "MAX_FILES", 3)
    for _ in range(6):
        materialize(instance)
    assert 0 < len(open_files(folder)) <= 3 + 2  # runs and schedules have a file each
    instance.dispose()
    # Dagster does not dispose of the storage of schedules.
    assert open_files(folder) <= {str(folder / "schedules" / "schedules.db")}


def test_threads_that_write_at_once_lose_nothing(instance: dg.DagsterInstance) -> None:
    def report(number: int) -> None:
        instance.report_runless_asset_event(dg.AssetMaterialization("counted", str(number)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(report, range(40)))
    records = instance.fetch_materializations(dg.AssetKey("counted"), limit=100).records
    assert {
        record.asset_materialization.description
        for record in records
        if record.asset_materialization
    } == set(map(str, range(40)))

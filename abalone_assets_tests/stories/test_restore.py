"""The drill: Dagster's database is lost, `abalone restore` brings back what its pages show."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from abalone_assets.restore import write
from abalone_assets.restore.told import Checked, Materialized, Told
from abalone_assets_tests.automation.support import (
    RELEASE_SENSOR,
    SURVEY_SENSOR,
    files_below,
    ingest,
    name_of,
    ranges,
    requests,
)
from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.stories.finished import DAYS, finished_home
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("restore")  # one home for all

RELEASED = (
    *("raw_abalone", "merged_dataset", "train_split", "validation_split", "test_split"),
    *("trained_model", "evaluation", "evaluation_report", "approved_model", "endpoint"),
)
PARTITIONED = ("new_surveys", "quarantined_rows")
SAME = {
    "raw_abalone": ("dagster/row_count", "quarantined", "origin", "source"),
    "merged_dataset": ("dagster/row_count", "digest", "repeats_removed"),
    "train_split": ("dagster/row_count", "digest"),
    "trained_model": ("model", "framework", "model_card"),
    "evaluation": ("rmse", "rmse_low", "out_of_fold_rmse", "champion", "by_file", "by_sex"),
    "approved_model": ("version", "rmse", "model"),
    "endpoint": ("version", "served"),
}
"""What an asset shows after as before."""

RESTORED_CHECKS = {
    ("approved_model", "gate"),
    ("merged_dataset", "rows_are_conserved"),
    ("merged_dataset", "splits_partition_the_rows"),
    ("new_surveys", "files_are_surveys"),
    ("new_surveys", "files_are_plausible"),
    ("quarantined_rows", "few_rows_are_quarantined"),
}


def shown(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What the pages of the assets show."""
    found: dict[str, Any] = {}
    for asset in RELEASED:
        event = instance.get_latest_materialization_event(dg.AssetKey(asset))
        if event is None or event.asset_materialization is None:
            continue
        told, names = event.asset_materialization, SAME.get(asset, ())
        found[asset] = {name: told.metadata[name].value for name in names}
        found[asset]["version"] = (told.tags or {}).get("dagster/data_version", "")
    for asset in PARTITIONED:
        key = dg.AssetKey(asset)
        for partition in sorted(instance.get_materialized_partitions(key)):
            (record,) = instance.fetch_materializations(
                dg.AssetRecordsFilter(key, asset_partitions=[partition]), limit=1
            ).records
            day = record.asset_materialization
            assert day is not None
            names = ("dagster/row_count", "digest", "files")
            found[f"{asset} {partition}"] = {name: day.metadata[name].value for name in names}
    found["rmse over time"] = [
        record.asset_materialization.metadata["rmse"].value
        for record in instance.fetch_materializations(dg.AssetKey("evaluation"), limit=9).records
        if record.asset_materialization
    ]
    return found


OWN_VERSION = {"raw_abalone", "trained_model", "approved_model", "endpoint"}
"""Assets that say what their version of the data is; Dagster makes up that of the others."""


def without_made_up_versions(pages: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: each for key, each in page.items() if key != "version"}
        if name in RELEASED and name not in OWN_VERSION
        else page
        for name, page in pages.items()
    }


def checks(instance: dg.DagsterInstance) -> dict[tuple[str, str], bool]:
    """The last result of each check that has one."""
    keys = [dg.AssetCheckKey(dg.AssetKey(asset), check) for asset, check in RESTORED_CHECKS]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return {
        (key.asset_key.to_user_string(), key.name): record.status
        is AssetCheckExecutionRecordStatus.SUCCEEDED
        for key, record in found.items()
        if key in keys
    }


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A finished home, and what Dagster shows of it."""
    with finished_home(tmp_path_factory.mktemp("restored")) as platform:
        yield (
            platform.home,
            {
                "pages": shown(platform.instance),
                "checks": checks(platform.instance),
            },
        )


@pytest.fixture
def lost(before: tuple[Path, dict[str, Any]]) -> Path:
    """The home without its Dagster database."""
    home, _ = before
    shutil.rmtree(home / "dagster", ignore_errors=True)
    make_dagster_home(home / "dagster")
    return home


def test_every_page_shows_again_what_it_showed(
    before: tuple[Path, dict[str, Any]], lost: Path
) -> None:
    _, then = before
    lake = files_below(lost / "lake")

    document = abalone_json("restore")

    assert document["restored"]
    assert document["known"] == 0
    with dg.DagsterInstance.get() as instance:
        now: dict[str, Any] = {"pages": shown(instance), "checks": checks(instance)}
    passed = dict.fromkeys(RESTORED_CHECKS, True)
    passed["quarantined_rows", "few_rows_are_quarantined"] = False  # a bad file has landed
    assert now["checks"] == then["checks"] == passed
    assert without_made_up_versions(now["pages"]) == without_made_up_versions(then["pages"])
    assert len(now["pages"]) == len(RELEASED) + 2 * len(DAYS) + 1
    assert len(now["pages"]["rmse over time"]) == 2
    assert files_below(lost / "lake") == lake


def test_the_times_are_those_of_then(lost: Path) -> None:
    abalone_json("restore")

    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("approved_model"))
        records = instance.fetch_materializations(dg.AssetKey("evaluation"), limit=9).records
    version = json.loads((lost / "registry/versions/000002/version.json").read_text())
    assert event is not None
    assert event.timestamp == datetime.fromisoformat(version["created_at"]).timestamp()
    times = [record.timestamp for record in records]
    assert times == sorted(times, reverse=True)
    assert times[0] < datetime.now(UTC).timestamp()


def test_the_next_ticks_ask_for_nothing_and_a_new_survey_is_ingested(lost: Path) -> None:
    abalone_json("restore")

    with Platform.at(lost) as platform:
        assert [requests(platform, each) for each in (SURVEY_SENSOR, RELEASE_SENSOR)] == [[], []]
        platform.land(name_of("2025-03-09"), survey_rows(3, seed=9))
        assert ranges(requests(platform)) == [("2025-03-09", "2025-03-09")]
        (lost / "landing_zone" / name_of("2025-03-09")).unlink()


@pytest.mark.usefixtures("lost")
def test_a_second_time_changes_nothing_and_what_runs_told_stays() -> None:
    first = abalone_json("restore")
    again = abalone_json("restore")

    count = sum(first["materializations"].values()) + sum(first["checks"].values())
    assert (again["materializations"], again["checks"], again["known"]) == ({}, {}, count)
    assert "Nothing to do" in abalone("restore").output


def gates(instance: dg.DagsterInstance) -> list[str]:
    """What each result of the gate says of itself, the latest first."""
    gate = dg.AssetCheckKey(dg.AssetKey("approved_model"), "gate")
    records = instance.event_log_storage.get_asset_check_execution_history(gate, limit=9)
    return [str(record.evaluation.description) for record in records if record.evaluation]


def test_cut_short_it_goes_on_where_it_ended(
    before: tuple[Path, dict[str, Any]], lost: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = abalone_json("restore", "--dry-run")
    record, recorded = write.record, list[Told]()

    def killed(instance: dg.DagsterInstance, told: Told) -> None:
        if any(isinstance(each, Checked) and each.check == "gate" for each in recorded):
            raise KeyboardInterrupt
        recorded.append(told)
        record(instance, told)

    with monkeypatch.context() as patch:
        patch.setattr(write, "record", killed)
        assert abalone("restore").exit_code == 130
    rest = abalone_json("restore")

    assert rest["known"] == len(recorded) > 1
    for kind, done in (
        ("materializations", sum(isinstance(each, Materialized) for each in recorded)),
        ("checks", sum(isinstance(each, Checked) for each in recorded)),
    ):
        assert sum(rest[kind].values()) == sum(whole[kind].values()) - done
    again = abalone_json("restore")
    assert (again["materializations"], again["checks"]) == ({}, {})
    with dg.DagsterInstance.get() as instance:
        assert gates(instance) == [
            f"Restored from the lake's records: version {number}." for number in (2, 1)
        ]
        assert checks(instance) == before[1]["checks"]
    assert lost.exists()


@pytest.mark.usefixtures("lost")
def test_what_a_run_has_checked_meanwhile_stays_the_latest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write, "PAGE", 1)
    abalone_json("restore")
    assert abalone_json("restore")["checks"] == {}
    with dg.DagsterInstance.get() as instance:
        told = dg.AssetCheckEvaluation(dg.AssetKey("approved_model"), "gate", True, {})  # noqa: FBT003
        instance.report_runless_asset_event(told)
        assert abalone_json("restore")["checks"] == {}
        assert gates(instance)[0] == "None"


def test_a_dry_run_says_the_same_and_does_nothing(lost: Path) -> None:
    told = abalone_json("restore", "--dry-run")

    assert not told["restored"]
    assert told["materializations"]["evaluation"] == 2
    assert told["checks"]["approved_model"] == 2
    with dg.DagsterInstance.get() as instance:
        assert list(instance.all_asset_keys()) == []
    shutil.rmtree(lost / "dagster")
    assert abalone_json("restore", "--dry-run") == {**told, "instance": None}
    assert not (lost / "dagster").exists()


def test_damaged_splits_are_left_out_with_a_warning_and_all_else_comes_back(lost: Path) -> None:
    split = lost / "lake/train_split/data.parquet"
    whole = split.read_bytes()
    split.write_bytes(b"no Parquet")
    try:
        told = abalone_json("restore", "--dry-run")
        done = abalone("restore")
    finally:
        split.write_bytes(whole)

    (warning,) = told["left_out"]
    assert warning.startswith(f"{split}: cannot be read")
    assert "launch the job `release`" in warning
    assert done.exit_code == 0
    assert f"Warning: {split}" in done.stderr
    rest = abalone_json("restore")
    assert rest["materializations"].keys() == {
        "merged_dataset", "train_split", "validation_split", "test_split"
    }  # fmt: skip
    assert rest["left_out"] == []


def test_days_that_a_run_has_ingested_meanwhile_are_left_as_they_are(lost: Path) -> None:
    """The lake and the database are both damaged, and sensors were quicker than a person."""
    with Platform.at(lost) as platform:
        shutil.rmtree(lost / "lake" / "new_surveys" / f"survey_day={DAYS[0]}")
        assert ingest(platform) == [True]
        base = dg.RunRequest(asset_selection=[dg.AssetKey("raw_abalone")])
        assert platform.run("release", base).success

        told = abalone_json("restore")

        assert told["materializations"]["new_surveys"] == 1
        assert told["materializations"]["quarantined_rows"] == 1
        assert "raw_abalone" not in told["materializations"]
        event = platform.instance.get_latest_materialization_event(dg.AssetKey("new_surveys"))
        assert event is not None
        partitions = platform.instance.get_materialized_partitions(dg.AssetKey("new_surveys"))
        assert partitions == set(DAYS)


@pytest.mark.usefixtures("lost")
def test_what_a_person_has_reported_meanwhile_stays_the_latest() -> None:
    reported = dg.AssetMaterialization("endpoint", description="Put back by hand.")
    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(reported)

        told = abalone_json("restore")

        event = instance.get_latest_materialization_event(dg.AssetKey("endpoint"))
    assert "endpoint" not in told["materializations"]
    assert told["materializations"]["trained_model"] == 1
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.description == "Put back by hand."


def test_a_day_whose_rows_are_lost_is_not_said_to_be_there(lost: Path) -> None:
    rows, aside = lost / "lake" / "new_surveys" / f"survey_day={DAYS[0]}", lost / "aside"
    rows.rename(aside)

    told = abalone_json("restore", "--dry-run")

    aside.rename(rows)
    assert told["materializations"]["new_surveys"] == 1
    assert told["materializations"]["quarantined_rows"] == 2


def test_a_home_without_an_instance_gets_one(lost: Path) -> None:
    shutil.rmtree(lost / "dagster")

    assert abalone_json("restore")["materializations"]["endpoint"] == 1

    assert (lost / "dagster" / "dagster.yaml").read_text().startswith("# abalone-assets local")


def test_without_records_there_is_nothing_to_restore(home: Path) -> None:
    told = abalone_json("restore")

    assert (told["materializations"], told["checks"], told["known"]) == ({}, {}, 0)
    assert home.exists()

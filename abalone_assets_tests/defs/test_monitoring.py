"""The assets that watch what the endpoint is asked, and the schedule that has them made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb
import numpy as np
import polars as pl
import pytest

from abalone_assets import definitions
from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import MONITOR_JOB, Runs
from abalone_assets.defs.automation import monitoring_schedule
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.last_drift import LastDrift
from abalone_assets.monitoring.captures import Captures
from abalone_assets.monitoring.days import due_days
from abalone_assets.resources.captures import CapturesResource
from abalone_assets.resources.storage import LakeResource
from abalone_assets.serving.capture import CapturedRequest
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import FEATURES
from abalone_assets_tests.monitoring.support import animals, refused

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.service

FIRST = date(2025, 3, 3)
TODAY = date(2025, 3, 20)
ANIMALS = animals(600)


@dataclass
class Watched:
    """A home whose endpoint was asked, and the instance that its runs are in."""

    home: Path
    instance: dg.DagsterInstance

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    @property
    def captures(self) -> Captures:
        return Captures(ObjectStore(self.home / "captured_requests"), "abalone")

    def ask(self, day: date, rows: slice, *, name: str = "a", **shifted: float) -> None:
        """Write a capture file of one request for each of these animals, answered rightly."""
        asked = {feature: ANIMALS[feature][rows] for feature in FEATURES}
        lines = []
        for number, animal in enumerate(zip(*asked.values(), strict=True)):
            moved = [
                value + shifted.get(feature, 0.0) if shifted.get(feature) else value
                for feature, value in zip(FEATURES, animal, strict=True)
            ]
            time = datetime(day.year, day.month, day.day, 10, tzinfo=UTC)
            answer = f"{ANIMALS['rings'][rows][number]}\n".encode()
            body = ",".join(map(str, moved)).encode()
            lines.append(
                CapturedRequest("text/csv", body, "text/csv", answer, 1, time=time).to_json_line()
            )
        key = f"abalone/AllTraffic/{day:%Y/%m/%d}/10/{name}.jsonl"
        self.captures.store.write(key, "".join(f"{line}\n" for line in lines).encode())

    def monitor(self, first: date, last: date) -> dg.ExecuteInProcessResult:
        """Run the job over a range of days."""
        job = definitions.defs().resolve_job_def(MONITOR_JOB)
        tags = {
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        }
        return job.execute_in_process(instance=self.instance, tags=tags)

    def document(self, asset: str) -> dict[str, Any]:
        found = self.lake.store.read_json(f"{asset}/data.json")
        assert isinstance(found, dict)
        return found

    def rows(self, day: date) -> pl.DataFrame:
        return pl.read_parquet(self.lake.uri("captured_requests", day.isoformat()))


@pytest.fixture
def watched(home: Path) -> Iterator[Watched]:
    with dg.DagsterInstance.get() as instance:
        found = Watched(home, instance)
        split = {**ANIMALS, "source_file": ["base"] * 600, "origin": ["surveyed"] * 600}
        found.lake.store.write(found.lake.key("train_split"), to_parquet(pl.DataFrame(split)))
        yield found


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}


def test_a_run_reads_a_range_of_days_and_finds_no_drift(watched: Watched) -> None:
    watched.ask(FIRST, slice(0, 100))
    watched.ask(FIRST + timedelta(days=2), slice(100, 160))
    result = watched.monitor(FIRST, FIRST + timedelta(days=3))
    assert result.success
    assert checks(result) == {
        "requests_are_readable": True,
        "requests_have_not_drifted": True,
        "errors_are_as_expected": True,
    }
    assert len(watched.rows(FIRST)) == 100
    assert watched.rows(FIRST + timedelta(days=1)).is_empty()
    assert len(watched.rows(FIRST + timedelta(days=2))) == 60
    report = watched.document("drift_report")
    assert (report["animals"], report["lines"], report["unreadable"]) == (160, 160, 0)
    assert (report["first"], report["last"]) == ("2025-02-27", "2025-03-05")
    assert {each["drifted"] for each in report["features"]} == {False}
    assert len(report["psi_by_day"]["length"]) == 2
    page = watched.lake.store.read("drift_report/_report.html").decode()
    assert "look like those that the model learnt from" in page
    assert page.count("data:image/png;base64") == 2
    with duckdb.connect(watched.home / "catalog.duckdb", read_only=True) as catalog:
        asked = "select request_day, count(*), min(asked_at) from captured_requests group by 1"
        assert len(catalog.execute(asked).fetchall()) == 2


def test_an_animal_that_is_asked_about_all_day_counts_once(watched: Watched) -> None:
    watched.ask(FIRST, slice(0, 60))
    for number in range(20):
        watched.ask(FIRST, slice(0, 30), name=f"again {number}")
    result = watched.monitor(FIRST, FIRST)
    assert result.success
    report = watched.document("drift_report")
    assert (report["lines"], report["animals"]) == (660, 60)


def test_a_shift_is_a_warning_that_names_the_feature(watched: Watched) -> None:
    by = 0.6 * float(np.std(ANIMALS["length"]))
    watched.ask(FIRST, slice(0, 500), length=by)
    result = watched.monitor(FIRST, FIRST)
    assert result.success
    assert checks(result)["requests_have_not_drifted"] is False
    (found,) = [
        each
        for each in result.get_asset_check_evaluations()
        if each.check_name == "requests_have_not_drifted"
    ]
    assert found.metadata["drifted"].value == "length"
    assert "differ from those that the model learnt from: length" in str(found.description)


def test_animals_surveyed_after_they_were_asked_about_tell_the_live_error(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.ask(FIRST, slice(0, 40))
    rows = {name: values[:40] for name, values in ANIMALS.items()}
    landed = "\n".join(",".join(map(str, row)) for row in zip(*rows.values(), strict=True))
    (watched.home / "landing_zone" / "abalone.20250310120000").write_text(f"{landed}\n")
    ingest = definitions.defs().resolve_job_def("ingest_surveys")
    assert ingest.execute_in_process(instance=watched.instance, partition_key="2025-03-10").success
    assert watched.monitor(FIRST, FIRST).success
    live = watched.document("live_performance")
    assert (live["animals"], live["rmse"], live["expected"]) == (40, 0.0, None)


def test_nothing_asked_is_no_failure_and_no_report(watched: Watched) -> None:
    result = watched.monitor(FIRST, FIRST)
    assert result.success
    assert set(checks(result).values()) == {True}
    assert watched.lake.store.read_json("drift_report/data.json") is None
    assert watched.lake.store.read_json("live_performance/data.json") is None


def test_a_damaged_line_is_kept_and_told(watched: Watched) -> None:
    watched.ask(FIRST, slice(0, 2))
    watched.captures.store.write("abalone/AllTraffic/2025/03/03/11/b.jsonl", b"{\n")
    result = watched.monitor(FIRST, FIRST)
    assert result.success
    assert checks(result)["requests_are_readable"] is False
    assert watched.rows(FIRST)["problem"].null_count() == 2


def test_requests_that_were_refused_are_a_share_with_its_reasons_and_no_damage(
    watched: Watched,
) -> None:
    watched.ask(FIRST, slice(0, 60))
    lines = [refused(reason=reason) for reason in ("sex", "sex", "row")]
    watched.captures.store.write(
        "abalone/AllTraffic/2025/03/03/11/b.jsonl", "\n".join([*lines, "{"]).encode()
    )
    result = watched.monitor(FIRST, FIRST)
    assert result.success
    (readable,) = [
        each
        for each in result.get_asset_check_evaluations()
        if each.check_name == "requests_are_readable"
    ]
    assert not readable.passed
    counts = {name: each.value for name, each in readable.metadata.items()}
    assert counts == {"lines": 64, "unreadable": 1, "outside_contract": 3}
    report = watched.document("drift_report")
    assert (report["lines"], report["unreadable"], report["outside_contract"]) == (63, 0, 3)
    assert report["outside_contract_share"] == pytest.approx(3 / 63)
    assert report["reasons"] == {"sex": 2, "row": 1}
    (made,) = result.asset_materializations_for_node("drift_report")
    assert made.metadata["outside_contract_share"].value == pytest.approx(3 / 63)
    table = made.metadata["outside_contract_reasons"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [(each.data["reason"], each.data["requests"]) for each in table.records] == [
        ("sex", 2),
        ("row", 1),
    ]
    (day,) = [
        each
        for each in result.asset_materializations_for_node("captured_requests")
        if each.partition == FIRST.isoformat()
    ]
    assert day.metadata["outside_contract_sex"].value == 2
    page = watched.lake.store.read("drift_report/_report.html").decode()
    assert "3 of them (4.8 %) outside the contract" in page


def test_requests_that_were_all_refused_are_a_report_without_animals(watched: Watched) -> None:
    watched.captures.store.write("abalone/AllTraffic/2025/03/03/11/b.jsonl", refused().encode())
    assert watched.monitor(FIRST, FIRST).success
    report = watched.document("drift_report")
    assert (report["animals"], report["outside_contract_share"], report["features"]) == (0, 1, [])


def test_the_rows_of_a_day_outlive_its_capture_files(watched: Watched) -> None:
    watched.ask(FIRST, slice(0, 2))
    assert watched.monitor(FIRST, FIRST).success  # more than 90 days ago
    assert watched.captures.files_by_day() == {}
    assert watched.monitor(FIRST, FIRST).success
    assert len(watched.rows(FIRST)) == 2
    assert LastDrift(watched.lake).days().files == {"2025-03-03": 1}


def test_a_capture_file_that_nobody_has_read_is_not_deleted(watched: Watched) -> None:
    watched.ask(FIRST, slice(0, 2))
    watched.ask(FIRST + timedelta(days=1), slice(2, 4))
    assert watched.monitor(FIRST, FIRST).success
    watched.ask(FIRST, slice(4, 5), name="late")
    assert watched.monitor(FIRST + timedelta(days=1), FIRST + timedelta(days=1)).success
    assert watched.captures.files_by_day() == {FIRST: 1}
    assert watched.monitor(FIRST, FIRST).success
    assert len(watched.rows(FIRST)) == 3  # those of the file that is gone too
    assert watched.captures.files_by_day() == {}


def test_capture_files_stay_as_long_as_the_setting_says(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_CAPTURE_DAYS", "0")
    watched.ask(FIRST, slice(0, 2))
    assert watched.monitor(FIRST, FIRST).success
    assert watched.captures.files_by_day() == {FIRST: 1}


def test_ended_days_are_due_until_they_were_read(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_CAPTURE_DAYS", "0")
    days = [TODAY - timedelta(days=back) for back in (9, 1, 0)]
    for day in days:
        watched.ask(day, slice(0, 1))
    due = [day.isoformat() for day in days[:2]]
    assert due_days(watched.captures, watched.lake, TODAY, FIRST) == due
    watched_days = (days[0], days[1])
    assert watched.monitor(*watched_days).success
    assert due_days(watched.captures, watched.lake, TODAY, FIRST) == []
    watched.ask(days[1], slice(0, 1), name="late")
    assert due_days(watched.captures, watched.lake, TODAY, FIRST) == due[1:]
    assert due_days(watched.captures, watched.lake, TODAY, days[1] + timedelta(days=1)) == []


def tick(watched: Watched) -> dg.RunRequest | dg.SkipReason:
    """Evaluate the schedule as the daemon does."""
    settings = load_settings()
    captures = CapturesResource(uri=str(settings.capture_folder), endpoint_name="abalone")
    resources = {"captures": captures, "lake": LakeResource(uri=watched.lake.store.uri)}
    with dg.build_schedule_context(watched.instance, resources=resources) as context:
        data = monitoring_schedule.evaluate_tick(context)
    if data.run_requests:
        (request,) = data.run_requests
        return request
    return dg.SkipReason(data.skip_message)


def test_the_schedule_asks_for_one_run_over_all_days_that_are_due(watched: Watched) -> None:
    quiet = tick(watched)
    assert isinstance(quiet, dg.SkipReason)
    assert "every ended day" in str(quiet.skip_message)
    watched.ask(FIRST, slice(0, 1))
    watched.ask(FIRST + timedelta(days=4), slice(0, 1))
    request = tick(watched)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["dagster/asset_partition_range_start"] == "2025-03-03"
    assert request.tags["dagster/asset_partition_range_end"] == "2025-03-07"
    watched.instance.add_run(dg.DagsterRun(MONITOR_JOB, status=dg.DagsterRunStatus.STARTED))
    assert isinstance(tick(watched), dg.SkipReason)


def test_days_of_requests_in_flight_are_no_days_of_surveys(watched: Watched) -> None:
    def started(asset: str) -> dg.DagsterRun:
        return dg.DagsterRun(
            "__ASSET_JOB",
            status=dg.DagsterRunStatus.STARTED,
            asset_selection=frozenset({dg.AssetKey(asset)}),
            tags={"dagster/partition": "2025-03-03"},
        )

    keys = [dg.AssetKey("captured_requests"), dg.AssetKey("new_surveys")]
    watched.instance.add_run(started("captured_requests"))
    assert Runs(watched.instance, keys).days_in_flight() == []
    watched.instance.add_run(started("new_surveys"))
    assert Runs(watched.instance, keys).days_in_flight() == [DayRange("2025-03-03", "2025-03-03")]

"""The sensor that tells MLflow: it compares what was told with what there is, and asks nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation.mlflow_sensor import MLFLOW_JOB
from abalone_assets.defs.mlflow import log_to_mlflow_job
from abalone_assets.registry.open import open_registry
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.tracking.server import MlflowServer
from abalone_assets.tracking.told import Told, read_told, state_of, write_told
from abalone_assets_tests.automation.support import launch, requests
from abalone_assets_tests.serving.support import tiny_archive
from abalone_assets_tests.tracking.support import go_live, register, report_on

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

SENSOR = "mlflow_sensor"
SECRET = "pa55word"


@pytest.fixture(autouse=True)
def _named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_MLFLOW_URI", f"http://ana:{SECRET}@127.0.0.1:1")


def tick(platform: Platform) -> str | None:
    """Why nothing is asked for; None when a run is."""
    asked = requests(platform, SENSOR)
    return None if asked else str(platform.reasons[SENSOR])


def lake() -> ObjectStore:
    return ObjectStore(load_settings().lake_uri)


def succeed() -> None:
    server = MlflowServer.of(load_settings())
    assert server is not None
    told = read_told(lake())
    write_told(lake(), told.after(server.identity, state_of(load_settings()), succeeded=True))


def test_without_a_server_or_a_version_there_is_nothing_to_tell(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tick(platform) == "there is no version yet"
    monkeypatch.delenv("ABALONE_MLFLOW_URI")
    register(tiny_archive(1), "a")
    assert tick(platform) == "ABALONE_MLFLOW_URI names no server"


def test_versions_reports_decisions_and_what_is_live_are_told_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_told_once() -> bool:
        asked = tick(platform) is None
        succeed()
        return asked and tick(platform) == "MLflow was told of everything"

    register(tiny_archive(1), "a")
    assert is_told_once()
    go_live(1)
    assert is_told_once()
    report_on("a")
    assert is_told_once()
    register(tiny_archive(2), "b", approved=False)
    assert is_told_once()
    open_registry(load_settings()).approve(2, because="good", by="ana")
    assert is_told_once()
    open_registry(load_settings()).reject(1, because="older, and bad", by="ana")
    assert is_told_once()
    monkeypatch.setenv("ABALONE_MLFLOW_URI", "http://127.0.0.1:2")
    assert tick(platform) is None, "another server knows nothing"


def test_a_release_under_way_or_a_run_that_tells_is_waited_for(platform: Platform) -> None:
    register(tiny_archive(1), "a")
    for job, reason in (
        ("deploy", "a release or a deployment is under way"),
        (MLFLOW_JOB, "a run"),
    ):
        run = launch(platform, dg.RunRequest(), job)
        assert (tick(platform) or "").startswith(reason)
        platform.instance.report_run_canceled(run)
        assert tick(platform) is None


def test_a_server_that_is_away_is_one_warning_and_tried_again_ever_later(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    register(tiny_archive(1), "a")
    for failures in (1, 2):
        result = log_to_mlflow_job.execute_in_process(instance=platform.instance)
        assert result.success
        assert read_told(lake()).failures == failures
    warnings = [
        entry.user_message
        for entry in platform.instance.all_logs(result.run_id)
        if int(entry.level) >= 30 and not entry.is_dagster_event
    ]
    assert len(warnings) == 1
    assert warnings[0].startswith("MLflow at http://127.0.0.1:1 lacks versions: ")
    assert "`abalone mlflow`" in warnings[0]
    everything = [entry.user_message for entry in platform.instance.all_logs(result.run_id)]
    assert not any(SECRET in text for text in [*everything, caplog.text])
    assert "MLflow failed 2 times; it is tried again at" in (tick(platform) or "")
    told = read_told(lake())
    early = datetime.now(UTC) - timedelta(seconds=load_settings().retry_seconds * 2 + 1)
    write_told(lake(), Told(told.server, told.state, 2, early.isoformat()))
    assert tick(platform) is None


def test_the_wait_doubles_up_to_an_hour() -> None:
    now = datetime(2025, 3, 3, tzinfo=UTC)
    for failures, seconds in ((1, 10), (2, 20), (3, 40), (50, 3600)):
        told = Told("ours", "", failures, now.isoformat())
        assert told.waits_until("ours", timedelta(seconds=10), now) == now + timedelta(
            seconds=seconds
        )
        assert told.waits_until("another", timedelta(seconds=10), now) is None
    assert Told("ours", "x", 0, now.isoformat()).waits_until("ours", timedelta(1), now) is None

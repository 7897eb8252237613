"""`abalone demo`: the whole way, twice, and what it says when something is missing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.instance import driver_lock, home_environment
from abalone_assets.lake import Lake
from abalone_assets.sample_data import surveys
from abalone_assets_tests.cli.support import (
    abalone,
    abalone_process,
    environment,
    processes_of,
)
from abalone_assets_tests.serving.support import wait_until

if TYPE_CHECKING:
    from pathlib import Path

CLOSED_PORT = "https://127.0.0.1:9/abalone.zip"


def demo(home: Path, **variables: str) -> tuple[dict[str, Any], str]:
    """The report of a demo, and what it said on the way."""
    result = abalone_process(["demo", "--home", home, "--json"], environment(home, **variables))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def test_the_demo_releases_a_model_and_a_second_one_finds_nothing_new(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first, said = demo(home)
    assert first["new_files"] == len(surveys()) == 6
    assert first["runs"]["release"] == 1
    assert first["version"] == 1
    assert 1 < first["rings"] < 30
    assert first["rmse"]["model"] <= first["rmse"]["limit"]
    merged = first["merged"]
    splits = sum(merged[f"{name}_split"] for name in ("train", "validation", "test"))
    assert splits == merged["merged_dataset"]
    rows_in = first["surveys"]["rows"] + first["surveys"]["base_rows"]
    assert rows_in == merged["merged_dataset"] + merged["repeats"]
    assert "release: trained_model" in said
    assert " - DEBUG - " not in said
    assert " - INFO - " not in said
    assert processes_of(home) == [], "the server that it started is stopped"

    second, said = demo(home)
    assert second["new_files"] == 0
    assert not any(second["runs"].values())
    assert "nothing to land" in said
    own = {"new_files", "runs"}
    assert {name: second[name] for name in second.keys() - own} == {
        name: first[name] for name in first.keys() - own
    }
    text = abalone_process(["demo", "--home", home], environment(home)).stdout
    assert f"nothing new since {first['released_at']}" in text
    assert f"RMSE         {first['rmse']['model']:.3f} rings" in text


def test_a_refused_network_is_one_line_and_the_bundled_survey_is_used(tmp_path: Path) -> None:
    home = tmp_path / "home"
    report, said = demo(home, ABALONE_RAW_URI=CLOSED_PORT, ABALONE_RAW_FALLBACK="true")
    assert report["version"] == 1
    assert [line for line in said.splitlines() if "the network refused" in line] == [
        line for line in said.splitlines() if line.endswith("base survey instead")
    ]
    assert said.count("the network refused") == 1
    assert "the network refused" in report["note"]


def test_a_run_that_fails_is_one_error_with_its_reason(tmp_path: Path) -> None:
    home = tmp_path / "home"
    missing = str(tmp_path / "nowhere.csv")
    result = abalone_process(["demo", "--home", home], environment(home, ABALONE_RAW_URI=missing))
    assert result.returncode == 1
    assert "raw_abalone failed" in result.stdout
    error = result.stderr.splitlines()
    assert len(error) == 1, result.stderr
    assert "nowhere.csv: cannot read the base survey" in error[0]
    assert processes_of(home) == []


def test_ctrl_c_stops_the_demo_and_its_server(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with subprocess.Popen(
        [sys.executable, "-m", "abalone_assets.cli", "demo", "--home", home],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "ingest_surveys" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    wait_until(lambda: processes_of(home) == [])


def test_the_demo_waits_for_a_running_dev_instead_of_driving(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from abalone_assets.cli import demo as command

    monkeypatch.setattr(sys.modules[command.callback.__module__], "FOLLOW_SECONDS", 0.0)
    with home_environment(home) as settings, driver_lock(settings):
        result = abalone("demo")
    assert result.exit_code == 1
    assert "`abalone dev` runs on this home" in result.stdout
    assert "has not released the surveys" in result.stderr
    assert Lake(settings.lake_uri).release() is None


def test_the_demo_refuses_a_shared_lake(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    for zone in ("LAKE", "LANDING_ZONE", "REGISTRY"):
        monkeypatch.setenv(f"ABALONE_{zone}_URI", "s3://bucket/prefix")
    result = abalone("demo")
    assert result.exit_code == 1
    assert "unset ABALONE_PROFILE" in result.stderr

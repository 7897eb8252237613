"""`abalone demo`: the whole way, twice, and what it says when something goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.cli.typed import Typed
from abalone_assets.local.instance import home_environment
from abalone_assets.sample_data import surveys
from abalone_assets_tests.cli.support import (
    abalone,
    abalone_process,
    environment,
    processes_of,
)
from abalone_assets_tests.serving.support import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.testing import Result

CLOSED_PORT = "https://127.0.0.1:9/abalone.zip"


def test_the_demo_releases_a_model_and_a_second_one_finds_nothing_new(tmp_path: Path) -> None:
    home = tmp_path / "home"
    refused = environment(home, ABALONE_RAW_URI=CLOSED_PORT, ABALONE_RAW_FALLBACK="true")
    result = abalone_process(["demo", "--home", home, "--json"], refused)
    assert result.returncode == 0, result.stderr
    first = json.loads(result.stdout)
    assert first["new_files"] == len(surveys()) == 6
    assert first["runs"]["release"] == 1
    assert first["version"] == 1
    assert 1 < first["rings"] < 30
    assert first["rmse"]["model"] <= first["rmse"]["limit"]
    _check_conservation(first)
    _check_progress(result.stderr)
    assert processes_of(home) == [], "the server that it started is stopped"

    text = abalone_in(refused, "demo", "--home", home).stdout
    assert "nothing to land" in text
    assert f"nothing new since {first['released_at']}" in text
    assert f"{first['rmse']['model']:.3f} rings" in text
    low, high = first["interval"]
    assert low < first["rings"] < high
    shown = f"{first['rings']:.1f} rings ({low:.1f} to {high:.1f} in 9 of 10 animals)"
    assert f"{shown}, so {first['age_years']:.1f} years old" in text
    page = Path(first["report"]).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "training rows and all 248 test rows are example data" in page
    assert "release: " not in text
    assert "the network refused" not in text
    with pytest.MonkeyPatch.context() as patches:
        patches.delenv("MAKELEVEL", raising=False)
        typed = Typed.on(home)
    serve = typed.command("serve")
    assert f"version 1 is deployed; `{typed.dev}` or `{serve}`" in " ".join(text.split())
    _check_command(text.partition("Next: `")[2].partition("`")[0])
    _check_link(home)


def _check_command(shown: str) -> None:
    """What the last line proposes works as typed, in a shell that has no `abalone` on its path."""
    done = subprocess.run(
        shown, shell=True, env={"PATH": os.defpath}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (shown, done.stderr)
    assert "version 1" in done.stdout


def _check_link(home: Path) -> None:
    """The demo's server has ended; the link on `endpoint` is that of the next one."""
    with home_environment(home), dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("endpoint"))
    assert event is not None
    assert event.asset_materialization is not None
    url = event.asset_materialization.metadata["url"].value
    assert url == "http://127.0.0.1:8080/endpoints/abalone"


def _check_conservation(report: dict[str, Any]) -> None:
    merged, landed = report["merged"], report["surveys"]
    splits = sum(merged[f"{name}_split"] for name in ("train", "validation", "test"))
    assert splits == merged["merged_dataset"]
    assert landed["rows"] + landed["base_rows"] == merged["merged_dataset"] + merged["repeats"]


def _check_progress(said: str) -> None:
    """Each step has a line, the refused network exactly one, and Dagster's log none."""
    assert "release: trained_model" in said
    assert said.count("the network refused") == 1
    assert "used the bundled simulated base survey instead" in said
    for level in ("DEBUG", "INFO", "WARNING"):
        assert f" - {level} - " not in said


def abalone_in(env: Mapping[str, str], *arguments: str | Path) -> Result:
    """Run a command in this process, but in an environment of its own."""
    with pytest.MonkeyPatch.context() as patches:
        for name in [*os.environ]:
            if name.startswith(("ABALONE_", "DAGSTER_")):
                patches.delenv(name)
        for name, value in env.items():
            patches.setenv(name, value)
        return abalone(*arguments)


def test_a_run_that_fails_is_one_error_with_its_reason(tmp_path: Path) -> None:
    home = tmp_path / "home"
    missing = str(tmp_path / "nowhere.csv")
    result = abalone_in(environment(home, ABALONE_RAW_URI=missing), "demo", "--home", home)
    assert result.exit_code == 1
    assert "raw_abalone failed" in result.stdout
    assert result.stderr.count("\n") == 1, result.stderr
    assert "nowhere.csv: cannot read the base survey" in result.stderr
    assert f"start it with `{Typed.on(home).dev}`" in result.stderr
    assert processes_of(home) == []


def test_a_rejected_model_is_told_so_and_status_proposes_no_question(tmp_path: Path) -> None:
    home = tmp_path / "home"
    strict = environment(home, ABALONE_GATE_MAX_RMSE="0.1")
    result = abalone_in(strict, "demo")
    assert result.exit_code == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if "approved_model" in line)
    assert "✓" not in line
    assert "Rejected" in line
    before = sorted(home.rglob("*"))
    status = abalone_in(strict, "status").stdout
    assert "Next: no model was good enough so far (Rejected" in status
    assert "abalone predict" not in status
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_demo_and_its_server_in_one_line(
    tmp_path: Path, number: signal.Signals
) -> None:
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
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted; run it again to go on\n")
    wait_until(lambda: processes_of(home) == [])

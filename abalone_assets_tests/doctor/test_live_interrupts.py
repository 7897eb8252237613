"""`abalone doctor --live` cut short, by Ctrl-C, a stop or a kill: nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster._utils.interrupts import capture_interrupts

from abalone_assets.doctor.finding import TroubleError
from abalone_assets.doctor.live.account import MARKER, Account
from abalone_assets.doctor.live.dagster_run import in_a_run
from abalone_assets.doctor.live.interrupts import InterruptedTrialError, Interrupts
from abalone_assets.doctor.live.proof import Proof
from abalone_assets.settings.aws import load_aws_settings
from abalone_assets_tests.doctor.live import STEPS, keys, left, live
from abalone_assets_tests.doctor.quick import at_call, quick_jobs, signal_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn

JOB_SECONDS = 3.0
"""A job's instance takes so long to start: its script never runs where it is stopped before."""

STOPS = {
    "prepare": "BatchStopJobRun",
    "train": "StopTrainingJob",
    "evaluate": "StopProcessingJob",
}
PROOF_STEPS = {
    "data": "data",
    "preparation": "Glue job",
    "training": "training job",
    "evaluation": "processing job",
    "package": "model package",
    "creation": "endpoint created",
    "good_row": "good row",
    "bad_row": "bad row",
    "update": "endpoint updated",
}


def test_every_step_can_be_interrupted() -> None:
    assert [*STEPS[:2], *PROOF_STEPS.values(), STEPS[-1]] == STEPS


@pytest.mark.parametrize("method", PROOF_STEPS)
def test_ctrl_c_at_the_end_of_any_step_leaves_nothing(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    before = keys(proved)
    quick_jobs(monkeypatch)
    step = getattr(Proof, method)

    def interrupted(proof: Proof) -> str:
        with suppress(TroubleError):
            step(proof)
        raise KeyboardInterrupt

    monkeypatch.setattr(Proof, method, interrupted)
    result = live("--yes")
    assert result.exit_code == 130
    assert result.document["live"]["interrupted"]
    assert result.failed["subject"] == PROOF_STEPS[method]
    assert result.failed["found"] == "interrupted"
    assert result.outcomes["clean-up"] == "ok"
    assert left(proved) == []
    assert keys(proved) == before


@pytest.mark.parametrize(
    ("operation", "real", "step"),
    [
        ("ListEndpoints", "", "earlier trials"),
        ("StartJobRun", "prepare", "Glue job"),
        ("GetJobRun", "prepare", "Glue job"),
        ("CreateTrainingJob", "train", "training job"),
        ("DescribeProcessingJob", "evaluate", "processing job"),
        ("CreateModelPackageGroup", "", "model package"),
        ("CreateModelPackage", "", "model package"),
        ("CreateModel", "", "endpoint created"),
        ("CreateEndpoint", "", "endpoint created"),
        ("InvokeEndpoint", "", "endpoint created"),
        ("UpdateEndpoint", "", "endpoint updated"),
    ],
)
def test_ctrl_c_during_a_call_stops_what_was_begun(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch, operation: str, real: str, step: str
) -> None:
    before = keys(proved)
    quick_jobs(monkeypatch, but=real)
    proved.faults.job_seconds = JOB_SECONDS
    number = 2 if operation == "DescribeProcessingJob" else 1  # the first finds no such job
    signal_at(proved, operation, signal.SIGINT, number=number)
    result = live("--yes")
    assert result.exit_code == 130
    assert result.failed["subject"] == step
    assert result.outcomes.get("clean-up", "ok") == "ok"
    assert left(proved) == []
    assert keys(proved) == before
    stops = {
        "prepare": "BatchStopJobRun",
        "train": "StopTrainingJob",
        "evaluate": "StopProcessingJob",
    }
    if real:
        assert stops[real] in {call.operation for call in proved.calls}


def test_a_signal_that_dagster_holds_back_and_forgets_counts() -> None:
    def work(_: dg.AssetExecutionContext) -> None:
        with capture_interrupts():
            signal.raise_signal(signal.SIGTERM)

    with Interrupts(pytest.fail), pytest.raises(InterruptedTrialError) as interrupt:
        in_a_run("held_back", work, pytest.fail)
    assert interrupt.value.number == signal.SIGTERM


def test_a_signal_during_the_clean_up_waits(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_jobs(monkeypatch)
    signal_at(proved, "DeleteEndpoint", signal.SIGINT)
    result = live("--yes")
    assert result.exit_code == 0
    assert "cleaning up, please wait" in result.said
    assert left(proved) == []


class Running:
    """The command as a process of its own, with quick jobs but for real ones."""

    def __init__(self, aws: AwsStandIn, home: Path, *arguments: str, quick: bool = True) -> None:
        program = "abalone_assets_tests.doctor.quick" if quick else "abalone_assets.cli"
        command = [sys.executable, "-m", program, "doctor", "--live", "--yes", "--json"]
        self._aws = aws
        with _no_nohup():
            self.process = subprocess.Popen(
                [*command, *arguments],
                env={**os.environ, **aws.environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def at(self, operation: str, number: int) -> None:
        """Have it get a signal while it waits for the answer to an operation."""
        signal_at(self._aws, operation, number, pid=self.process.pid)

    def end(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=120)
        return self.process.returncode, out


@contextmanager
def _no_nohup() -> Iterator[None]:
    """Start processes that a closed terminal ends, though ``nohup`` may have started the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("operation", "quick", "number"),
    [
        ("StartJobRun", False, signal.SIGINT),
        ("CreateEndpoint", True, signal.SIGTERM),
        ("UpdateEndpoint", True, signal.SIGHUP),
    ],
)
def test_a_process_that_gets_a_signal_cleans_up_and_ends(
    proved: AwsStandIn, home: Path, operation: str, *, quick: bool, number: signal.Signals
) -> None:
    before = keys(proved)
    proved.faults.job_seconds = JOB_SECONDS
    proved.faults.endpoint_seconds = 1.0
    running = Running(proved, home, quick=quick)
    running.at(operation, number)
    code, out = running.end()
    assert code == 128 + number
    document = json.loads(out)
    assert document["live"]["interrupted"]
    assert document["findings"][-1]["outcome"] == "ok"
    assert left(proved) == []
    assert keys(proved) == before


@pytest.mark.parametrize(
    ("operation", "quick", "next_run"),
    [("StartJobRun", False, "--clean-up"), ("CreateEndpoint", True, "--yes")],
)
def test_what_a_killed_process_left_is_removed_by_the_next(
    proved: AwsStandIn,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    *,
    quick: bool,
    next_run: str,
) -> None:
    before = keys(proved)
    proved.faults.job_seconds = JOB_SECONDS
    proved.faults.endpoint_seconds = 1.0
    running = Running(proved, home, quick=quick)
    running.at(operation, signal.SIGKILL)
    assert running.end()[0] == -signal.SIGKILL
    assert left(proved)
    quick_jobs(monkeypatch)
    result = live(next_run)
    assert result.exit_code == 0, result.said
    assert "removed abalone-doctor-" in result.finding("earlier trials")["found"]
    assert left(proved) == []
    assert keys(proved) == before


def test_a_trial_that_somebody_is_making_is_left_alone(
    proved: AwsStandIn, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a process of this machine that lives, and by another machine until its time is over."""
    quick_jobs(monkeypatch)
    account = Account.of(load_aws_settings())
    here, elsewhere, long_ago = (account.new_trial() for _ in range(3))
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with pytest.MonkeyPatch.context() as patches:
            patches.setattr("os.getpid", lambda: sleeper.pid)
            here.begin()
        _begin_elsewhere(elsewhere, until="2999-01-01T00:00:00+00:00")
        _begin_elsewhere(long_ago, until="2026-01-01T00:00:00+00:00")
        said = live("--yes").finding("earlier trials")["found"]
    finally:
        sleeper.kill()
        sleeper.wait()
    assert said.startswith(f"removed {long_ago.name}; ")
    assert f"{here.name} is left to process {sleeper.pid} on" in said
    assert f"{elsewhere.name} is left to process 1 on another.example" in said
    assert {key.split("/")[2] for key in left(proved)} == {here.name, elsewhere.name}

    assert live("--clean-up").exit_code == 0
    assert left(proved) == []


def _begin_elsewhere(trial: Any, *, until: str) -> None:
    marker = {"host": "another.example", "pid": 1, "process_started": 1.0, "started_at": "then"}
    trial.store.write_json(MARKER, {**marker, "until": until})


def test_what_the_endpoint_wrote_after_its_end_is_removed_too(proved: AwsStandIn) -> None:
    account = Account.of(load_aws_settings())
    captured, logged = account.new_trial(), account.new_trial()
    key = f"captured_requests/{captured.name}/AllTraffic/late.jsonl"
    proved.s3.put_object(Bucket=proved.bucket, Key=key, Body=b"{}")
    for name in logged.log_groups:
        proved.client("logs").create_log_group(logGroupName=name)
    found = live("--clean-up").finding("earlier trials")["found"]
    assert captured.name in found
    assert logged.name in found
    assert left(proved) == []


def test_names_like_a_trials_are_not_taken_for_one(proved: AwsStandIn) -> None:
    account = Account.of(load_aws_settings())
    trial = account.new_trial()
    assert len(trial.name) <= 32
    assert account.trial_of(trial.name) == trial.name
    assert account.trial_of(f"{trial.name}-v000001-0a1b2c3d") == trial.name
    assert account.trial_of(f"{trial.name}-candidate") == trial.name
    for other in ("abalone", "abalone-doctor", f"{account.prefix}mine", f"{trial.name}-mine"):
        assert account.trial_of(other) is None
    assert account.trial_of("abalone-doctor-000000-0123abcd") is None  # another deployment's


def test_a_deployment_keeps_its_own_when_the_doctor_cleans_up(proved: AwsStandIn) -> None:
    sagemaker = proved.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="abalone-doctor")
    at_call(proved, "DeleteModelPackageGroup", lambda: pytest.fail("deletes what is not its own"))
    assert live("--clean-up").exit_code == 0
    groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert {each["ModelPackageGroupName"] for each in groups} == {"abalone", "abalone-doctor"}

"""A terminated run stops its job."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import dagster as dg
import pytest

from abalone_assets.pipes import PipesJobError, _follow
from abalone_assets.pipes.glue import GlueJobRun
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.pipes.lab import REPORT, STUCK, Lab, asset_of, create_run


class Meddler:
    """A boto3 client that lets something happen around one of its operations.

    Args:
        client: The client.
        operation: Its method.
        error: Raised when the operation is done.
        instead: Raise it instead of doing the operation.
    """

    def __init__(
        self,
        client: Any,
        operation: str,
        error: type[BaseException] = dg.DagsterExecutionInterruptedError,
        *,
        instead: bool = False,
    ) -> None:
        self._client = client
        self._operation = operation
        self._error = error
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        if name != self._operation:
            return getattr(self._client, name)

        def meddle(*arguments: Any, **request: Any) -> None:
            if not self._instead:
                getattr(self._client, name)(*arguments, **request)
            raise self._error

        return meddle


class StopsNothing:
    """A Glue client whose stops answer with success, and with errors inside."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_stop_job_run(self, **_: Any) -> dict[str, Any]:
        detail = {"ErrorCode": "OperationTimeoutException", "ErrorMessage": "it took too long"}
        return {"Errors": [{"ErrorDetail": detail}]}


class Nothing:
    """A paginator that finds nothing."""

    def paginate(self, **_: Any) -> list[Any]:
        return []


def interrupted(lab: Lab, kind: str, *signals: str) -> list[str]:
    """The log of a run that is terminated at each of these words in its log."""
    asset = asset_of(lab.ask(kind, STUCK, pipes=False))
    run = create_run(lab.instance, asset)

    def interrupt() -> None:
        for words in signals:
            lab.wait_for_line(run, words)
            lab.instance.report_run_canceling(lab.run(run.run_id))  # as the UI does first
            os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(interrupt)
        assert lab.execute(asset, run=run).status is dg.DagsterRunStatus.CANCELED
    return lab.log(run.run_id)


@pytest.mark.parametrize("kind", ["training", "glue"])
def test_a_signal_stops_the_job_and_forgets_its_context(lab: Lab, kind: str) -> None:
    log = interrupted(lab, kind, "] begun")
    assert wait_for(lambda: "STOPPED" in str(lab.jobs(kind)).upper())
    assert any("[pipes] stopping " in line for line in log)
    assert not [key for key in lab.stored() if "context" in key]


def test_a_second_signal_does_not_hinder_the_stop(lab: Lab) -> None:
    lab.aws.faults.throttle("StopTrainingJob", times=2)
    lab.options["client"] = lab.aws.client("sagemaker")  # does not try again by itself
    interrupted(lab, "training", "] begun", "StopTrainingJob failed: Rate exceeded")
    assert wait_for(lambda: "Stopped" in lab.jobs("training").values())


def test_a_job_that_cannot_be_stopped_is_named(lab: Lab) -> None:
    lab.aws.faults.deny("StopTrainingJob")
    log = "\n".join(interrupted(lab, "training", "] begun"))
    [name] = lab.jobs("training")
    assert f"{name} could not be stopped and may go on and cost money" in log
    assert f"sagemaker/home?region=us-east-1#/jobs/{name}" in log


def test_a_glue_run_that_has_ended_needs_no_stop(lab: Lab) -> None:
    lab.aws.faults.fail_next_job("no such script")
    result = lab.materialize(lab.ask("glue", REPORT))
    [name] = lab.jobs("glue")
    assert not result.success
    run = GlueJobRun(lab.aws.client("glue"), {"JobName": "etl"}, max_runtime_seconds=60)
    run.take(name, 1, run.find(name))
    run.stop()


def test_a_glue_run_that_cannot_be_stopped_says_why(lab: Lab) -> None:
    lab.aws.faults.job_seconds = 100.0
    glue = lab.aws.client("glue")
    given = lab.arguments("glue", STUCK, pipes=False)["start_job_run_params"]
    run = GlueJobRun(StopsNothing(glue), given, max_runtime_seconds=60)
    run.take("etl-1", 1, {"Id": glue.start_job_run(**given)["JobRunId"]})
    with pytest.raises(PipesJobError, match=r"it took too long \(OperationTimeoutException\)"):
        run.stop()


def test_a_job_goes_on_when_termination_is_not_forwarded(lab: Lab) -> None:
    lab.options["forward_termination"] = False
    interrupted(lab, "training", "] begun")
    assert list(lab.jobs("training").values()) == ["InProgress"]


@pytest.mark.parametrize(
    ("kind", "operation"),
    [("training", "create_training_job"), ("glue", "start_job_run")],
)
def test_an_interrupt_during_the_start_stops_what_was_started(
    lab: Lab, kind: str, operation: str
) -> None:
    service = "glue" if kind == "glue" else "sagemaker"
    lab.options["client"] = Meddler(lab.aws.client(service), operation)
    assert not lab.execute(asset_of(lab.ask(kind, STUCK, pipes=False))).is_success
    assert wait_for(lambda: "STOPPED" in str(lab.jobs(kind)).upper())


def test_a_job_that_is_seen_late_only_is_stopped_all_the_same(lab: Lab) -> None:
    glue = Meddler(lab.aws.client("glue"), "start_job_run")
    looks: list[int] = []

    def see_late(operation: str) -> Any:
        looks.append(1)  # one before the start; then nothing, a busy Glue, and the run
        if len(looks) == 3:
            lab.aws.faults.throttle("GetJobRuns")
        return glue._client.get_paginator(operation) if len(looks) > 2 else Nothing()

    glue.get_paginator = see_late  # type: ignore[attr-defined]  # instead of the client's
    lab.options["client"] = glue
    lab.execute(asset_of(lab.ask("glue", STUCK, pipes=False)))
    assert wait_for(lambda: list(lab.jobs("glue").values()) == ["STOPPED"])


def test_an_interrupt_before_the_start_leaves_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_follow, "_ACKNOWLEDGE_SECONDS", 0.5)
    sagemaker = lab.aws.client("sagemaker")
    lab.options["client"] = Meddler(sagemaker, "create_training_job", instead=True)
    run = lab.execute(asset_of(lab.ask("training", STUCK, pipes=False)))
    assert not [line for line in lab.log(run.run_id) if "could not be stopped" in line]
    assert lab.stored() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, SystemExit])
def test_whatever_ends_the_process_stops_the_job(lab: Lab, error: type[BaseException]) -> None:
    lab.options["logs_client"] = Meddler(lab.aws.client("logs"), "get_paginator", error)
    with suppress(error):
        lab.execute(asset_of(lab.ask("training", STUCK, pipes=False)))
    assert wait_for(lambda: "Stopped" in lab.jobs("training").values())

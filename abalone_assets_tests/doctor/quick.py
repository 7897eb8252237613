"""Jobs that take no time, for trials of which something else is tested; and signals at a call.

As a program, ``python -m abalone_assets_tests.doctor.quick``, it is `abalone` with such jobs.
"""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from abalone_assets.etl import polars_engine
from abalone_assets.resources.aws.ml_platform import SageMakerPlatform
from abalone_assets.resources.etl_engine import GlueEngine
from abalone_assets.resources.jobs import JobReport
from abalone_assets.resources.ml_platform import EvaluationReport, TrainingReport
from abalone_assets.storage.object_store import locate
from abalone_assets_tests.serving.sagemaker.hosting import CARD, LINE, constant_archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.etl.request import PrepareReport, PrepareRequest
    from abalone_assets.resources.ml_platform import EvaluationRequest, TrainingRequest
    from abalone_assets_tests.fakes.calls import Call
    from abalone_assets_tests.fakes.standin import AwsStandIn

RINGS = 9.5
JOB = JobReport(1.0, "nowhere")


def prepare(_: GlueEngine, request: PrepareRequest, __: object) -> tuple[PrepareReport, JobReport]:
    return polars_engine.prepare(request), JOB


def train(_: SageMakerPlatform, request: TrainingRequest, __: object) -> TrainingReport:
    uri = f"{request.output_uri}/quick/output/model.tar.gz"
    store, key = locate(uri)
    store.write(key, constant_archive(RINGS))
    return TrainingReport(uri, replace(CARD, model_sha256="of the quick one"), JOB)


def evaluate(_: SageMakerPlatform, request: EvaluationRequest, __: object) -> EvaluationReport:
    evaluation = {"rmse": 2.0, "mae": 1.5, "rows": 30, "model_sha256": request.model_sha256}
    return EvaluationReport(evaluation, {}, b"", [(LINE, RINGS)], JOB)


def quick_jobs(patches: pytest.MonkeyPatch, *, but: str = "") -> None:
    """Replace the jobs of releases, but for one of ``prepare``, ``train`` and ``evaluate``."""
    for owner, work in (
        (GlueEngine, prepare),
        (SageMakerPlatform, train),
        (SageMakerPlatform, evaluate),
    ):
        if work.__name__ != but:
            patches.setattr(owner, work.__name__, work)


def at_call(aws: AwsStandIn, operation: str, do: Callable[[], None], *, number: int = 1) -> None:
    """Do something when an operation is called for that many times, before it is answered."""
    check, lock, seen = aws.faults.check, threading.Lock(), 0

    def checked(call: Call) -> None:
        nonlocal seen
        with lock:
            seen += call.operation == operation
            is_now = call.operation == operation and seen == number
        if is_now:
            do()
        check(call)

    aws.faults.check = checked  # type: ignore[method-assign]  # one stand-in's own


def signal_at(
    aws: AwsStandIn, operation: str, signal_number: int, *, pid: int = 0, number: int = 1
) -> None:
    """Send a signal, by default to this process, when an operation is called."""
    at_call(aws, operation, lambda: os.kill(pid or os.getpid(), signal_number), number=number)


def main() -> None:
    from abalone_assets.cli import main as abalone

    quick_jobs(pytest.MonkeyPatch())
    abalone()


if __name__ == "__main__":
    main()

"""What a trial costs, at most and as a rule: said before anything is started.

Every part is bounded by a longest run time, which AWS or the doctor keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.clients import MAX_ATTEMPTS
from abalone_assets.aws.prices import AS_OF, GLUE_PRICES, INSTANCE_PRICES, SERVERLESS_PRICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.settings.aws import AwsSettings

JOB_SECONDS: Final = 600
"""Longest run of each of the three jobs; their service stops what takes longer."""

DEPLOYMENT_SECONDS: Final = 900
"""After that SageMaker takes an update back."""

DELETION_SECONDS: Final = 2700.0
"""Longest wait for an endpoint to be gone, a deployment's end included."""

SETTLING_SECONDS: Final = DEPLOYMENT_SECONDS + 1800
"""Longest wait for the end of a deployment, its roll-back included."""

DPUS: Final[Mapping[str, float]] = {
    "G.025X": 0.25,
    "G.1X": 1,
    "G.2X": 2,
    "G.4X": 4,
    "G.8X": 8,
    "Standard": 1,
}
"""Data processing units of a Glue worker."""

REQUESTS: Final = 5
"""Questions to the endpoint: probes of two deployments and a candidate, a good and a bad row."""

ANSWER_SECONDS: Final = 60
"""A serverless endpoint works no longer on a question."""

_HOUR: Final = 3600
_USUAL_ANSWER: Final = 1
_USUAL_JOB: Final = 150
_USUAL_ENDPOINT: Final = 1200
_USUAL_SECOND_FLEET: Final = 480


@dataclass(frozen=True)
class Cost:
    """One thing that is paid by the time.

    Attributes:
        what: Such as ``training: 1 x ml.m5.large``.
        hourly: USD an hour; None when the price is not known.
        longest: Seconds after which it has ended.
        usual: Seconds that it takes as a rule.
    """

    what: str
    hourly: float | None
    longest: float
    usual: float

    @property
    def bound(self) -> float | None:
        """USD at most; None when the price is not known."""
        return None if self.hourly is None else self.hourly * self.longest / _HOUR

    @property
    def expected(self) -> float | None:
        """USD as a rule; None when the price is not known."""
        return None if self.hourly is None else self.hourly * self.usual / _HOUR

    def __str__(self) -> str:
        if self.bound is None or self.expected is None:
            return f"{self.what}: price not known, at most {self.longest / 60:.0f} min"
        return (
            f"{self.what}: at most {self.longest / 60:.0f} min, USD {self.bound:.3f}"
            f" (as a rule {self.usual / 60:.0f} min, USD {self.expected:.3f})"
        )


def costs(aws: AwsSettings, glue_job: Mapping[str, Any]) -> list[Cost]:
    """What a trial pays for.

    Args:
        aws: The settings.
        glue_job: The Glue job as Glue describes it.
    """
    serverless = aws.endpoint_mode == "serverless"
    return [
        _glue(glue_job),
        _job("training", aws.training_instance_type),
        _job("processing", aws.processing_instance_type),
        *(_work(aws.serverless_memory_mb) if serverless else _fleets(aws.endpoint_instance_type)),
    ]


def total(parts: Sequence[Cost]) -> tuple[float, float, list[str]]:
    """The sum of the bounds, that of the usual costs, and what has no known price."""
    known = [(part.bound, part.expected) for part in parts]
    bound = sum(each for each, _ in known if each is not None)
    expected = sum(each for _, each in known if each is not None)
    return bound, expected, [part.what for part in parts if part.bound is None]


def statement(parts: Sequence[Cost]) -> list[str]:
    """The costs in lines, the sum last."""
    bound, expected, unknown = total(parts)
    beside = f", and what these cost: {'; '.join(unknown)}" if unknown else ""
    return [
        *map(str, parts),
        "requests, logs and storage: less than USD 0.01",
        f"altogether at most USD {bound + 0.01:.2f}, as a rule {expected + 0.01:.2f}{beside}",
        f"(list prices of us-east-1, {AS_OF:%d %B %Y})",
    ]


def _fleets(instance_type: str) -> list[Cost]:
    """Of an endpoint with one instance, which scaling may not add to."""
    hourly = INSTANCE_PRICES.get(instance_type)
    longest = 2 * SETTLING_SECONDS + DELETION_SECONDS
    return [
        Cost(f"endpoint: 1 x {instance_type}", hourly, longest, _USUAL_ENDPOINT),
        Cost(
            f"its update, a second fleet of 1 x {instance_type}",
            hourly,
            SETTLING_SECONDS,
            _USUAL_SECOND_FLEET,
        ),
    ]


def _work(memory_mb: int) -> list[Cost]:
    """Of a serverless endpoint, which costs while it works on questions, each tried again."""
    second = SERVERLESS_PRICES.get(memory_mb)
    return [
        Cost(
            f"endpoint: {REQUESTS} questions, serverless with {memory_mb} MB",
            None if second is None else second * _HOUR,
            REQUESTS * MAX_ATTEMPTS * ANSWER_SECONDS,
            REQUESTS * _USUAL_ANSWER,
        )
    ]


def _job(what: str, instance_type: str) -> Cost:
    hourly = INSTANCE_PRICES.get(instance_type)
    return Cost(f"{what}: 1 x {instance_type}", hourly, JOB_SECONDS, _USUAL_JOB)


def _glue(job: Mapping[str, Any]) -> Cost:
    kind, workers = str(job.get("WorkerType", "")), int(job.get("NumberOfWorkers") or 0)
    each = DPUS.get(kind)
    dpus = workers * each if each and workers else float(job.get("MaxCapacity") or 0)
    hourly = dpus * GLUE_PRICES["DPU"] if dpus else None
    units = f"{workers} x {kind}" if workers else f"{dpus:g} DPU"
    return Cost(f"preparation on Glue: {units}", hourly, JOB_SECONDS, _USUAL_JOB)

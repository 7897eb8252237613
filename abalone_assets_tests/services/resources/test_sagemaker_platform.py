"""The SageMaker platform beside the local one, on the same splits in S3, with jobs that run."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import dagster as dg
import pytest

from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import Framework
from abalone_assets.pipes import PipesJobError
from abalone_assets.resources.aws.ml_platform import SageMakerPlatform
from abalone_assets.resources.ml_platform import (
    EvaluationReport,
    EvaluationRequest,
    LocalMLPlatform,
    MLPlatform,
    TrainingReport,
    TrainingRequest,
)
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.fakes.standin import AwsStandIn
from abalone_assets_tests.resources.splits import SPLITS, evaluation_request, lake_with_splits

QUICK: dict[Framework, dict[str, Any]] = {
    "blend": {"num_boost_round": 12, "eta": 0.3, "max_depth": 3, "landmarks": 50, "folds": 2},
    "tensorflow": {"epochs": 2, "batch_size": 64},
}


@pytest.fixture
def lake(aws: AwsStandIn) -> ObjectStore:
    store = lake_with_splits(f"s3://{aws.bucket}/lake", 400, 100, 50)
    for name in SPLITS:
        store.write(f"{name}_split/more.parquet", b"what a killed run left, read by nobody")
    return store


def platform_on(aws: AwsStandIn, **changed: Any) -> SageMakerPlatform:
    chosen: dict[str, Any] = {
        "jobs_uri": f"s3://{aws.bucket}/jobs",
        "role_arn": aws.role_arn,
        "training_instance_type": "ml.m5.large",
        "processing_instance_type": "ml.m5.large",
        "spot": False,
        "max_runtime_seconds": 600,
        "poll_seconds": 0.3,
        "images": {},
    }
    return SageMakerPlatform(**{**chosen, **changed})


@dataclass(frozen=True)
class Made:
    """What a platform made."""

    training: TrainingReport
    evaluation: EvaluationReport


def make(
    platform: MLPlatform, lake: ObjectStore, framework: Framework = "blend", **changed: Any
) -> Made:
    """Train and evaluate in a step of a run, as the assets do."""
    made: list[Made] = []
    request = TrainingRequest(
        channels={
            name: lake.uri_of(f"{name}_split/data.parquet") for name in ("train", "validation")
        },
        output_uri=lake.uri_of("trained_model"),
        hyperparameters={**QUICK[framework], **changed},
        framework=framework,
        inputs="digest",
    )

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        training = platform.train(request, context)
        uri, alone = training.model_uri, evaluation_request(lake, training)
        evaluation = replace(
            alone,
            folders={**alone.folders, "champion": uri, "reference": uri},
            options={
                "champion-version": 7,
                "reference-version": 5,
                "champion-tolerance": 0.02,
                "missing-rows": 0,
                "foreign-rows": 0,
            },
        )
        evaluated = platform.evaluate(evaluation, context)
        kept = json.loads(json.dumps(asdict(evaluation)))
        made.append(
            Made(
                training, platform.report(EvaluationRequest(**kept), evaluated.evaluation, context)
            )
        )
        assert made[0].evaluation.probes == evaluated.probes
        assert made[0].evaluation.evaluation["rmse"] == evaluated.evaluation["rmse"]
        return dg.MaterializeResult()

    dg.materialize([model])
    return made[0]


@pytest.mark.parametrize(
    ("framework", "spot"), [("blend", True), ("tensorflow", False)], ids=["blend", "tensorflow"]
)
def test_jobs_make_what_the_local_platform_makes(
    aws: AwsStandIn, lake: ObjectStore, framework: Framework, *, spot: bool
) -> None:
    there = make(platform_on(aws, spot=spot), lake, framework)
    here = make(LocalMLPlatform(), lake, framework)
    check_same(there, here)
    assert there.evaluation.evaluation["reference"]["version"] == "5"
    assert there.evaluation.plots.keys() == here.evaluation.plots.keys()
    assert there.evaluation.report.startswith(b"<!doctype html>")
    assert len(aws.client("sagemaker").list_processing_jobs()["ProcessingJobSummaries"]) == 1
    assert asdict(there.training.job).keys() == asdict(here.training.job).keys()
    assert there.training.job.estimated_cost_usd
    described = described_job(aws)
    image = described["AlgorithmSpecification"]["TrainingImage"].partition("/")[2]
    assert image.startswith(("sagemaker-xgboost", "tensorflow-training"))
    assert framework_named(framework).container in image
    if spot:
        check_spot(aws, described)
    else:
        assert "CheckpointConfig" not in described
        assert "MaxWaitTimeInSeconds" not in described["StoppingCondition"]


def check_same(there: Made, here: Made) -> None:
    """The models are the same, but for the last digits of the container's other NumPy."""
    assert there.evaluation.evaluation.keys() == here.evaluation.evaluation.keys()
    for score in ("rmse", "mae", "r2"):
        measured = here.evaluation.evaluation[score]
        assert there.evaluation.evaluation[score] == pytest.approx(measured, rel=1e-6)
    lines, rings = zip(*here.evaluation.probes, strict=True)
    answered = zip(*there.evaluation.probes, strict=True)
    assert [*answered] == [lines, pytest.approx(rings, abs=1e-4)]


def described_job(aws: AwsStandIn) -> dict[str, Any]:
    """The one training job, as SageMaker describes it."""
    sagemaker = aws.client("sagemaker")
    (job,) = sagemaker.list_training_jobs()["TrainingJobSummaries"]
    return dict(sagemaker.describe_training_job(TrainingJobName=job["TrainingJobName"]))


def check_spot(aws: AwsStandIn, described: dict[str, Any]) -> None:
    """A spot job says how long it waits, and shares no checkpoints."""
    assert described["EnableManagedSpotTraining"]
    assert described["StoppingCondition"]["MaxWaitTimeInSeconds"] == 1200
    identity = described["TrainingJobName"].rpartition("-")[0]
    place = f"s3://{aws.bucket}/jobs/pipes/{identity}/checkpoints"
    assert described["CheckpointConfig"]["S3Uri"] == place


def test_a_job_that_fails_says_the_scripts_own_reason(aws: AwsStandIn, lake: ObjectStore) -> None:
    with pytest.raises(PipesJobError, match=r"eta must be 0\.0001 to 1\.0, not 7\.0"):
        make(platform_on(aws), lake, eta=7.0)


def test_isolated_jobs_make_the_same_and_reach_nothing(aws: AwsStandIn, lake: ObjectStore) -> None:
    there = make(platform_on(aws, network_isolation=True), lake)
    here = make(LocalMLPlatform(), lake)

    check_same(there, here)
    assert {call.caller for call in aws.calls} == {"test"}


def test_an_isolated_job_that_fails_says_the_scripts_own_reason(
    aws: AwsStandIn, lake: ObjectStore
) -> None:
    with pytest.raises(PipesJobError, match=r"eta must be 0\.0001 to 1\.0, not 7\.0"):
        make(platform_on(aws, network_isolation=True), lake, eta=7.0)

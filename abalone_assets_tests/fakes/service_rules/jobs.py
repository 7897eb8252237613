"""What SageMaker refuses of training, processing and transform jobs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from abalone_assets_tests.fakes.jobs import check_lengths, check_name, check_tags
from abalone_assets_tests.fakes.service_rules.rule import invalid

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.service_rules.rule import Asked

TRAINING_ENVIRONMENT: Final = 512
PROCESSING_ENVIRONMENT: Final = 256
ARGUMENT: Final = 256
HYPERPARAMETER: Final = 2500
DEFAULT_PAYLOAD_MB: Final = 6
LARGEST_PAYLOAD_MB: Final = 100
_LOCAL_STORAGE: Final = re.compile(r"ml\.(m5d|c5d|r5d|g4dn|g5|g6|p4d|p5|trn1)\.")

ALGORITHMS: Final = frozenset(
    {
        "blazingtext", "factorization-machines", "forecasting-deepar", "image-classification",
        "ipinsights", "kmeans", "knn", "lda", "linear-learner", "ntm", "object-detection",
        "object2vec", "pca", "randomcutforest", "sagemaker-xgboost", "semantic-segmentation",
        "seq2seq", "xgboost",
    }
)  # fmt: skip
"""Repositories of SageMaker's own algorithms:
https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/sagemaker-algo-docker-registry-paths.html
"""


def metric_definitions(asked: Asked) -> None:
    """An image of SageMaker's own algorithms brings its metrics, in script mode too."""
    algorithm = asked.params["AlgorithmSpecification"]
    if algorithm.get("MetricDefinitions") and _repository(algorithm) in ALGORITHMS:
        raise invalid(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please "
            "retry the request without specifying metric definitions."
        )


def _repository(algorithm: dict[str, Any]) -> str:
    image = str(algorithm.get("TrainingImage", ""))
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def training_name(asked: Asked) -> None:
    """Also of a job that ended long ago."""
    check_name("Training", asked.params["TrainingJobName"], asked.sagemaker.training_jobs)


def processing_name(asked: Asked) -> None:
    """Also of a job that ended long ago."""
    check_name("Processing", asked.params["ProcessingJobName"], asked.sagemaker.processing_jobs)


def transform_name(asked: Asked) -> None:
    """Also of a job that ended long ago."""
    check_name("Transform", asked.params["TransformJobName"], asked.sagemaker.transform_jobs)


def training_lengths(asked: Asked) -> None:
    """Of environment and hyperparameters."""
    check_lengths("environment", asked.params.get("Environment") or {}, TRAINING_ENVIRONMENT)
    check_lengths("hyperParameters", asked.params.get("HyperParameters") or {}, HYPERPARAMETER)


def processing_lengths(asked: Asked) -> None:
    """Of environment and arguments."""
    check_lengths("environment", asked.params.get("Environment") or {}, PROCESSING_ENVIRONMENT)
    arguments = asked.params["AppSpecification"].get("ContainerArguments") or []
    numbered = {str(number): value for number, value in enumerate(arguments)}
    check_lengths("appSpecification.containerArguments", numbered, ARGUMENT)


def tags(asked: Asked) -> None:
    """Of anything that SageMaker makes."""
    check_tags(asked.params.get("Tags"))


def spot_wait(asked: Asked) -> None:
    """Spot capacity needs a longest wait, and nothing else takes one."""
    condition = asked.params["StoppingCondition"]
    wait, runtime = condition.get("MaxWaitTimeInSeconds"), condition.get("MaxRuntimeInSeconds", 0)
    spot = asked.params.get("EnableManagedSpotTraining", False)
    if spot != (wait is not None) or (spot and wait < runtime):
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
            "MaxRuntimeInSeconds for managed spot training, and absent without it"
        )


def spot_warm_pool(asked: Asked) -> None:
    """Spot capacity is not kept warm."""
    kept = asked.params["ResourceConfig"].get("KeepAlivePeriodInSeconds")
    if kept and asked.params.get("EnableManagedSpotTraining"):
        raise invalid("KeepAlivePeriodInSeconds is not supported for managed spot training")


def volume_key(asked: Asked) -> None:
    """Storage of an instance's own is encrypted by its hardware."""
    params = asked.params
    processing = (params.get("ProcessingResources") or {}).get("ClusterConfig")
    resources = params.get("ResourceConfig") or params.get("TransformResources") or processing
    uses = [resources] if resources else params["ProductionVariants"]
    key = resources.get("VolumeKmsKeyId") if resources else params.get("KmsKeyId")
    kinds = [use["InstanceType"] for use in uses if "InstanceType" in use]
    if key and (own := [kind for kind in kinds if _LOCAL_STORAGE.match(kind)]):
        raise invalid(f"A key of a volume cannot be used with local storage: {', '.join(own)}")


def transform_payload(asked: Asked) -> None:
    """What is in flight at once has a bound."""
    payload = asked.params.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB)
    if payload * asked.params.get("MaxConcurrentTransforms", 1) > LARGEST_PAYLOAD_MB:
        raise invalid("MaxConcurrentTransforms * MaxPayloadInMB must not exceed 100 MB")


def transform_strategy(asked: Asked) -> None:
    """Many records in a request need to be told apart."""
    split = asked.params["TransformInput"].get("SplitType", "None")
    if asked.params.get("BatchStrategy") == "MultiRecord" and split == "None":
        raise invalid("BatchStrategy MultiRecord needs a SplitType")

"""What SageMaker refuses of endpoints and jobs beyond the models of its API: rule, source, check.

The words of the refusals are ours where no source quotes SageMaker's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.sagemaker.exceptions import ValidationError

from abalone_assets_tests.fakes.places import ACCOUNT, REGION

_GUIDE: Final = "https://docs.aws.amazon.com/sagemaker/latest/dg"
_LOCAL_STORAGE: Final = re.compile(r"ml\.(m5d|c5d|r5d|g4dn|g5|g6|p4d|p5|trn1)\.")


@dataclass(frozen=True)
class Rule:
    """One refusal.

    Attributes:
        says: The rule.
        source: Where AWS says so.
    """

    says: str
    source: str

    def refuse(self, what: str) -> None:
        raise ValidationError(message=f"{what}: {self.says}.")


NO_CAPTURE: Final = Rule(
    "data capture is not supported for serverless endpoints", f"{_GUIDE}/serverless-endpoints.html"
)
NO_VPC: Final = Rule(
    "VPC configuration and network isolation are not supported for serverless endpoints",
    f"{_GUIDE}/serverless-endpoints.html",
)
ONE_VARIANT: Final = Rule(
    "multiple production variants are not supported for serverless endpoints",
    f"{_GUIDE}/serverless-endpoints.html",
)
NO_INSTANCES: Final = Rule(
    "a serverless variant has no instance type, instance count or start-up timeouts",
    f"{_GUIDE}/serverless-endpoints-create-config.html",
)
NO_WAY_BACK: Final = Rule(
    "updating a real-time endpoint to a serverless endpoint is not supported",
    f"{_GUIDE}/serverless-endpoints-update.html",
)
NO_GUARDRAILS: Final = Rule(
    "rolling deployments exclude serverless endpoints, and a canary is a share of instances",
    f"{_GUIDE}/deployment-guardrails-exclusions.html",
)
SCALED_TYPE: Final = Rule(
    "the variant is a scalable target, so its instance type cannot change; deregister it first",
    f"{_GUIDE}/endpoint-scaling-update.html",
)
NO_SPOT_POOL: Final = Rule(
    "warm pools are not supported for managed spot training", f"{_GUIDE}/train-warm-pools.html"
)
NO_VOLUME_KEY: Final = Rule(
    "VolumeKmsKeyId cannot be used with an instance type that has local storage",
    "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html",
)
RULES: Final = (
    NO_CAPTURE,
    NO_VPC,
    ONE_VARIANT,
    NO_INSTANCES,
    NO_WAY_BACK,
    NO_GUARDRAILS,
    SCALED_TYPE,
    NO_SPOT_POOL,
    NO_VOLUME_KEY,
)

_INSTANCE_MEMBERS: Final = {
    "InstanceType",
    "InitialInstanceCount",
    "ModelDataDownloadTimeoutInSeconds",
    "ContainerStartupHealthCheckTimeoutInSeconds",
}


def check_config(params: dict[str, Any], models: dict[str, Any]) -> None:
    """Refuse an endpoint configuration.

    Raises:
        ValidationError: It breaks a rule.
    """
    variants = params["ProductionVariants"]
    serverless = [variant for variant in variants if "ServerlessConfig" in variant]
    if not serverless:
        return
    if len(variants) > 1:
        ONE_VARIANT.refuse("ProductionVariants")
    if params.get("DataCaptureConfig"):
        NO_CAPTURE.refuse("DataCaptureConfig")
    if given := _INSTANCE_MEMBERS & serverless[0].keys():
        NO_INSTANCES.refuse(", ".join(sorted(given)))
    model = models.get(serverless[0]["ModelName"])
    if model is not None and (model.vpc_config or model.enable_network_isolation):
        NO_VPC.refuse(f"Model {model.model_name}")


def check_update(endpoint: Any, live: Any, config: Any, params: dict[str, Any]) -> None:
    """Refuse an update of an endpoint.

    Args:
        endpoint: The endpoint.
        live: The configuration that serves; None when it was deleted.
        config: The new one.
        params: Of the request.

    Raises:
        ValidationError: It breaks a rule.
    """
    old = live.production_variants[0] if live is not None else {}
    new = config.production_variants[0]
    if "InstanceType" in old and "ServerlessConfig" in new:
        NO_WAY_BACK.refuse(endpoint.endpoint_name)
    serverless = "ServerlessConfig" in old or "ServerlessConfig" in new
    if serverless and params.get("DeploymentConfig"):
        NO_GUARDRAILS.refuse("DeploymentConfig")
    changed = old.get("InstanceType") != new.get("InstanceType")
    resource = f"endpoint/{endpoint.endpoint_name}/variant/{new['VariantName']}"
    targets = applicationautoscaling_backends[ACCOUNT][REGION].targets
    if changed and "InstanceType" in old and any(resource in each for each in targets.values()):
        SCALED_TYPE.refuse(resource)


def check_training(params: dict[str, Any]) -> None:
    """Refuse a training job.

    Raises:
        ValidationError: It breaks a rule.
    """
    resources = params["ResourceConfig"]
    if params.get("EnableManagedSpotTraining") and resources.get("KeepAlivePeriodInSeconds"):
        NO_SPOT_POOL.refuse("KeepAlivePeriodInSeconds")
    check_volume(resources)


def check_volume(resources: dict[str, Any]) -> None:
    """Refuse a key for the volume of some instances.

    Raises:
        ValidationError: There is one.
    """
    if "VolumeKmsKeyId" in resources and _LOCAL_STORAGE.match(resources["InstanceType"]):
        NO_VOLUME_KEY.refuse(resources["InstanceType"])

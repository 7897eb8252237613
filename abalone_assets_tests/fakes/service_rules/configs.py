"""What SageMaker refuses of models and of endpoint configurations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from abalone_assets_tests.fakes.service_rules.rule import invalid

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.service_rules.rule import Asked

MAX_CAPTURE_OPTIONS: Final = 32
MAX_CONTENT_TYPES: Final = 10
_CONTENT_TYPE: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9.])*/[a-zA-Z0-9](-*[a-zA-Z0-9+.])*")
_OF_INSTANCES: Final = frozenset(
    {
        "InstanceType", "InitialInstanceCount", "ModelDataDownloadTimeoutInSeconds",
        "ContainerStartupHealthCheckTimeoutInSeconds",
    }
)  # fmt: skip


def names_taken(asked: Asked) -> None:
    """Of models, endpoint configurations and endpoints."""
    backend = asked.sagemaker
    kind, key, existing = {
        "CreateModel": ("model", "ModelName", backend._models),
        "CreateEndpointConfig": (
            "endpoint configuration",
            "EndpointConfigName",
            backend.endpoint_configs,
        ),
        "CreateEndpoint": ("endpoint", "EndpointName", backend.endpoints),
    }[asked.call.operation]
    if (name := asked.params[key]) in existing:
        raise invalid(f'Cannot create already existing {kind} "{existing[name].arn}".')


def package_approved(asked: Asked) -> None:
    """A model is made of an approved package only."""
    package = (asked.params.get("PrimaryContainer") or {}).get("ModelPackageName")
    if package is None:
        return
    status = asked.sagemaker.describe_model_package(package).model_approval_status
    if status != "Approved":
        raise invalid(
            f"Cannot create a model from the model package {package}: its approval status is "
            f"{status}, not Approved"
        )


def capture_options(asked: Asked) -> None:
    """What is captured, how much, and to where."""
    capture = asked.params.get("DataCaptureConfig")
    if capture is None:
        return
    modes = [option["CaptureMode"] for option in capture["CaptureOptions"]]
    allowed = {"Input", "Output", "InputAndOutput"}
    if not 1 <= len(modes) <= MAX_CAPTURE_OPTIONS or not set(modes) <= allowed:
        raise invalid(f"CaptureOptions must be one to 32, each of {sorted(allowed)}: {modes}")
    if not 0 <= capture["InitialSamplingPercentage"] <= 100:
        raise invalid("InitialSamplingPercentage must be 0 to 100")
    if not re.fullmatch(r"s3://[^/]+(/.*)?", capture["DestinationS3Uri"]):
        raise invalid(f"DestinationS3Uri is no S3 URI: {capture['DestinationS3Uri']}")
    header = capture.get("CaptureContentTypeHeader") or {}
    listed = [header.get(name) or [] for name in ("CsvContentTypes", "JsonContentTypes")]
    if any(len(each) > MAX_CONTENT_TYPES for each in listed):
        raise invalid("at most ten content types of a kind")
    if wrong := [each for types in listed for each in types if not _CONTENT_TYPE.fullmatch(each)]:
        raise invalid(f"no content types: {wrong}")


def serverless(asked: Asked) -> None:
    """What serverless inference excludes."""
    variants = asked.params["ProductionVariants"]
    if not any("ServerlessConfig" in variant for variant in variants):
        return
    if len(variants) > 1:
        raise invalid("Serverless inference takes one production variant")
    if asked.params.get("DataCaptureConfig"):
        raise invalid("Data capture is not supported for serverless endpoints")
    models = (asked.sagemaker._models.get(each["ModelName"]) for each in variants)
    for model in (model for model in models if model is not None):
        if model.vpc_config or getattr(model, "enable_network_isolation", False):
            raise invalid("VPC configuration and network isolation are not supported: serverless")


def serverless_instances(asked: Asked) -> None:
    """A variant has instances or none."""
    for variant in asked.params["ProductionVariants"]:
        if "ServerlessConfig" in variant and (given := _OF_INSTANCES & variant.keys()):
            raise invalid(f"A serverless variant takes no {', '.join(sorted(given))}")

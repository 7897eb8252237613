"""What SageMaker refuses of models, endpoint configurations and endpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from moto.cloudwatch.models import cloudwatch_backends

from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.service_rules.rule import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets_tests.fakes.service_rules.rule import Asked

IN_PROGRESS: Final = frozenset({"Creating", "Updating", "RollingBack", "Deleting"})
MAX_ALARMS: Final = 10
MAX_CAPTURE_OPTIONS: Final = 32
MAX_CONTENT_TYPES: Final = 10
EXECUTION_SECONDS: Final = (600, 28_800)
_CONTENT_TYPE: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9.])*/[a-zA-Z0-9](-*[a-zA-Z0-9+.])*")


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


def update_in_progress(asked: Asked) -> None:
    """One change of an endpoint at a time."""
    endpoint = asked.sagemaker.endpoints.get(asked.params["EndpointName"])
    if endpoint is not None and endpoint.endpoint_status in IN_PROGRESS:
        raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')


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
    if not any(variant.get("ServerlessConfig") for variant in variants):
        return
    if len(variants) > 1:
        raise invalid("Serverless inference takes one production variant")
    if (asked.params.get("DataCaptureConfig") or {}).get("EnableCapture"):
        raise invalid("Data capture is not supported for serverless endpoints")
    models = (asked.sagemaker._models.get(each["ModelName"]) for each in variants)
    for model in (model for model in models if model is not None):
        if model.vpc_config or getattr(model, "enable_network_isolation", False):
            raise invalid("VPC configuration and network isolation are not supported: serverless")


def rollback_alarms(asked: Asked) -> None:
    """Alarms that cannot judge a deployment: missing, or ringing before it begins."""
    alarms = cloudwatch_backends[ACCOUNT][REGION].alarms
    given = (_deployment(asked).get("AutoRollbackConfiguration") or {}).get("Alarms", [])
    names = [alarm["AlarmName"] for alarm in given]
    if len(names) > MAX_ALARMS:
        raise invalid(f"at most {MAX_ALARMS} alarms: {len(names)}")
    if missing := [name for name in names if name not in alarms]:
        raise invalid(f"Cannot find the CloudWatch alarms {missing} of AutoRollbackConfiguration")
    if ringing := [name for name in names if alarms[name].state_value == "ALARM"]:
        raise invalid(f"CloudWatch alarms must be OK before a deployment: {ringing} are in ALARM")


def canary_capacity(asked: Asked) -> None:
    """Traffic shifts in steps of whole instances, the first at most a half."""
    policy = _deployment(asked).get("BlueGreenUpdatePolicy") or {}
    routing = policy.get("TrafficRoutingConfiguration") or {}
    kind = routing.get("Type", "ALL_AT_ONCE")
    size = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(kind)
    if size is None:
        if {"CanarySize", "LinearStepSize"} & routing.keys():
            raise invalid("ALL_AT_ONCE takes neither CanarySize nor LinearStepSize")
        return
    if size not in routing:
        raise invalid(f"{kind} needs {size}")
    instances = _instances(asked)
    step, unit = routing[size]["Value"], routing[size]["Type"]
    share = step / 100 if unit == "CAPACITY_PERCENT" else step / max(instances, 1)
    if instances < 2 or step < 1 or share > 0.5:
        raise invalid(
            f"{size} must be at least one instance and at most half of the capacity: {step} "
            f"({unit}) of {instances} instances"
        )


def deployment_time(asked: Asked) -> None:
    """Enough for all waits, and not for ever."""
    policy = _deployment(asked).get("BlueGreenUpdatePolicy") or {}
    longest = policy.get("MaximumExecutionTimeoutInSeconds")
    if longest is None:
        return
    least, most = EXECUTION_SECONDS
    routing = policy.get("TrafficRoutingConfiguration") or {}
    waits = routing.get("WaitIntervalInSeconds", 0) + policy.get("TerminationWaitInSeconds", 0)
    if not least <= longest <= most or longest <= waits:
        raise invalid(
            f"MaximumExecutionTimeoutInSeconds must be {least} to {most} and above the waits "
            f"({waits}): {longest}"
        )


def variant_names(asked: Asked) -> None:
    """An update keeps the names of the variants."""
    backend = asked.sagemaker
    endpoint = backend.endpoints.get(asked.params["EndpointName"])
    after = backend.endpoint_configs.get(asked.params["EndpointConfigName"])
    if endpoint is None or after is None or not asked.params.get("DeploymentConfig"):
        return
    before = backend.endpoint_configs.get(endpoint.endpoint_config_name)
    if before is not None and _variants(before) != _variants(after):
        raise invalid(
            f"the variants {sorted(_variants(after))} must be those that serve: "
            f"{sorted(_variants(before))}"
        )


def _deployment(asked: Asked) -> Mapping[str, Any]:
    return asked.params.get("DeploymentConfig") or {}


def _variants(config: Any) -> set[str]:
    return {variant["VariantName"] for variant in config.production_variants}


def _instances(asked: Asked) -> int:
    config = asked.sagemaker.endpoint_configs.get(asked.params["EndpointConfigName"])
    variants = config.production_variants if config else []
    return sum(int(each.get("InitialInstanceCount") or 0) for each in variants)

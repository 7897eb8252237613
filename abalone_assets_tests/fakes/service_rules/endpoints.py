"""What SageMaker refuses of an endpoint that is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends

from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.service_rules.rule import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets_tests.fakes.service_rules.rule import Asked

IN_PROGRESS: Final = frozenset({"Creating", "Updating", "RollingBack", "Deleting"})
MAX_ALARMS: Final = 10
EXECUTION_SECONDS: Final = (600, 28_800)


def update_in_progress(asked: Asked) -> None:
    """One change of an endpoint at a time."""
    endpoint = asked.sagemaker.endpoints.get(asked.params["EndpointName"])
    if endpoint is not None and endpoint.endpoint_status in IN_PROGRESS:
        raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')


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
    before, after = _change(asked)
    if before is None or after is None or not _deployment(asked):
        return
    if _variants(before) != _variants(after):
        raise invalid(
            f"the variants {sorted(_variants(after))} must be those that serve: "
            f"{sorted(_variants(before))}"
        )


def to_serverless(asked: Asked) -> None:
    """Who has instances keeps having some; the other way is open."""
    before, after = _change(asked)
    if "InstanceType" in _first(before) and "ServerlessConfig" in _first(after):
        raise invalid("Updating a real-time endpoint to a serverless endpoint is not supported")


def serverless_guardrails(asked: Asked) -> None:
    """Deployments of shares of instances need instances, before and after."""
    serverless = any("ServerlessConfig" in _first(each) for each in _change(asked))
    if serverless and _deployment(asked):
        raise invalid("DeploymentConfig is not supported for serverless endpoints")


def scaled_type(asked: Asked) -> None:
    """What is scaled keeps its instance type."""
    before, after = map(_first, _change(asked))
    if "InstanceType" not in before or before["InstanceType"] == after.get("InstanceType"):
        return
    variant = f"endpoint/{asked.params['EndpointName']}/variant/{before['VariantName']}"
    targets = applicationautoscaling_backends[ACCOUNT][REGION].targets
    if any(variant in each for each in targets.values()):
        raise invalid(
            f"{variant} is a scalable target, so its instance type cannot change: deregister it"
        )


def _change(asked: Asked) -> tuple[Any, Any]:
    """The configuration that serves and the new one; None for what does not exist."""
    backend = asked.sagemaker
    endpoint = backend.endpoints.get(asked.params["EndpointName"])
    live = endpoint and backend.endpoint_configs.get(endpoint.endpoint_config_name)
    return live, backend.endpoint_configs.get(asked.params["EndpointConfigName"])


def _first(config: Any) -> Mapping[str, Any]:
    """A configuration's first variant; empty where there is no configuration."""
    return config.production_variants[0] if config is not None else {}


def _deployment(asked: Asked) -> Mapping[str, Any]:
    return asked.params.get("DeploymentConfig") or {}


def _variants(config: Any) -> set[str]:
    return {variant["VariantName"] for variant in config.production_variants}


def _instances(asked: Asked) -> int:
    _, after = _change(asked)
    variants = after.production_variants if after else []
    return sum(int(each.get("InitialInstanceCount") or 0) for each in variants)

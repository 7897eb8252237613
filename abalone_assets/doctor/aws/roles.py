"""The part of ``abalone doctor`` that looks at roles, and at what this identity may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import AwsError, error_code, explain, translate_errors
from abalone_assets.doctor.finding import TroubleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEPLOY: Final = "run `make deploy`"
SAGEMAKER: Final = "sagemaker.amazonaws.com"
GLUE: Final = "glue.amazonaws.com"


def check_assumable(role: str, service: str, found: str) -> None:
    """Make sure that a service may take a role.

    Args:
        role: The role's name or ARN.
        service: Its host name, such as ``glue.amazonaws.com``.
        found: What is known of what uses the role.

    Raises:
        TroubleError: It may not, or nobody says.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    name = role.rpartition("/")[2]
    try:
        policy = client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    except (BotoCoreError, ClientError) as error:
        if error_code(error) == "NoSuchEntity":
            problem = f"{found}: the role {name} does not exist"
            raise TroubleError("failed", problem, DEPLOY) from error
        problem = f"{found}; the role {name} cannot be looked at: {explain(error)}"
        raise TroubleError("warning", problem, "allow iam:GetRole to this identity") from error
    if service not in _trusted_services(policy):
        problem = f"{found}: the role {name} does not trust {service}"
        remedy = f"let {service} assume the role {name}, or {DEPLOY}"
        raise TroubleError("failed", problem, remedy)


def _trusted_services(policy: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for statement in policy["Statement"]:
        principal = statement.get("Principal", {})
        services = principal.get("Service", ()) if isinstance(principal, dict) else ()
        found |= {services} if isinstance(services, str) else set(services)
    return found


def permissions(values: Mapping[str, str], endpoint: str) -> str:
    """Whether this identity may start the jobs and deploy, as IAM would decide; starts nothing.

    Raises:
        TroubleError: It may not.
        AwsError: IAM does not say.
    """
    with translate_errors(AwsError, "sts"):
        caller: str = client("sts").get_caller_identity()["Arn"]
    if caller.endswith(":root"):
        return "the account's root user may do everything"
    denied: list[str] = []
    with translate_errors(AwsError, f"the permissions of {caller}"):
        principal = _principal(caller)
        for resource, actions in _needed(caller, values, endpoint):
            refused = _denied(principal, resource, actions)
            denied += [f"{action} on {resource}" for action in refused]
    if denied:
        remedy = f"runs that launch as {principal} fail; allow this, or launch as the stack's role"
        raise TroubleError("warning", f"not allowed: {'; '.join(denied)}", remedy)
    return "may start the jobs and deploy"


def _principal(caller: str) -> str:
    """The ARN whose policies decide: a session's role, of which the session's ARN lacks the path.

    IAM tells a role from ``arn:aws:sts::<account>:assumed-role/<role>/<session>``.
    """
    kind, _, rest = caller.rpartition(":")[2].partition("/")
    if kind != "assumed-role":
        return caller
    role = client("iam").get_role(RoleName=rest.partition("/")[0])["Role"]
    return str(role["Arn"])


def _needed(
    caller: str, values: Mapping[str, str], endpoint: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What runs do, by ARNs like those that they would do it to."""
    _, partition, _, _, account, _ = caller.split(":", 5)
    place = f"{region()}:{account}"
    sagemaker = f"arn:{partition}:sagemaker:{place}"
    version = f"{endpoint}-v000000-doctor"
    changes = ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint", "sagemaker:InvokeEndpoint")
    yield f"{sagemaker}:training-job/trained-model-doctor", ("sagemaker:CreateTrainingJob",)
    yield f"{sagemaker}:processing-job/evaluation-doctor", ("sagemaker:CreateProcessingJob",)
    yield f"{sagemaker}:transform-job/scoring-doctor", ("sagemaker:CreateTransformJob",)
    yield f"{sagemaker}:model/{version}", ("sagemaker:CreateModel",)
    yield f"{sagemaker}:endpoint-config/{version}", ("sagemaker:CreateEndpointConfig",)
    yield f"{sagemaker}:endpoint/{endpoint}", changes
    if "model_package_group" in values:
        group = values["model_package_group"]
        yield f"{sagemaker}:model-package/{group}/1", ("sagemaker:CreateModelPackage",)
    if "glue_job" in values:
        yield f"arn:{partition}:glue:{place}:job/{values['glue_job']}", ("glue:StartJobRun",)
    if "job_role_arn" in values:
        yield values["job_role_arn"], ("iam:PassRole",)


def _denied(principal: str, resource: str, actions: tuple[str, ...]) -> list[str]:
    """Those of the actions that the principal's policies do not allow on a resource."""
    passed = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyValues": [SAGEMAKER],
        "ContextKeyType": "string",
    }
    answer = client("iam").simulate_principal_policy(
        PolicySourceArn=principal,
        ActionNames=list(actions),
        ResourceArns=[resource],
        ContextEntries=[passed],
    )
    return [
        result["EvalActionName"]
        for result in answer["EvaluationResults"]
        if result["EvalDecision"] != "allowed"
    ]

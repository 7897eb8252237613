"""What was asked of the stand-in: one record a request, for tests of permissions and economy."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from abalone_assets_tests.fakes.places import ACCOUNT, OWN_KEY, REGION

_ARNS: Final = {
    "TrainingJobName": "sagemaker:{place}:training-job/{value}",
    "ProcessingJobName": "sagemaker:{place}:processing-job/{value}",
    "TransformJobName": "sagemaker:{place}:transform-job/{value}",
    "ActionName": "sagemaker:{place}:action/{value}",
    "ContextName": "sagemaker:{place}:context/{value}",
    "EndpointName": "sagemaker:{place}:endpoint/{value}",
    "EndpointConfigName": "sagemaker:{place}:endpoint-config/{value}",
    "ModelName": "sagemaker:{place}:model/{value}",
    "ModelPackageGroupName": "sagemaker:{place}:model-package-group/{value}",
    "JobName": "glue:{place}:job/{value}",
    "CrawlerName": "glue:{place}:crawler/{value}",
    "DatabaseName": "glue:{place}:database/{value}",
    "logGroupName": "logs:{place}:log-group:{value}",
    "AlarmName": "cloudwatch:{place}:alarm:{value}",
    "RoleName": "iam::{account}:role/{value}",
}
"""ARN of what a request is about, by the parameter that names it; the first found counts."""

_PREFIXES: Final = {"monitoring": "cloudwatch"}
"""Services that sign requests by another name than that of their IAM actions."""

OWNER: Final = "owner"
_CREDENTIAL: Final = re.compile(r"Credential=([^/]+)/\d+/[^/]*/([^/]+)/")


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        service: As in IAM actions, such as ``sagemaker``.
        operation: As in IAM actions, such as ``CreateTrainingJob`` (S3: ``PutObject``, also for the
            parts of an upload).
        params: The request's parameters; none for S3.
        resource: ARN of what it is about, or ``*``.
        caller: ``test`` for the code under test, the job's name for what runs in a container,
            `OWNER` for the stand-in itself.
    """

    service: str
    operation: str
    params: dict[str, Any]
    resource: str
    caller: str

    @property
    def action(self) -> str:
        """The IAM action, such as ``s3:GetObject``."""
        return f"{self.service}:{self.operation}"


def call_of(response: Any, resource: str) -> Call | None:
    """What a moto response object answers; None for an unsigned request."""
    found = _CREDENTIAL.search(response.headers.get("Authorization", ""))
    if found is None:
        return None
    caller, service = found.groups()
    if service == "s3":
        action, params = response.data["Action"], {}
    else:
        action, params = response._get_action(), _params(response)
    operation = action[0] if isinstance(action, list) else action
    arn = resource if resource != "*" else _arn(service, params)
    return Call(_PREFIXES.get(service, service), operation, params, arn, _caller(caller))


def _caller(key: str) -> str:
    if key == OWN_KEY:
        return OWNER
    return key.removeprefix("job:") if key.startswith("job:") else "test"


def _params(response: Any) -> dict[str, Any]:
    if parsed := getattr(response, "params", None):
        return dict(parsed)
    if response.service_name == "sagemaker-runtime":
        return {"EndpointName": response.path.split("/")[2]}
    try:
        found = json.loads(response.body or "{}")
    except ValueError:  # a query service, or an invocation's body
        found = {}
    return found if isinstance(found, dict) else {}


def _arn(service: str, params: dict[str, Any]) -> str:
    place = f"{REGION}:{ACCOUNT}"
    for name in ("ResourceArn", "ModelPackageArn", "ModelPackageName", "ArtifactArn"):
        if str(params.get(name, "")).startswith("arn:"):
            return str(params[name])
    if service == "ssm":
        name = params.get("Name") or params.get("Path") or (params.get("Names") or ["*"])[0]
        return f"arn:aws:ssm:{place}:parameter/{str(name).lstrip('/')}"
    if service == "sqs" and "QueueUrl" in params:
        return f"arn:aws:sqs:{place}:{params['QueueUrl'].rpartition('/')[2]}"
    for parameter, pattern in _ARNS.items():
        if pattern.startswith(service) and params.get(parameter):
            return "arn:aws:" + pattern.format(
                place=place, account=ACCOUNT, value=params[parameter]
            )
    return "*"

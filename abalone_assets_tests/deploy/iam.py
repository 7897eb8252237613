"""What a policy allows, what recorded calls need, and what a policy allows that no call needed.

The policies of the roles are a snapshot that any test can use without synthesising.
``python -m abalone_assets_tests.deploy.iam`` renews it; a test fails until that is done.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abalone_assets_tests.fakes.places import ACCOUNT, BUCKET, REGION, ROLE
from abalone_assets_tests.fakes.policies import Need, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from abalone_assets_tests.deploy.support import Assembly
    from abalone_assets_tests.fakes.calls import Call

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "roles.json"
ROLES = {
    "run": ("platform", "DagsterRunRole"),
    "daemon": ("platform", "DagsterDaemonRole"),
    "web": ("platform", "DagsterWebRole"),
    "execution": ("platform", "DagsterExecutionRole"),
    "sagemaker": ("jobs", "SageMakerRole"),
    "glue": ("jobs", "GlueJobRole"),
    "crawler": ("jobs", "GlueCrawlerRole"),
}
"""Stack and logical id of each role."""

PLACE = f"{REGION}:{ACCOUNT}"
ROLE_PREFIX = f"arn:aws:iam::{ACCOUNT}:role/abalone"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}

RARELY_NEEDED = {
    "s3:AbortMultipartUpload": "an upload in parts broke off",
    "glue:BatchDeletePartition": "a survey day is gone from the landing zone",
    "glue:BatchUpdatePartition": "an asset's columns changed",
    "glue:BatchStopJobRun": "a run was terminated while Glue prepared",
    "glue:DeleteTable": "an asset was removed from the lineage",
    "glue:UpdateTable": "an asset's columns changed",
    "sagemaker:CreateTransformJob": "a file of many animals is scored",
    "sagemaker:DescribeTransformJob": "the same",
    "sagemaker:DeleteEndpoint": "an endpoint could not be created, and is made anew",
    "sagemaker:DeleteEndpointConfig": "an endpoint has been updated more than once",
    "sagemaker:DeleteModel": "the same",
    "sagemaker:DescribeModelPackageGroup": "the registry is asked for what it does not have",
    "sagemaker:ListProcessingJobs": "the schedule looks for jobs that killed workers left",
    "sagemaker:ListTrainingJobs": "the same",
    "sagemaker:ListTransformJobs": "the same",
    "sagemaker:StopProcessingJob": "a run was terminated while SageMaker evaluated",
    "application-autoscaling:DeregisterScalableTarget": "an endpoint is scaled no more",
    "cloudwatch:DeleteAlarms": "the same",
    "sagemaker:StopTrainingJob": "a run was terminated while SageMaker trained",
    "sagemaker:StopTransformJob": "a run was terminated while SageMaker scored a file",
    "sagemaker:UpdateAction": "a release was tried again, or a person decided on its version",
    "sagemaker:UpdateArtifact": "a release was tried again",
    "sagemaker:UpdateContext": "there has been a release before",
}
"""What the run role may do although a story without mishaps never needs it, and what does."""


def role_policy(template: Mapping[str, Any], role: str) -> Policy:
    """The policies of a role of a synthesised stack; it may have none that AWS manages.

    Args:
        template: The stack's template.
        role: Beginning of the role's logical id.

    Raises:
        AssertionError: There is not exactly one such role.
    """
    resources = template["Resources"]
    found = [name for name in _of_kind(resources, "AWS::IAM::Role") if name.startswith(role)]
    assert len(found) == 1, found
    assert not resources[found[0]]["Properties"].get("ManagedPolicyArns"), found
    inline, overflow = (  # what exceeds an inline policy's size, CDK puts into a managed one
        _of_kind(resources, kind) for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    )
    return Policy.of(
        resolved(resources, policy["Properties"]["PolicyDocument"])
        for policy in (*inline.values(), *overflow.values())
        if {"Ref": found[0]} in policy["Properties"]["Roles"]
    )


def described(assembly: Assembly) -> dict[str, list[dict[str, Any]]]:
    """The statements of every role, deployed to the stand-in's account."""
    return {
        name: list(role_policy(assembly.templates[stack], role).statements)
        for name, (stack, role) in ROLES.items()
    }


def policy_of(role: str) -> Policy:
    """The policy of a role, as the snapshot has it.

    Args:
        role: One of `ROLES`.
    """
    return Policy(tuple(json.loads(SNAPSHOT.read_text())[role]))


def resolved(resources: Mapping[str, Any], value: Any) -> Any:
    """The value with the intrinsic functions of CloudFormation that policies use worked out."""
    if isinstance(value, list):
        return [resolved(resources, each) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return PSEUDO_PARAMETERS.get(value["Ref"], value["Ref"])
    if set(value) == {"Fn::Join"}:
        separator, parts = value["Fn::Join"]
        return str(separator).join(resolved(resources, parts))
    if set(value) == {"Fn::GetAtt"}:
        return _arn(resources, *value["Fn::GetAtt"])
    return {key: resolved(resources, each) for key, each in value.items()}


def _of_kind(resources: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in resources.items() if resource["Type"] == kind}


def _arn(resources: Mapping[str, Any], name: str, attribute: str) -> str:
    """A stand-in for what a resource's attribute will be: its kind and logical id tell it apart."""
    kind = resources[name]["Type"].lower().split("::")
    return f"arn:aws:{kind[1]}:{PLACE}:{kind[2]}/{name}#{attribute}"


def as_deployed(calls: Iterable[Call]) -> list[Call]:
    """The calls as they would be with the names of the stacks instead of the stand-in's."""
    return [
        replace(
            call,
            resource=_deployed(call.resource),
            params=json.loads(_deployed(json.dumps(call.params, default=str))),
        )
        for call in calls
    ]


def _deployed(text: str) -> str:
    names = {BUCKET: f"abalone-data-{ACCOUNT}-{REGION}", ROLE: f"{ROLE_PREFIX}-sagemaker-{REGION}"}
    for ours, deployed in names.items():
        text = text.replace(ours, deployed)
    return text


def required_permissions(calls: Iterable[Call]) -> set[Need]:
    """What the identity that made these calls must be allowed, implied permissions included."""
    return {need for call in calls for need in _needs(call)}


def denied(policy: Policy, calls: Iterable[Call]) -> list[Need]:
    """What the calls need and the policy does not allow."""
    needs = required_permissions(calls)
    return sorted((n for n in needs if not policy.allows(n)), key=lambda n: (n.action, n.resource))


def unused_actions(policy: Policy, calls: Iterable[Call]) -> set[str]:
    """What the policy allows and no call needed."""
    return policy.actions() - {need.action for need in required_permissions(calls)}


def _needs(call: Call) -> Iterable[Need]:
    resources = _resources(call)
    yield from (Need(_action(call), resource) for resource in resources)
    if call.service != "sagemaker" or not call.operation.startswith("Create"):
        return
    if call.params.get("Tags"):
        yield from (Need("sagemaker:AddTags", resource) for resource in resources)
    if role := call.params.get("RoleArn") or call.params.get("ExecutionRoleArn"):
        yield Need("iam:PassRole", role, (("iam:PassedToService", "sagemaker.amazonaws.com"),))


def _action(call: Call) -> str:
    """IAM knows no action of its own for a batch of messages or for a look at a bucket."""
    renamed = {
        "s3:HeadBucket": "s3:ListBucket",
        "s3:HeadObject": "s3:GetObject",
        "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
        "monitoring:DescribeAlarms": "cloudwatch:DescribeAlarms",
    }
    return renamed.get(call.action, call.action)


def _resources(call: Call) -> list[str]:
    """ARNs that AWS checks, as the service authorization reference has them."""
    if call.action == "s3:DeleteObject" and "/" not in call.resource:
        return [f"{call.resource}/?"]  # a batch: the stand-in does not record its keys
    if call.service == "glue" and "DatabaseName" in call.params:
        return _catalog(call.params)
    if call.action == "sagemaker:AddAssociation":
        return [call.params["SourceArn"], call.params["DestinationArn"]]
    if call.action in _SPECIAL:
        return [f"arn:aws:{each.format(**call.params)}" for each in _SPECIAL[call.action]]
    return [call.resource]


_SCALABLE = f"application-autoscaling:{PLACE}:scalable-target/0123"
_MODEL_PACKAGE = f"sagemaker:{PLACE}:model-package/{{ModelPackageGroupName}}/1"
_DEPLOYED = [
    f"sagemaker:{PLACE}:endpoint/{{EndpointName}}",
    f"sagemaker:{PLACE}:endpoint-config/{{EndpointConfigName}}",
]
_SPECIAL = {
    "application-autoscaling:DeregisterScalableTarget": [_SCALABLE],
    "application-autoscaling:PutScalingPolicy": [_SCALABLE],
    "application-autoscaling:RegisterScalableTarget": [_SCALABLE],
    "cloudwatch:DescribeAlarms": [f"cloudwatch:{PLACE}:alarm:*"],
    "glue:GetCrawler": [f"glue:{PLACE}:crawler/{{Name}}"],
    "glue:StartCrawler": [f"glue:{PLACE}:crawler/{{Name}}"],
    "logs:DescribeLogStreams": [f"logs:{PLACE}:log-group:{{logGroupName}}:log-stream:"],
    "logs:GetLogEvents": [f"logs:{PLACE}:log-group:{{logGroupName}}:log-stream:{{logStreamName}}"],
    "sagemaker:CreateEndpoint": _DEPLOYED,
    "sagemaker:CreateArtifact": [f"sagemaker:{PLACE}:artifact/0123456789abcdef"],
    "sagemaker:CreateModelPackage": [_MODEL_PACKAGE],
    "sagemaker:ListModelPackages": [_MODEL_PACKAGE],
    "sagemaker:UpdateEndpoint": _DEPLOYED,
}
"""What a call is about where one parameter alone does not say it."""


def _catalog(params: Mapping[str, Any]) -> list[str]:
    """Glue checks catalog, database and table."""
    database, table = params["DatabaseName"], params.get("TableName") or params.get("Name")
    table = table or params.get("TableInput", {}).get("Name", "*")
    return [
        f"arn:aws:glue:{PLACE}:catalog",
        f"arn:aws:glue:{PLACE}:database/{database}",
        f"arn:aws:glue:{PLACE}:table/{database}/{table}",
    ]


if __name__ == "__main__":
    from abalone_assets_tests.deploy.support import Assembly, synthesise

    with tempfile.TemporaryDirectory() as folder:
        roles = described(Assembly(synthesise(Path(folder)), "abalone"))
    SNAPSHOT.write_text(json.dumps(roles, indent=1) + "\n")

"""What the roles may do. Statements are built here; `grant` gives them to a role.

A wildcard in a resource has to say why it is there: `Permission.wildcards` becomes the reason in
the acknowledgement of cdk-nag's finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam

from deploy.stacks.acknowledged import acknowledge_finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from constructs import Construct

ANY = "*"
NO_RESOURCE = "the action works on no resource that a policy could name"


@dataclass(frozen=True)
class Permission:
    """One statement of a policy.

    Attributes:
        sid: Its name in the policy.
        actions: What it allows.
        resources: ARNs that it allows it on.
        wildcards: Why an ARN has a wildcard; empty when none has.
        conditions: Under which it allows it.
    """

    sid: str
    actions: list[str]
    resources: list[str]
    wildcards: str = ""
    conditions: dict[str, Any] = field(default_factory=dict)

    def statement(self) -> iam.PolicyStatement:
        """The statement itself."""
        return iam.PolicyStatement(
            sid=self.sid,
            actions=self.actions,
            resources=self.resources,
            conditions=self.conditions or None,
        )


def role(  # one more than the linter likes, and each is a part of a role
    scope: Construct,
    construct_id: str,
    *,
    service: str,
    description: str,
    permissions: Iterable[Permission],
    role_name: str | None = None,
) -> iam.Role:
    """A role that a service of this account takes on, with its permissions."""
    made = iam.Role(
        scope,
        construct_id,
        role_name=role_name,
        description=description,
        assumed_by=iam.ServicePrincipal(
            service, conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        ),
    )
    grant(made, permissions)
    return made


def grant(grantee: iam.Role, permissions: Iterable[Permission]) -> None:
    """Add permissions to the role's policy, and acknowledge their wildcards."""
    for permission in permissions:
        grantee.add_to_policy(permission.statement())
        for resource in permission.resources:
            if ANY in resource:
                finding = f"IAM5[Resource::{_as_cdk_nag_writes(resource, grantee)}]"
                acknowledge_finding(grantee, finding, permission.wildcards)


def _as_cdk_nag_writes(resource: str, construct: Construct) -> str:
    """The ARN with its pseudo parameters as ``<AWS::Region>``."""
    resolved = Stack.of(construct).resolve(resource)
    if isinstance(resolved, str):
        return resolved
    parts = resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{_name(part)}>" for part in parts)


def _name(intrinsic: dict[str, Any]) -> str:
    if "Ref" in intrinsic:
        return str(intrinsic["Ref"])
    return ".".join(intrinsic["Fn::GetAtt"])

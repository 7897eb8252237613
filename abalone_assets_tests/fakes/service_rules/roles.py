"""What is refused because of a role: who may pass it, and what it may do itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from moto.iam.models import iam_backends

from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.policies import Need, Policy
from abalone_assets_tests.fakes.server import RefusedRequestError
from abalone_assets_tests.fakes.service_rules.attachments import KEYS, MODEL, VPC, needs_of

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.service_rules.attachments import Attachment
    from abalone_assets_tests.fakes.service_rules.rule import Asked

PASSES_OWN_ROLES: Final = Policy(
    (
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": f"arn:aws:iam::{ACCOUNT}:role/*",
        },
    )
)
"""Any role of the account; a role of another account can be passed by nobody."""

USER: Final = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/abalone/test"


def pass_role(asked: Asked) -> None:
    """Who starts work gives it no role that is not theirs to give."""
    for role in _passed(asked):
        service = f"{asked.call.service}.amazonaws.com"
        need = Need("iam:PassRole", role, (("iam:PassedToService", service),))
        if not asked.aws.identity.allows(need):
            raise RefusedRequestError(
                "AccessDeniedException",
                f"{USER} is not authorized to perform: iam:PassRole on resource: {role} because no "
                "identity-based policy allows the iam:PassRole action",
            )


def _passed(asked: Asked) -> list[str]:
    given = (asked.params.get(name) for name in ("RoleArn", "ExecutionRoleArn", "Role"))
    return [_arn(str(role)) for role in given if role]


def _arn(role: str) -> str:
    return role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"


def crawler_security(asked: Asked) -> None:
    """Glue looks a crawler's security configuration up as the crawler's role."""
    for role, need in needs_of("AWS::Glue::Crawler", asked.params):
        policy = policy_of(str(asked.params[role])) or Policy()
        if not policy.allows(need):
            name = _arn(str(asked.params[role])).rpartition("/")[2]
            raise RefusedRequestError(
                "InvalidInputException",
                f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/AWS-Crawler is not authorized "
                f"to perform: {need.action} on resource: arn:aws:glue:{REGION}:{ACCOUNT}:* because "
                f"no identity-based policy allows the {need.action} action",
            )


def network_role(asked: Asked) -> None:
    """What runs in a VPC makes network interfaces as its own role, where the role is known."""
    _look_at(asked, VPC, "a VPC")


def key_role(asked: Asked) -> None:
    """What has a key uses it as its own role, where the role is known."""
    _look_at(asked, KEYS, "its key")


def _look_at(asked: Asked, attached: tuple[Attachment, ...], what: str) -> None:
    kind = f"AWS::SageMaker::{asked.call.operation.removeprefix('Create')}"
    for name, need in needs_of(kind, asked.params, attached):
        role = str(asked.params[name])
        if name == MODEL:
            role = str(asked.sagemaker._models[role].execution_role_arn)
        policy = policy_of(role)
        if policy is not None and not policy.allows(need):
            raise RefusedRequestError(
                "ValidationException",
                f"Access denied for the role {role}: {what} needs {need.action}",
            )


def policy_of(role: str) -> Policy | None:
    """What a role of the stand-in's IAM may do; None where there is no such role."""
    roles: dict[str, Any] = iam_backends[ACCOUNT]["aws"].roles
    found = next((each for each in roles.values() if each.arn == _arn(role)), None)
    if found is None:
        return None
    documents = [*found.policies.values(), *(p.document for p in found.managed_policies.values())]
    return Policy.of(json.loads(each) if isinstance(each, str) else each for each in documents)

"""Protections from deletion, which also keep CloudFormation from clearing away its own failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abalone_assets.aws.failures import error_code, translate_errors
from deploy.config import DeployError

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.cloudformation import Stacks

GONE = {"DBInstanceNotFound", "DBInstanceNotFoundFault", "LoadBalancerNotFound"}


def lift_protections(stack: str, stacks: Stacks, make_client: Callable[[str], Any]) -> None:
    """Let a stack's databases and load balancers be deleted with it; one that is gone is no error.

    Raises:
        DeployError: AWS refuses.
    """
    with translate_errors(DeployError, f"stack {stack}"):
        for database in stacks.resources(stack, "AWS::RDS::DBInstance"):
            _unless_gone(
                make_client("rds").modify_db_instance,
                DBInstanceIdentifier=database,
                DeletionProtection=False,
                ApplyImmediately=True,
            )
        for balancer in stacks.resources(stack, "AWS::ElasticLoadBalancingV2::LoadBalancer"):
            _unless_gone(
                make_client("elbv2").modify_load_balancer_attributes,
                LoadBalancerArn=balancer,
                Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
            )


def _unless_gone(change: Callable[..., Any], **request: object) -> None:
    from botocore.exceptions import ClientError

    try:
        change(**request)
    except ClientError as error:
        if error_code(error) not in GONE:
            raise

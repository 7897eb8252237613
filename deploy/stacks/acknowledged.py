"""Findings of cdk-nag that stand, each with the reason why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

if TYPE_CHECKING:
    from constructs import IConstruct

PACK = "AwsSolutions"


def acknowledge(construct: IConstruct, **reasons: str) -> None:
    """Let rules of the AWS Solutions pack be broken by a construct and what is in it.

    Args:
        construct: What breaks them.
        reasons: Why that is right, by the rule's name without the pack: ``S1="..."``.
    """
    for rule, reason in reasons.items():
        acknowledge_finding(construct, rule, reason)


def acknowledge_finding(construct: IConstruct, finding: str, reason: str) -> None:
    """Let one finding stand, such as ``IAM5[Resource::*]``."""
    cdk.Validations.of(construct).acknowledge(
        cdk.Acknowledgment(id=f"{PACK}-{finding}", reason=reason)
    )

"""The CDK app with one acknowledgement left out; a test runs it to see cdk-nag refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.app import main
from deploy.stacks import acknowledged

if TYPE_CHECKING:
    from constructs import IConstruct


def _all_but_one(construct: IConstruct, finding: str, reason: str) -> None:
    if finding != "ECS4":
        _acknowledge_finding(construct, finding, reason)


if __name__ == "__main__":
    _acknowledge_finding = acknowledged.acknowledge_finding
    acknowledged.acknowledge_finding = _all_but_one
    main()

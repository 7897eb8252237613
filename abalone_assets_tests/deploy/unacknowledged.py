"""The CDK app with small stacks, of which one breaks a rule; a test runs it to see it refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy import app  # first: it tells the CDK where Node.js is

# isort: split
import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs

if TYPE_CHECKING:
    from constructs import Construct


class Small(cdk.Stack):
    """Stands for each of the three."""

    survey_queue_url = ""

    def __init__(self, scope: Construct, construct_id: str, **_: Any) -> None:
        super().__init__(scope, construct_id, synthesizer=cdk.LegacyStackSynthesizer())
        if construct_id.endswith("-platform"):
            ecs.CfnCluster(self, "Cluster")  # without Container Insights


if __name__ == "__main__":
    for stack in ("DataStack", "JobsStack", "PlatformStack"):
        setattr(app, stack, Small)
    app.main()

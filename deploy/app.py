"""The CDK app: ``python -m deploy.app`` writes the CloudFormation templates to ``cdk.out``.

It needs neither credentials nor network nor Docker: the stacks name no account and no region, and
the image is named, not built. ``-c key=value`` overrides the context of ``deploy/cdk.json``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import aws_cdk as cdk
import click
from cdk_nag import AwsSolutionsChecks

from deploy.command import Command, context_option
from deploy.config import DeployConfig, read_context
from deploy.stacks.data import DataStack
from deploy.stacks.jobs import JobsStack
from deploy.stacks.names import Names
from deploy.stacks.platform import PlatformStack

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAGS: Final = {
    # Let S3 log by a bucket policy: an access control list is refused by these buckets.
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    # A deployment that fails is rolled back to the services that ran before.
    "@aws-cdk/aws-ecs:disableExplicitDeploymentControllerForCircuitBreaker": True,
    "@aws-cdk/core:validateAgainstDefaultRules": True,  # what is wrong by itself is an error too
}
PROJECT: Final = "abalone-assets"


def build_app(context: Mapping[str, Any], outdir: str | None = None) -> cdk.App:
    """The three stacks, checked by cdk-nag's AWS Solutions pack.

    Args:
        context: The deployment's context values.
        outdir: Folder of the cloud assembly; the CDK CLI names its own.

    Raises:
        DeployError: A context value is malformed.
    """
    config = DeployConfig.from_context(context)
    app = cdk.App(context={**FLAGS, **context}, outdir=outdir, analytics_reporting=False)
    names = Names(config)
    data = DataStack(
        app, f"{config.name}-data", config=config, names=names, synthesizer=_synthesizer()
    )
    jobs = JobsStack(
        app,
        f"{config.name}-jobs",
        config=config,
        names=names,
        survey_queue_url=data.survey_queue_url,
        synthesizer=_synthesizer(),
    )
    platform = PlatformStack(
        app, f"{config.name}-platform", config=config, names=names, synthesizer=_synthesizer()
    )
    jobs.add_stack_dependency(data)
    platform.add_stack_dependency(jobs)
    cdk.Tags.of(app).add("Project", PROJECT)
    cdk.Tags.of(app).add("Deployment", config.name)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def _synthesizer() -> cdk.LegacyStackSynthesizer:
    """Needs no bootstrapped account: there are no assets, and the deployer's credentials deploy."""
    return cdk.LegacyStackSynthesizer()


@click.command(cls=Command)
@context_option
@click.option("-o", "--output", default=lambda: os.environ.get("CDK_OUTDIR", "cdk.out"))
def main(context: tuple[str, ...], output: str) -> None:
    """Write the CloudFormation templates; fails when cdk-nag finds something."""
    build_app(read_context(context), output).synth()
    click.echo(output)


if __name__ == "__main__":
    main()

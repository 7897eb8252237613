"""``python -m deploy.deploy``: synthesise the stacks and bring them up, in order.

Only Python is needed: no CDK CLI, no bootstrapped account. The platform stack is last, when its
image is in the repository that the data stack made.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abalone_assets.aws.clients import client, region, told_as
from deploy.cloudformation import Say, Stacks, read_assembly
from deploy.command import Command, context_option
from deploy.config import DeployConfig, DeployError, read_context

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Deployer:
    """Brings stacks up.

    Attributes:
        config: The deployment.
        stacks: CloudFormation.
        ecr: boto3 client.
        say: Told, in lines, what happens.
    """

    config: DeployConfig
    stacks: Stacks
    ecr: Any
    say: Say

    def deploy(self, assembly: Path) -> dict[str, str]:
        """Bring up every stack of the assembly.

        Returns:
            The outputs of all stacks.

        Raises:
            DeployError: A stack failed, or the image is not there; those before it stand.
        """
        outputs: dict[str, str] = {}
        for template in read_assembly(assembly):
            if template.stack == f"{self.config.name}-platform":
                self.require_image()
            self.stacks.deploy(template)
            outputs |= self.stacks.outputs(template.stack)
        return outputs

    def require_image(self) -> None:
        """Check that ECS will find the image; one of another registry is taken on trust.

        Raises:
            DeployError: It is not in the repository; the message says how to get it there.
        """
        if self.config.image:
            return
        repository, tag = self.config.name, self.config.image_tag
        with told_as(DeployError, f"image repository {repository}"):
            if _has_tag(self.ecr, repository, tag):
                return
            uri = self.ecr.describe_repositories(repositoryNames=[repository])["repositories"][0][
                "repositoryUri"
            ]
        raise DeployError(
            f"there is no image {uri}:{tag} yet; data and jobs stand. Push it and deploy again:"
            f" docker build -f deploy/Dockerfile -t {uri}:{tag} . && docker push {uri}:{tag}"
        )


def _has_tag(ecr: Any, repository: str, tag: str) -> bool:  # noqa: ANN401 - boto3 client
    from botocore.exceptions import ClientError

    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ImageNotFoundException":
            raise
        return False
    return True


def synthesise(context: dict[str, Any], folder: Path) -> None:
    """Write the cloud assembly; imports the CDK, which takes some seconds."""
    from deploy.app import build_app

    build_app(context, str(folder)).synth()


@click.command(cls=Command)
@context_option
@click.option(
    "--assembly",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Deploy what `make synth` wrote there; it must have been given the same context.",
)
def main(context: Sequence[str], assembly: Path | None) -> None:
    """Create or update the stacks of the platform in the account that the credentials belong to."""
    values = read_context(context)
    config = DeployConfig.from_context(values)
    click.echo(f"Deploying {config.name} to {region()}")
    deployer = Deployer(
        config, Stacks(client("cloudformation"), click.echo), client("ecr"), click.echo
    )
    with tempfile.TemporaryDirectory(prefix="cdk-") as folder:
        if assembly is None:
            synthesise(values, Path(folder))
        outputs = deployer.deploy(assembly or Path(folder))
    for name, value in sorted(outputs.items()):
        click.echo(f"{name}: {value}")


if __name__ == "__main__":
    main()

"""``python -m deploy.deploy``: synthesise the stacks and bring them up, in order.

Only Python is needed: no CDK CLI, no bootstrapped account. The platform stack is last, when its
image is in the repository that the data stack made.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import click

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import error_code, translate_errors
from abalone_assets.settings.aws import ids
from deploy.cloudformation import BODY_LIMIT, Say, Stacks, Template, read_assembly
from deploy.command import Command, context_option
from deploy.config import (
    IMAGE_OUTPUT,
    IMAGE_TAG_OUTPUT,
    TEMPLATES_PREFIX,
    DeployConfig,
    DeployError,
    read_context,
)
from deploy.ecs import Cluster
from deploy.log_groups import LogGroups
from deploy.protections import lift_protections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


PUSH: Final = (
    "aws ecr get-login-password | docker login --username AWS --password-stdin {registry}"
    " && docker build --platform linux/amd64 --provenance=false --file deploy/Dockerfile"
    " --build-arg COMMIT=$(git describe --always --dirty --abbrev=40 --exclude '*')"
    " --tag {image} . && docker push {image}"
)
"""What brings an image into the repository; without provenance, it is one manifest."""


@dataclass(frozen=True)
class Deployer:
    """Brings stacks up.

    Attributes:
        config: The deployment.
        stacks: CloudFormation.
        make_client: Makes the boto3 client of a service.
        say: Told, in lines, what happens.
    """

    config: DeployConfig
    stacks: Stacks
    make_client: Callable[[str], Any]
    say: Say

    @property
    def platform(self) -> str:
        """Name of the stack that runs the image."""
        return f"{self.config.name}-platform"

    @property
    def data(self) -> str:
        """Name of the stack that holds the buckets."""
        return f"{self.config.name}-data"

    def deploy(self, assembly: Path) -> dict[str, str]:
        """Bring up every stack of the assembly.

        Returns:
            The outputs of all stacks.

        Raises:
            DeployError: A stack failed, or the image is not there; those before it stand. Or the
                network would have to be made anew, or the data could be read no more, and nothing
                was done.
        """
        outputs: dict[str, str] = {}
        self.require_network()
        self.require_key()
        LogGroups(self.config, self.make_client, self.say).retain()
        for template in read_assembly(assembly):
            if template.stack == self.platform:
                self.require_image(template)
            self._clear(template.stack)
            self.stacks.deploy(template, self._upload(template) if template.is_large else "")
            outputs |= self.stacks.outputs(template.stack)
            if template.stack == self.platform:
                self._start_dagster()
        return outputs

    def _start_dagster(self) -> None:
        """Have the services run that a `make destroy` stopped before it was cut short."""
        services = self.stacks.resources(self.platform, "AWS::ECS::Service")
        Cluster(self.config.name, self.make_client("ecs"), self.say).start(services)

    def _clear(self, stack: str) -> None:
        """Delete what a failed creation left; CloudFormation leaves a protected database alone."""
        if self.stacks.unfinished(stack):
            self.say(f"{stack}: it was never finished; deleting what is left of it")
            lift_protections(stack, self.stacks, self.make_client)
            self.stacks.delete(stack)

    def _upload(self, template: Template) -> str:
        """Put a template that is too large for a request into the data bucket; its URL.

        The bucket's own key encrypts it, and its rules delete it.
        """
        bucket = self._data_bucket()
        if bucket is None:
            raise DeployError(
                f"stack {template.stack}: its template exceeds {BODY_LIMIT} bytes, and there is no"
                f" bucket of the stack {self.data} yet that could hold it"
            )
        s3, key = self.make_client("s3"), f"{TEMPLATES_PREFIX}/{template.stack}.json"
        with translate_errors(DeployError, f"bucket {bucket}"):
            answer = s3.put_object(
                Bucket=bucket, Key=key, Body=template.body.encode(), ContentType="application/json"
            )
        # Not the client's endpoint: CloudFormation takes S3's own names only. By its version, what
        # somebody else may write there since is not what is deployed.
        suffix = "amazonaws.com.cn" if s3.meta.partition == "aws-cn" else "amazonaws.com"
        url = f"https://s3.{s3.meta.region_name}.{suffix}/{bucket}/{key}"
        version = answer.get("VersionId")
        return f"{url}?{urlencode({'versionId': version})}" if version else url

    def _data_bucket(self) -> str | None:
        """The bucket of surveys, lake and registry, once there is one."""
        buckets = self.stacks.resources(self.data, "AWS::S3::Bucket")
        return next((each for each in buckets if each.startswith(f"{self.data}-")), None)

    def require_network(self) -> None:
        """Check that the network that runs is the one that was chosen.

        With another range the VPC would be made anew, and all that is in it, the database too.

        Raises:
            DeployError: It has another range, or AWS refuses to say.
        """
        if self.stacks.unfinished(self.platform):
            return  # it is made anew anyway
        chosen, ec2 = self.config.vpc_cidr, self.make_client("ec2")
        for vpc in self.stacks.resources(self.platform, "AWS::EC2::VPC"):
            with translate_errors(DeployError, f"network {vpc}"):
                only = [{"Name": "vpc-id", "Values": [vpc]}]
                ranges = [each["CidrBlock"] for each in ec2.describe_vpcs(Filters=only)["Vpcs"]]
            if ranges and ranges != [chosen]:
                raise DeployError(
                    f"vpc_cidr={chosen!r}: the network of {self.platform} has {ranges[0]}, and its"
                    " range cannot be changed, for the database is in it. Set vpc_cidr to what it"
                    " has; another range is for another deployment, or for after `make destroy`"
                )

    def require_key(self) -> None:
        """Check that the roles will be able to read what there is.

        The roles may use the keys alone that are named: with another one, or none, what the key
        before has encrypted would be closed to the whole platform.

        Raises:
            DeployError: The data bucket has another key, which is not named as an earlier one; or
                AWS refuses to say.
        """
        bucket = None if self.stacks.unfinished(self.data) else self._data_bucket()
        if bucket is None:
            return
        chosen, has = self.config.aws.kms_key_arn, _key_of(bucket, self.make_client("s3"))
        if has and has not in {chosen, *self.config.earlier_keys}:
            raise DeployError(
                f"kms_key_arn={chosen!r}: the bucket {bucket} is encrypted with {has}, and nothing"
                " of the platform could read any more what is there. Set kms_key_arn to that key, "
                "or name it in earlier_kms_key_arns, too: what is written from now on has the"
                " chosen key then, and what is there stays readable"
            )

    def require_image(self, platform: Template) -> None:
        """Check that ECS will find the image, and tell which is replaced by which.

        An image of another registry is taken on trust.

        Args:
            platform: The template that names it.

        Raises:
            DeployError: It is not in the repository; the message says how to get it there.
        """
        self.say(
            f"image: {_image(self.stacks.outputs(self.platform))} -> {_image(platform.outputs)}"
        )
        tag = platform.outputs.get(IMAGE_TAG_OUTPUT)
        if tag is None:
            return
        repository, ecr = self.config.name, self.make_client("ecr")
        with translate_errors(DeployError, f"image repository {repository}"):
            if _has_tag(ecr, repository, tag):
                return
            [found] = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
        uri = found["repositoryUri"]
        push = PUSH.format(registry=uri.partition("/")[0], image=f"{uri}:{tag}")
        raise DeployError(
            f"there is no image {uri}:{tag} yet; data and jobs stand. Push it and deploy again"
            f" with the same arguments: {push}"
        )


def _image(outputs: Mapping[str, str]) -> str:
    return outputs.get(IMAGE_OUTPUT) or outputs.get(IMAGE_TAG_OUTPUT) or "none"


def _key_of(bucket: str, s3: Any) -> str:  # noqa: ANN401 - boto3 client
    """The KMS key of what is written to the bucket; empty where it is one of AWS's own."""
    with translate_errors(DeployError, f"bucket {bucket}"):
        found = s3.get_bucket_encryption(Bucket=bucket)
    [rule] = found["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID", ""))


def _has_tag(ecr: Any, repository: str, tag: str) -> bool:  # noqa: ANN401 - boto3 client
    from botocore.exceptions import ClientError

    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        if error_code(error) != "ImageNotFoundException":
            raise
        return False
    return True


def looked_up(
    context: Mapping[str, Any], stacks: Stacks, make_client: Callable[[str], Any]
) -> dict[str, Any]:
    """The context with what only the account knows: running image, secret's version, zone.

    An update that names no image is one of something else: it keeps the one that runs.

    Args:
        context: Context values as given.
        stacks: CloudFormation.
        make_client: Makes the boto3 client of a service.

    Raises:
        DeployError: A context value is malformed, secret or subnet does not exist, or AWS refuses
            to say.
    """
    config, found = DeployConfig.from_context(context), dict(context)
    if not (context.get("image") or context.get("image_tag")):
        running = stacks.outputs(f"{config.name}-platform")
        for key, output in (("image", IMAGE_OUTPUT), ("image_tag", IMAGE_TAG_OUTPUT)):
            if output in running:
                found[key] = running[output]
    subnets = ids(config.aws.subnets)
    if subnets and not config.glue_availability_zone:
        found["glue_availability_zone"] = _zone_of(subnets[0], make_client("ec2"))
    if config.oidc is not None and not config.oidc.client_secret_version:
        found["oidc_client_secret_version"] = _current_version(
            config.oidc.client_secret, make_client("secretsmanager")
        )
    return found


def _zone_of(subnet: str, ec2: Any) -> str:  # noqa: ANN401 - boto3 client
    with translate_errors(DeployError, f"subnet {subnet}"):
        [found] = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    return str(found["AvailabilityZone"])


def _current_version(secret: str, secrets: Any) -> str:  # noqa: ANN401 - boto3 client
    with translate_errors(DeployError, f"secret {secret}"):
        versions = secrets.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
    for version, stages in versions.items():
        if "AWSCURRENT" in stages:
            return str(version)
    raise DeployError(f"secret {secret}: it has no value yet; put the client secret there")


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
    stacks = Stacks(client("cloudformation"), click.echo)
    deployer = Deployer(config, stacks, client, click.echo)
    with tempfile.TemporaryDirectory(prefix="cdk-") as folder:
        if assembly is None:
            synthesise(looked_up(values, stacks, client), Path(folder))
        outputs = deployer.deploy(assembly or Path(folder))
    for name, value in sorted(outputs.items()):
        click.echo(f"{name}: {value}")


if __name__ == "__main__":
    main()

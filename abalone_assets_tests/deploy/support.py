"""The stacks as `make synth` makes them, for tests to look at and to deploy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.cloudformation import Stacks

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
OIDC = (
    "name=abalone-staging",
    "retain=false",
    "nat_gateways=2",
    "vpc_cidr=172.20.4.0/22",
    "people_cidrs=192.168.10.0/24, 10.8.0.0/16, 192.168.10.0/24",
    "database_multi_az=true",
    "image=registry.example.com/abalone-assets:1",
    "capture_days=30",
    f"alarm_topic_arn={TOPIC}",
    'settings={"gate_max_rmse": 2.3, "hyperparameters": {"eta": 0.02}}',
    "oidc_issuer=https://id.example.com",
    "oidc_authorization_endpoint=https://id.example.com/authorize",
    "oidc_token_endpoint=https://id.example.com/token",
    "oidc_user_info_endpoint=https://id.example.com/userinfo",
    "oidc_client_id=abalone",
    "oidc_client_secret=abalone/oidc",
    "oidc_client_secret_version=0d9f6c4e-aaaa-4bbb-8ccc-0123456789ab",
    "oidc_host=abalone.example.com",
    "certificate_arn=arn:aws:acm:us-east-1:123456789012:certificate/0d9f6c4e-1111-4222-8333-0123456789ab",
)

KEY = "arn:aws:kms:us-east-1:123456789012:key/0d9f6c4e-1111-4222-8333-0123456789ab"
EARLIER_KEY = "arn:aws:kms:us-east-1:123456789012:key/7a1b2c3d-1111-4222-8333-0123456789ab"
OWN_IMAGE = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/shared/abalone:1"
OWN_XGBOOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mirror/sagemaker-xgboost:3.2-0"
SUBNETS = ("subnet-0aaaaaaa", "subnet-0bbbbbbb")
SECURITY_GROUP = "sg-0ccccccc"
COMPANY = (
    "name=abalone-company",
    "budget_usd=300",
    "budget_email=platform@example.com",
    "glue_availability_zone=us-east-1a",
    f"earlier_kms_key_arns={EARLIER_KEY}",
    f"image={OWN_IMAGE}",
    "settings="
    + json.dumps(
        {
            "subnets": ", ".join(SUBNETS),
            "security_groups": SECURITY_GROUP,
            "kms_key_arn": KEY,
            "network_isolation": True,
            "xgboost_image": OWN_XGBOOST,
            "endpoint_mode": "autoscaled",
            "training_keep_alive_seconds": 600,
        }
    ),
)
"""What companies require: their network, key, images, a budget; and scaled instances."""

SERVERLESS = ("name=abalone-small", 'settings={"endpoint_mode": "serverless"}')


VARIANTS = {
    "assembly": ("name=abalone",),
    "oidc_assembly": OIDC,
    "company_assembly": COMPANY,
    "serverless_assembly": SERVERLESS,
}
"""What was chosen, by the fixture of the stacks that were made of it."""


def name_of(context: Sequence[str]) -> str:
    """The deployment's name in one of the contexts."""
    return context[0].removeprefix("name=")


def quick_stacks(say: Callable[[str], None] = lambda _: None) -> Stacks:
    """CloudFormation of the account that a test brought."""
    from abalone_assets.aws.clients import client
    from deploy.cloudformation import Stacks

    return Stacks(client("cloudformation"), say, poll_seconds=0.01)


def write_assembly(folder: Path, stack: str, body: str) -> Path:
    """Write the cloud assembly of one stack."""
    artifact = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json"}}
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {stack: artifact}}))
    (folder / "t.json").write_text(body)
    return folder


def push_image(tag: str, repository: str = "abalone") -> None:
    """Push an image, as far as the repository can tell."""
    from abalone_assets.aws.clients import client

    kind = "application/vnd.docker.distribution.manifest.v2+json"
    client("ecr").put_image(
        repositoryName=repository,
        imageTag=tag,
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": kind}),
    )


@dataclass(frozen=True)
class Assembly:
    """What `make synth` wrote.

    Attributes:
        folder: The cloud assembly.
        name: The deployment's name.
    """

    folder: Path
    name: str

    @cached_property
    def templates(self) -> dict[str, dict[str, Any]]:
        """Templates by what they hold: data, jobs, platform."""
        return {
            kind: json.loads((self.folder / f"{self.name}-{kind}.template.json").read_text())
            for kind in ("data", "jobs", "platform")
        }

    def resources(self, kind: str) -> list[dict[str, Any]]:
        """All resources of a type, of any stack."""
        return [
            resource
            for template in self.templates.values()
            for resource in template["Resources"].values()
            if resource["Type"] == kind
        ]

    def deploy(self, stacks: Stacks, *kinds: str) -> None:
        """Bring some of the stacks up, in an account that a test brought."""
        from deploy.cloudformation import read_assembly

        for template in read_assembly(self.folder):
            if template.stack in {f"{self.name}-{kind}" for kind in kinds}:
                stacks.deploy(template)


def synthesise(folder: Path, *context: str, module: str = "deploy.app") -> Path:
    """Synthesise where there is no network, no credentials and no program but Python.

    Raises:
        AssertionError: It failed, as it does when cdk-nag finds something.
    """
    arguments = [part for pair in context for part in ("-c", pair)]
    done = subprocess.run(
        [sys.executable, "-m", module, "-o", str(folder), *arguments],
        cwd=ROOT,
        env={
            "PATH": str(folder),
            "HOME": os.environ["HOME"],  # the CDK keeps its unpacked libraries there
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "LANG": os.environ.get("LANG", "C.UTF-8"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder

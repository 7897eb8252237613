"""Images of one's own in ECR: what a role needs to pull them.

Sources: https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html (names of
registries), https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html.
"""

from __future__ import annotations

import re
from typing import Final

from aws_cdk import Aws

from deploy.stacks.permissions import ANY, NO_RESOURCE, Permission

PULL: Final = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
)
LOG_IN: Final = Permission(
    "LogInToImages", ["ecr:GetAuthorizationToken"], [ANY], wildcards=NO_RESOURCE
)

_URI: Final = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)"
    r"\.(?:amazonaws\.com|amazonaws\.com\.cn|on\.aws|on\.amazonwebservices\.com\.cn)"
    r"/(?P<repository>[a-z0-9._/-]+)(?:[:@].*)?"
)


def repository_arn(uri: str) -> str | None:
    """The ARN of an image's repository; None where it is in no registry of ECR.

    Its partition is the deployment's: nobody can pull from another one.
    """
    found = _URI.fullmatch(uri)
    if found is None:
        return None
    place = f"{found['region']}:{found['account']}"
    return f"arn:{Aws.PARTITION}:ecr:{place}:repository/{found['repository']}"


def pull(*uris: str) -> list[Permission]:
    """Pull images from their very repositories; none is needed for other registries."""
    found = [arn for uri in uris if (arn := repository_arn(uri)) is not None]
    return [Permission("PullOwnImages", [*PULL], found)] if found else []

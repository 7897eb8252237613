"""What companies require of what AWS runs for us: their network, their key, or no network at all.

The requests of the services spell it each in its own way; here it is spelled for all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

_LOCAL_STORAGE: Final = re.compile(r"ml\.(?:[a-z]+\d+[a-z]*d[a-z]*|g[5-9]\w*|p[45]\w*|trn\d\w*)\.")
"""Instance types with storage of their own, which their hardware encrypts.

SageMaker refuses a key for the volume of such a one:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html,
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
"""


@dataclass(frozen=True)
class Boundary:
    """Where jobs and endpoints run, and with whose key they write; by default, with AWS's own.

    Attributes:
        subnets: Ids of the VPC's subnets that they get their network interfaces in.
        security_groups: Ids of the security groups of these interfaces.
        kms_key_arn: ARN of the key of volumes and outputs.
        isolated: Whether containers get no network at all, only what SageMaker copies for them.
    """

    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    kms_key_arn: str = ""
    isolated: bool = False

    @property
    def vpc(self) -> dict[str, Any]:
        """The member ``VpcConfig`` of a request."""
        if not self.subnets:
            return {}
        inside = {"Subnets": [*self.subnets], "SecurityGroupIds": [*self.security_groups]}
        return {"VpcConfig": inside}

    @property
    def isolation(self) -> dict[str, Any]:
        """The member ``EnableNetworkIsolation`` of a request."""
        return {"EnableNetworkIsolation": True} if self.isolated else {}

    @property
    def network(self) -> dict[str, Any]:
        """The member ``NetworkConfig`` of a processing job's request."""
        config = {**self.vpc, **self.isolation}
        return {"NetworkConfig": config} if config else {}

    def key(self, member: str = "KmsKeyId") -> dict[str, str]:
        """The member of a request that names the key."""
        return {member: self.kms_key_arn} if self.kms_key_arn else {}

    def volume_key(self, instance_type: str, member: str = "VolumeKmsKeyId") -> dict[str, str]:
        """The same for the volume of an instance."""
        has_own = _LOCAL_STORAGE.match(instance_type)
        return {} if has_own else self.key(member)


OPEN: Final = Boundary()
"""AWS's network and key."""

"""Dagster itself: network, database, services, and the way to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

from deploy.config import IMAGE_OUTPUT, IMAGE_TAG_OUTPUT
from deploy.stacks.database import Database
from deploy.stacks.front_door import FrontDoor
from deploy.stacks.network import Network
from deploy.stacks.services import Services

if TYPE_CHECKING:
    from constructs import Construct

    from deploy.config import DeployConfig
    from deploy.stacks.names import Names


class PlatformStack(cdk.Stack):
    """The VPC, RDS, the ECS services and, when people sign in by OIDC, the load balancer."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: DeployConfig,
        names: Names,
        **kwargs: Any,  # noqa: ANN401 - as aws_cdk.Stack's
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        network = Network(
            self,
            "Network",
            names=names,
            cidr=config.vpc_cidr,
            nat_gateways=config.nat_gateways,
        )
        database = Database(self, "Database", config=config, network=network)
        services = Services(
            self, "Dagster", config=config, names=names, network=network, database=database
        )
        cdk.CfnOutput(self, "Cluster", value=names.cluster)
        # What runs; `make deploy` keeps it when it is given nothing else.
        if config.image:
            cdk.CfnOutput(self, IMAGE_OUTPUT, value=config.image)
        else:
            cdk.CfnOutput(self, IMAGE_TAG_OUTPUT, value=config.image_tag)
        if config.oidc is not None:
            door = FrontDoor(
                self,
                "FrontDoor",
                oidc=config.oidc,
                people=config.people,
                names=names,
                network=network,
                web=services.web,
                retain=config.retain,
            )
            cdk.CfnOutput(self, "WebServer", value=f"https://{config.oidc.host}")
            cdk.CfnOutput(self, "LoadBalancer", value=door.dns_name)

"""The network: two zones; what runs here answers no one outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from deploy.stacks import names as n

if TYPE_CHECKING:
    from deploy.stacks.names import Names


class Network(Construct):
    """A VPC whose private subnets reach AWS and the internet through a NAT gateway.

    A NAT gateway costs what four or five interface endpoints in one zone do, and the platform
    calls a dozen services; besides, the base survey comes from the internet. S3, where the bytes
    are, has a gateway endpoint, which is free.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        names: Of the deployment.
        cidr: Addresses of the VPC; its subnets take 896 of them.
        nat_gateways: One, or one for each zone.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, names: Names, cidr: str, nat_gateways: int
    ) -> None:
        super().__init__(scope, construct_id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            max_azs=2,
            nat_gateways=nat_gateways,
            restrict_default_security_group=False,  # true adds a Lambda function; nothing is in it
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=26,
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(
                    name="private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=24
                ),
                ec2.SubnetConfiguration(
                    name="database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26
                ),
            ],
        )
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self.vpc.vpc_id,
            resource_type="VPC",
            traffic_type="ALL",
            log_destination_type="s3",
            log_destination=f"{names.logs_bucket_arn}/{n.FLOW_LOGS}/",
        )
        self.database = self._group("DatabaseAccess", "The database of Dagster")
        self.code_location = self._group("CodeLocation", "The code location")
        self.dagster = self._group("Dagster", "Daemon, web server and run workers")
        self._open_the_ways()

    def _group(self, construct_id: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self,
            construct_id,
            vpc=self.vpc,
            description=description,
            allow_all_outbound=construct_id != "DatabaseAccess",
        )

    def _open_the_ways(self) -> None:
        for group, what in ((self.dagster, "Dagster"), (self.code_location, "Code location")):
            self.database.add_ingress_rule(group, ec2.Port.tcp(DATABASE_PORT), what)
        self.code_location.add_ingress_rule(self.dagster, ec2.Port.tcp(GRPC_PORT), "Dagster")


DATABASE_PORT = 5432
GRPC_PORT = 4000
WEB_PORT = 3000

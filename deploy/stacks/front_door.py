"""The way to the web server for people: an internal load balancer that asks who they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import Construct

from deploy.stacks import names as n
from deploy.stacks.network import WEB_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.config import Oidc
    from deploy.stacks.names import Names
    from deploy.stacks.network import Network


class FrontDoor(Construct):
    """HTTPS, then OIDC, then the web server.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        oidc: The identity provider, and the certificate.
        people: Addresses that people come from, through peered networks and VPNs: the load balancer
            has no public address.
        names: Of the deployment.
        network: VPC and security groups.
        web: The web server.
        retain: Whether the load balancer is protected from deletion.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        oidc: Oidc,
        people: Sequence[str],
        names: Names,
        network: Network,
        web: ecs.FargateService,
        retain: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        balancer = elb.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            load_balancer_name=f"{names.cluster}-dagster",
            vpc=network.vpc,
            internet_facing=False,
            drop_invalid_header_fields=True,
            deletion_protection=retain,
        )
        for key, value in {
            "enabled": "true",
            "bucket": names.logs_bucket,
            "prefix": n.LOAD_BALANCER_LOGS,
        }.items():
            # log_access_logs() would have to write the policy of a bucket of another stack.
            balancer.set_attribute(f"access_logs.s3.{key}", value)
        listener = balancer.add_listener(
            "Https",
            port=443,
            open=False,
            protocol=elb.ApplicationProtocol.HTTPS,
            ssl_policy=elb.SslPolicy.TLS13_RES,
            certificates=[elb.ListenerCertificate.from_arn(oidc.certificate_arn)],
            default_action=_sign_in(oidc, self._target(web, network)),
        )
        for cidr in people:
            listener.connections.allow_default_port_from(ec2.Peer.ipv4(cidr), "People")
        self.dns_name = balancer.load_balancer_dns_name

    def _target(self, web: ecs.FargateService, network: Network) -> elb.ApplicationTargetGroup:
        return elb.ApplicationTargetGroup(
            self,
            "Web",
            vpc=network.vpc,
            port=WEB_PORT,
            protocol=elb.ApplicationProtocol.HTTP,
            targets=[web],
            deregistration_delay=cdk.Duration.seconds(30),
            health_check=elb.HealthCheck(path="/server_info"),
        )


def _sign_in(oidc: Oidc, target: elb.ApplicationTargetGroup) -> elb.ListenerAction:
    return elb.ListenerAction.authenticate_oidc(
        issuer=oidc.issuer,
        authorization_endpoint=oidc.authorization_endpoint,
        token_endpoint=oidc.token_endpoint,
        user_info_endpoint=oidc.user_info_endpoint,
        client_id=oidc.client_id,
        # By its version: CloudFormation looks a secret up again only where the reference changed.
        client_secret=cdk.SecretValue.secrets_manager(
            oidc.client_secret, version_id=oidc.client_secret_version or None
        ),
        session_timeout=cdk.Duration.hours(12),
        next=elb.ListenerAction.forward([target]),
    )

"""What ``abalone doctor`` looks at on AWS before anything is launched; it launches nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import AwsError, translate_errors
from abalone_assets.aws.parameters import resolve
from abalone_assets.doctor.aws.data import data_findings
from abalone_assets.doctor.aws.services import service_findings
from abalone_assets.doctor.finding import (
    Finding,
    base_survey,
    look_at,
    mlflow_server,
    packages,
    recipients,
)
from abalone_assets.settings.aws import SSM_SCHEME, STACK_VALUES, ZONES
from abalone_assets.settings.environment import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.settings.aws import AwsSettings
    from abalone_assets.settings.platform import Settings

NEEDED: Final = ("boto3", "dagster-aws", "sagemaker-core")
DEPLOY: Final = "run `make deploy` in this account and region"


def aws_findings(
    settings: Settings, aws: AwsSettings, on_progress: Callable[[str], None]
) -> Iterator[Finding]:
    """Look at what the profile aws needs, as far as the first thing that hides the rest."""
    for look in (_packages, _region, _identity):
        finding = look()
        yield finding
        if finding.outcome == "failed":
            return
    values: dict[str, str] = {}
    yield from _parameters(settings, aws, values)
    yield from data_findings(values)
    yield from service_findings(aws, values, settings.endpoint_name, on_progress)
    yield base_survey(settings)
    yield from recipients(settings)
    yield from mlflow_server(settings)


def _packages() -> Finding:
    return packages(NEEDED, remedy="pip install 'abalone-assets[aws]'")


def _region() -> Finding:
    return look_at("region", region, remedy="export AWS_REGION=us-east-1")


def _identity() -> Finding:
    def caller() -> str:
        with translate_errors(AwsError, "sts"):
            return str(client("sts").get_caller_identity()["Arn"])

    return look_at("identity", caller, remedy="sign in: `aws sso login`, AWS_PROFILE, or a role")


def _parameters(settings: Settings, aws: AwsSettings, values: dict[str, str]) -> Iterator[Finding]:
    """Look every parameter up; those that are found go to ``values``."""
    given = {name: getattr(settings, name) for name in ZONES}
    given |= {name: getattr(aws, name) for name in STACK_VALUES}
    for name, value in given.items():
        source = value if value.startswith(SSM_SCHEME) else variable(name)
        finding = look_at(
            source, partial(resolve, value), remedy=f"{DEPLOY}, or set {variable(name)}"
        )
        yield finding
        if finding.outcome == "ok":
            values[name] = finding.found

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse
from moto.servicequotas.responses import ServiceQuotasResponse

from abalone_assets.aws.clients import client
from abalone_assets.aws.images import IMAGES
from abalone_assets_tests.aws.support import make_queue, put_parameters
from abalone_assets_tests.doctor.account import (
    ALARMS,
    GLUE_ROLE,
    QUOTAS,
    UNCHANGED,
    make_glue,
    make_role,
    put_alarm,
    secure,
    set_date,
)
from abalone_assets_tests.doctor.live import QUICK_POLL, deployed

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn


@pytest.fixture
def proved(aws: AwsStandIn, home: Path, monkeypatch: pytest.MonkeyPatch) -> AwsStandIn:
    """An account in which the stack was deployed, and the profile aws."""
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    monkeypatch.setenv("ABALONE_POLL_SECONDS", QUICK_POLL)
    deployed(aws)
    return aws


@pytest.fixture
def quotas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's quotas; moto has none of SageMaker."""
    for operation, allowed in {
        "list_service_quotas": QUOTAS,
        "list_aws_default_service_quotas": {UNCHANGED: 1.0},
    }.items():
        quotas = [{"QuotaName": name, "Value": value} for name, value in allowed.items()]
        answer = json.dumps({"Quotas": quotas})
        monkeypatch.setattr(
            ServiceQuotasResponse, operation, lambda _, told=answer: told, raising=False
        )


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The actions that IAM says are denied; moto simulates no policies."""
    actions: set[str] = set()

    def simulate_principal_policy(response: IamResponse) -> ActionResult:
        asked = response._get_param("ActionNames")
        results = [
            {
                "EvalActionName": action,
                "EvalDecision": "implicitDeny" if action in actions else "allowed",
            }
            for action in asked
        ]
        return ActionResult({"EvaluationResults": results})

    monkeypatch.setattr(
        IamResponse, "simulate_principal_policy", simulate_principal_policy, raising=False
    )
    return actions


@pytest.fixture
def account(
    aws: AwsStandIn,
    home: Path,
    quotas: None,
    denied: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> AwsStandIn:
    """An account in which the stack was deployed."""
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    set_date(monkeypatch, min(image.ends for image in IMAGES.values()) - timedelta(days=91))
    secure(aws)
    queue_url = make_queue(aws, aws.bucket, "landing_zone/")
    make_glue(aws)
    make_role()
    make_role(GLUE_ROLE, "glue.amazonaws.com")
    client("sagemaker").create_model_package_group(ModelPackageGroupName="abalone")
    for name in ALARMS:
        put_alarm(name)
    places = ("lake", "landing_zone", "registry", "jobs", "captured_requests")
    uris = {f"{place.replace('_', '-')}-uri": f"s3://{aws.bucket}/{place}" for place in places}
    uris["capture-uri"] = uris.pop("captured-requests-uri")
    put_parameters(
        {
            **uris,
            "survey-queue-url": queue_url,
            "glue-job": "abalone-prepare",
            "glue-database": "abalone",
            "glue-crawler": "abalone-landing-zone",
            "job-role-arn": "arn:aws:iam::123456789012:role/abalone-jobs",
            "model-package-group": "abalone",
            "endpoint-alarms": ",".join(ALARMS),
        }
    )
    return aws

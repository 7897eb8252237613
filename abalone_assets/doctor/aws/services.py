"""The part of ``abalone doctor`` that looks at what jobs and the endpoint need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import AwsError, error_code, translate_errors
from abalone_assets.aws.images import POLICY, image_uri, support_ends
from abalone_assets.aws.parameters import resolve_list
from abalone_assets.doctor.aws.roles import (
    DEPLOY,
    GLUE,
    SAGEMAKER,
    check_assumable,
    permissions,
)
from abalone_assets.doctor.finding import TroubleError, look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date

    from abalone_assets.doctor.finding import Finding, Outcome
    from abalone_assets.settings.aws import AwsSettings

MAY_LOOK: Final = "allow iam:SimulatePrincipalPolicy and iam:GetRole to this identity to be told"
QUOTAS_REMEDY: Final = (
    "allow servicequotas:ListServiceQuotas and servicequotas:ListAWSDefaultServiceQuotas, or look "
    "in the console: Service Quotas, Amazon SageMaker"
)

IMAGE_NOTICE: Final = timedelta(days=90)
"""How long before the end of an image's patches there is a warning: time to try the next one."""

MAX_PAGES: Final = 100
"""SageMaker has some thousand quotas, a hundred to a page."""

LISTINGS: Final = ("list_service_quotas", "list_aws_default_service_quotas")
"""The first leaves quotas out that were never changed in this account; the second has them all."""


def service_findings(
    aws: AwsSettings,
    values: Mapping[str, str],
    endpoint: str,
    on_progress: Callable[[str], None],
) -> Iterator[Finding]:
    """Look at what the jobs and the endpoint need; ``values`` are those that were looked up."""
    looks: dict[str, tuple[str, Callable[[str], str], Outcome]] = {
        "glue_job": ("Glue job", _glue_job, "failed"),
        "glue_database": ("Glue database", _glue_database, "failed"),
        "glue_crawler": ("Glue crawler", _glue_crawler, "failed"),
        "job_role_arn": ("SageMaker role", _role, "warning"),
        "model_package_group": ("model package group", _package_group, "failed"),
        "endpoint_alarms": ("endpoint alarms", _alarms, "failed"),
    }
    for name, (subject, look, otherwise) in looks.items():
        if name in values:
            found = partial(look, values[name])
            yield look_at(subject, found, remedy=DEPLOY, otherwise=otherwise)
    yield look_at(
        "endpoint", partial(_endpoint, endpoint), remedy="see the endpoint in the console"
    )
    yield from _images(aws)
    allowed = partial(permissions, values, endpoint)
    yield look_at("permissions", allowed, remedy=MAY_LOOK, otherwise="warning")
    enough = partial(_quotas, aws, on_progress)
    yield look_at("quotas", enough, remedy=QUOTAS_REMEDY, otherwise="warning")


def _glue_job(name: str) -> str:
    with translate_errors(AwsError, f"the Glue job {name}"):
        job = client("glue").get_job(JobName=name)["Job"]
    workers = f"{job.get('NumberOfWorkers', '?')} workers {job.get('WorkerType', '')}".strip()
    found = f"{name}: Glue {job.get('GlueVersion', '?')}, {workers}"
    check_assumable(job["Role"], GLUE, found)
    return found


def _glue_database(name: str) -> str:
    with translate_errors(AwsError, f"the Glue database {name}"):
        client("glue").get_database(Name=name)
    return name


def _glue_crawler(name: str) -> str:
    with translate_errors(AwsError, f"the Glue crawler {name}"):
        crawler = client("glue").get_crawler(Name=name)["Crawler"]
    found = f"{name}: {crawler['State']}"
    check_assumable(crawler["Role"], GLUE, found)
    return found


def _role(arn: str) -> str:
    check_assumable(arn, SAGEMAKER, arn)
    return arn


def _package_group(name: str) -> str:
    with translate_errors(AwsError, f"the model package group {name}"):
        client("sagemaker").describe_model_package_group(ModelPackageGroupName=name)
    return name


def _alarms(value: str) -> str:
    names = resolve_list(value)
    if not names:
        remedy = "a bad version would not be rolled back while it takes traffic; name some"
        raise TroubleError("warning", "none", remedy)
    with translate_errors(AwsError, "CloudWatch"):
        answer = client("cloudwatch").describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    alarms = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}
    missing = [name for name in names if name not in states]
    if missing:
        raise TroubleError("failed", f"no such alarm: {', '.join(missing)}", DEPLOY)
    ringing = [name for name in names if states[name] == "ALARM"]
    if ringing:
        remedy = "a deployment now would go without it; find out why it rings"
        raise TroubleError("warning", f"in alarm: {', '.join(ringing)}", remedy)
    return ", ".join(names)


def _endpoint(name: str) -> str:
    from botocore.exceptions import ClientError

    with translate_errors(AwsError, f"the endpoint {name}"):
        try:
            described = client("sagemaker").describe_endpoint(EndpointName=name)
        except ClientError as error:
            if error_code(error) == "ValidationException":
                return f"{name}: none yet; the first release makes it"
            raise
    status = described["EndpointStatus"]
    if status == "InService":
        return f"{name}: {status}, {described['EndpointConfigName']}"
    if status == "Failed":
        reason = described.get("FailureReason", "no reason given")
        remedy = f"delete it: aws sagemaker delete-endpoint --endpoint-name {name}"
        raise TroubleError("failed", f"{name}: {status}: {reason}", remedy)
    raise TroubleError("warning", f"{name}: {status}", "a release waits until it is done")


def _images(aws: AwsSettings) -> Iterator[Finding]:
    chosen: tuple[tuple[str, str, Outcome], ...] = (
        ("xgboost", aws.xgboost_image, "failed"),
        ("tensorflow", aws.tensorflow_image, "warning"),
    )
    for framework, override, otherwise in chosen:
        look = partial(_image, framework, override, aws.training_instance_type, otherwise)
        remedy = f"set ABALONE_{framework.upper()}_IMAGE"
        yield look_at(f"{framework} image", look, remedy=remedy, otherwise=otherwise)


def _image(framework: str, override: str, instance_type: str, ended: Outcome) -> str:
    """The image, and until when AWS patches it.

    Raises:
        TroubleError: Not for much longer, or, as bad as ``ended``, not any more.
    """
    image = image_uri(framework, region=region(), instance_type=instance_type, override=override)
    ends = support_ends(image)
    if ends is None:
        return image
    variable = f"ABALONE_{framework.upper()}_IMAGE"
    newer = (
        f"unset {variable}" if override else f"install a newer abalone-assets, or set {variable}"
    )
    remedy = f"{newer} to take a supported image: {POLICY}"
    left = ends - _today()
    if left < timedelta(0):
        raise TroubleError(ended, f"{image}: AWS has not patched it since {ends}", remedy)
    if left <= IMAGE_NOTICE:
        raise TroubleError("warning", f"{image}: patched until {ends}, {left.days} days", remedy)
    return f"{image}, patched until {ends}"


def _today() -> date:
    return datetime.now(UTC).date()


def _quotas(aws: AwsSettings, on_progress: Callable[[str], None]) -> str:
    """Compare SageMaker's quotas with what runs take: a new version is beside the old one."""
    spot = "spot " if aws.training_spot else ""
    needed = {
        f"{aws.training_instance_type} for {spot}training job usage": 1,
        f"{aws.processing_instance_type} for processing job usage": 1,
        f"{aws.scoring_instance_type} for transform job usage": 1,
        **_instances_of_the_endpoint(aws),
    }
    allowed: dict[str, float] = {}
    for listing in LISTINGS:
        missing = needed.keys() - allowed.keys()
        if missing:
            allowed |= _listed(listing, missing, on_progress)
    short = [
        f"{name}: {allowed[name]:g} of {count} needed"
        for name, count in needed.items()
        if allowed.get(name, count) < count
    ]
    if short:
        remedy = "ask for more in the console (Service Quotas), or take other instance types"
        raise TroubleError("failed", "; ".join(short), remedy)
    unknown = sorted(needed.keys() - allowed.keys())
    if unknown:
        remedy = "take instance types that SageMaker has in this region"
        raise TroubleError("warning", f"there is none of: {', '.join(unknown)}", remedy)
    return "; ".join(f"{name}: {allowed[name]:g}" for name in needed)


def _instances_of_the_endpoint(aws: AwsSettings) -> dict[str, int]:
    """What the endpoint takes at the most; a serverless one has other quotas than instances."""
    if aws.endpoint_mode == "serverless":
        return {}
    scaled = aws.endpoint_mode == "autoscaled"
    count = aws.endpoint_max_instance_count if scaled else aws.endpoint_instance_count
    return {f"{aws.endpoint_instance_type} for endpoint usage": 2 * count}


def _listed(listing: str, names: set[str], on_progress: Callable[[str], None]) -> dict[str, float]:
    """Those of the quotas that a listing has."""
    found: dict[str, float] = {}
    with translate_errors(AwsError, "the quotas of SageMaker"):
        # Service Quotas throttles a list of many pages even when nobody else asks.
        pages = client("service-quotas", throttled=True).get_paginator(listing)
        limits = {"MaxItems": MAX_PAGES * 100, "PageSize": 100}
        asked = pages.paginate(ServiceCode="sagemaker", PaginationConfig=limits)
        for number, page in enumerate(asked, start=1):
            on_progress(f"quotas of SageMaker, page {number}")
            found |= {
                quota["QuotaName"]: quota["Value"]
                for quota in page["Quotas"]
                if quota["QuotaName"] in names
            }
            if names <= found.keys():
                break
    return found

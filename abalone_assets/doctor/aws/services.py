"""The part of ``abalone doctor`` that looks at what jobs and the endpoint need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import AwsError, error_code, translate_errors
from abalone_assets.aws.images import image_uri
from abalone_assets.aws.parameters import resolve_list
from abalone_assets.doctor.aws.quotas import quotas
from abalone_assets.doctor.aws.roles import (
    DEPLOY,
    GLUE,
    PERMISSIONS,
    SAGEMAKER,
    assumable,
    permissions,
)
from abalone_assets.doctor.finding import Finding, guarded, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from abalone_assets.doctor.finding import Outcome
    from abalone_assets.settings.aws import AwsSettings

MAY_LOOK: Final = "allow iam:SimulatePrincipalPolicy and iam:GetRole to this identity to be told"
QUOTAS_REMEDY: Final = (
    "allow servicequotas:ListServiceQuotas and servicequotas:ListAWSDefaultServiceQuotas, or look "
    "in the console: Service Quotas, Amazon SageMaker"
)


def service_findings(
    aws: AwsSettings,
    values: Mapping[str, str],
    *,
    endpoint: str,
    on_progress: Callable[[str], None],
) -> Iterator[Finding]:
    """Look at what the jobs and the endpoint need.

    Args:
        aws: For the instance types and images.
        values: The settings that could be looked up, by field.
        endpoint: The endpoint's name.
        on_progress: Told, in a line, what takes long.
    """
    looks: dict[str, tuple[str, Callable[[str], Finding], Outcome]] = {
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
            yield guarded(subject, found, remedy=DEPLOY, otherwise=otherwise)
    yield guarded(
        "endpoint", partial(_endpoint, endpoint), remedy="see the endpoint in the console"
    )
    yield from _images(aws)
    allowed = partial(permissions, values, endpoint)
    yield guarded(PERMISSIONS, allowed, remedy=MAY_LOOK, otherwise="warning")
    enough = partial(quotas, aws, on_progress)
    yield guarded("quotas", enough, remedy=QUOTAS_REMEDY, otherwise="warning")


def _glue_job(name: str) -> Finding:
    with translate_errors(AwsError, f"the Glue job {name}"):
        job = client("glue").get_job(JobName=name)["Job"]
    workers = f"{job.get('NumberOfWorkers', '?')} workers {job.get('WorkerType', '')}".strip()
    found = f"{name}: Glue {job.get('GlueVersion', '?')}, {workers}"
    return assumable("Glue job", found, job["Role"], GLUE)


def _glue_database(name: str) -> Finding:
    with translate_errors(AwsError, f"the Glue database {name}"):
        client("glue").get_database(Name=name)
    return ok("Glue database", name)


def _glue_crawler(name: str) -> Finding:
    with translate_errors(AwsError, f"the Glue crawler {name}"):
        crawler = client("glue").get_crawler(Name=name)["Crawler"]
    found = f"{name}: {crawler['State']}"
    return assumable("Glue crawler", found, crawler["Role"], GLUE)


def _role(arn: str) -> Finding:
    return assumable("SageMaker role", arn, arn, SAGEMAKER)


def _package_group(name: str) -> Finding:
    with translate_errors(AwsError, f"the model package group {name}"):
        client("sagemaker").describe_model_package_group(ModelPackageGroupName=name)
    return ok("model package group", name)


def _alarms(value: str) -> Finding:
    subject, names = "endpoint alarms", resolve_list(value)
    if not names:
        remedy = "a bad version would not be rolled back while it takes traffic; name some"
        return Finding(subject, "warning", "none", remedy)
    with translate_errors(AwsError, "CloudWatch"):
        answer = client("cloudwatch").describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    alarms = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}
    missing = [name for name in names if name not in states]
    if missing:
        return Finding(subject, "failed", f"no such alarm: {', '.join(missing)}", DEPLOY)
    ringing = [name for name in names if states[name] == "ALARM"]
    if ringing:
        remedy = "a deployment now would go without it; find out why it rings"
        return Finding(subject, "warning", f"in alarm: {', '.join(ringing)}", remedy)
    return ok(subject, ", ".join(names))


def _endpoint(name: str) -> Finding:
    from botocore.exceptions import ClientError

    with translate_errors(AwsError, f"the endpoint {name}"):
        try:
            described = client("sagemaker").describe_endpoint(EndpointName=name)
        except ClientError as error:
            if error_code(error) == "ValidationException":
                return ok("endpoint", f"{name}: none yet; the first release makes it")
            raise
    status = described["EndpointStatus"]
    if status == "InService":
        return ok("endpoint", f"{name}: {status}, {described['EndpointConfigName']}")
    if status == "Failed":
        reason = described.get("FailureReason", "no reason given")
        remedy = f"delete it: aws sagemaker delete-endpoint --endpoint-name {name}"
        return Finding("endpoint", "failed", f"{name}: {status}: {reason}", remedy)
    return Finding("endpoint", "warning", f"{name}: {status}", "a release waits until it is done")


def _images(aws: AwsSettings) -> Iterator[Finding]:
    chosen: tuple[tuple[str, str, Outcome], ...] = (
        ("xgboost", aws.xgboost_image, "failed"),
        ("tensorflow", aws.tensorflow_image, "warning"),
    )
    for framework, override, otherwise in chosen:
        look = partial(_image, framework, override, aws.training_instance_type)
        remedy = f"set ABALONE_{framework.upper()}_IMAGE"
        yield guarded(f"{framework} image", look, remedy=remedy, otherwise=otherwise)


def _image(framework: str, override: str, instance_type: str) -> Finding:
    uri = image_uri(framework, region=region(), instance_type=instance_type, override=override)
    return ok(f"{framework} image", uri)

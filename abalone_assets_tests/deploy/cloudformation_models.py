"""What moto's CloudFormation leaves out: resource types, limits of templates, pages of events.

moto reports a stack complete and silently skips what it has no model for, although it has the
services behind it. These models make it create and delete those resources too, so that a test can
look at the services.
"""

from __future__ import annotations

import inspect
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from moto.backends import get_backend
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.common_models import CloudFormationModel
from moto.core.responses import ActionResult
from moto.s3.models import FakeBucket

from abalone_assets_tests.fakes.places import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

Properties = dict[str, Any]


def _backend(service: str, place: str = REGION) -> Any:
    backends: Any = get_backend  # typed by the literal name of each service
    return backends(service)[ACCOUNT][place]


def _call(function: Callable[..., Any], given: Properties) -> Any:
    """Call a backend's function; what is not given is None."""
    return function(**{name: given.get(name) for name in inspect.signature(function).parameters})


def _snake(properties: Properties) -> Properties:
    return {
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): value
        for name, value in properties.items()
    }


def _glue(kind: str, properties: Properties) -> str:
    given = _snake(properties)
    _call(getattr(_backend("glue"), f"create_{kind}"), given | {"tags": properties.get("Tags")})
    return str(given["name"])


def _glue_database(properties: Properties) -> str:
    name: str = properties["DatabaseInput"]["Name"]
    _backend("glue").create_database(name, properties["DatabaseInput"])
    return name


def _glue_connection(properties: Properties) -> str:
    given: Properties = properties["ConnectionInput"]
    _backend("glue").create_connection(ACCOUNT, given, tags={})
    return str(given["Name"])


def _budget(properties: Properties) -> str:
    given: Properties = properties["Budget"]
    _backend("budgets", "aws").create_budget(ACCOUNT, given, notifications=[])
    return str(given["BudgetName"])


def _queue_policy(properties: Properties) -> str:
    for url in properties["Queues"]:
        policy = json.dumps(properties["PolicyDocument"])
        _backend("sqs").set_queue_attributes(url.rpartition("/")[2], {"Policy": policy})
    return "queue-policy"


def _alarm(properties: Properties) -> str:
    given = _snake(properties) | {"name": properties["AlarmName"], "actions_enabled": True}
    given["description"] = properties["AlarmDescription"]
    given.setdefault("dimensions", [])
    _call(_backend("cloudwatch").put_metric_alarm, given)
    return str(properties["AlarmName"])


def _model_package_group(properties: Properties) -> str:
    _call(_backend("sagemaker").create_model_package_group, _snake(properties))
    return str(properties["ModelPackageGroupName"])


def _delete_model_package_group(name: str) -> None:
    """As SageMaker does, refuse while versions are registered."""
    backend = _backend("sagemaker")
    packages = [p for p in backend.model_packages.values() if p.model_package_group_name == name]
    assert not packages, f"model package group {name} still has versions"
    del backend.model_package_groups[name]


def _secret(properties: Properties) -> str:
    template = json.loads(properties["GenerateSecretString"]["SecretStringTemplate"])
    secret = {
        "name": properties.get("Name", "generated"),
        "secret_string": json.dumps(template | {"password": "generated"}),
        "replica_regions": [],
        "force_overwrite": False,
    }
    return str(json.loads(_call(_backend("secretsmanager").create_secret, secret))["ARN"])


def _delete_secret(name: str) -> None:
    _backend("secretsmanager").delete_secret(
        name, recovery_window_in_days=None, force_delete_without_recovery=True
    )


def _namespace(properties: Properties) -> str:
    backend = _backend("servicediscovery")
    _call(backend.create_private_dns_namespace, _snake(properties))
    return str(next(n.id for n in backend.namespaces.values() if n.name == properties["Name"]))


def _discovered_service(properties: Properties) -> str:
    made = _call(_backend("servicediscovery").create_service, _snake(properties))
    return str(made.id)


def _parameter(properties: Properties) -> str:
    """moto has a model, but it fails on tags, which are no list here."""
    given = _snake(properties) | {"overwrite": False, "tags": [], "data_type": "text"}
    _call(_backend("ssm").put_parameter, given | {"parameter_type": properties["Type"]})
    return str(properties["Name"])


def _flow_log(properties: Properties) -> str:
    """moto has a model, but it takes the destination's prefix for a part of the bucket's name."""
    given = _snake(properties) | {"resource_ids": [properties["ResourceId"]]}
    given["log_destination"] = properties["LogDestination"].partition("/")[0]
    made, _ = _call(_backend("ec2").create_flow_logs, given)
    return str(made[0].id)


def _forget(_: str) -> None:
    """It is gone with what it belongs to."""


MODELS: dict[str, tuple[Callable[[Properties], str], Callable[[str], None]]] = {
    "AWS::Budgets::Budget": (
        _budget,
        lambda name: _backend("budgets", "aws").delete_budget(ACCOUNT, name),
    ),
    "AWS::CloudWatch::Alarm": (
        _alarm,
        lambda name: _backend("cloudwatch").delete_alarms([name]),
    ),
    "AWS::EC2::FlowLog": (_flow_log, lambda name: _backend("ec2").delete_flow_logs([name])),
    "AWS::EC2::SecurityGroupEgress": (lambda given: given["GroupId"], _forget),
    "AWS::Glue::Connection": (
        _glue_connection,
        lambda name: _backend("glue").delete_connection(ACCOUNT, name),
    ),
    "AWS::Glue::Crawler": (
        partial(_glue, "crawler"),
        lambda name: _backend("glue").delete_crawler(name),
    ),
    "AWS::Glue::Database": (
        _glue_database,
        lambda name: _backend("glue").delete_database(name),
    ),
    "AWS::Glue::Job": (partial(_glue, "job"), lambda name: _backend("glue").delete_job(name)),
    "AWS::S3::BucketPolicy": (lambda given: given["Bucket"], _forget),  # moto misreads conditions
    "AWS::SageMaker::ModelPackageGroup": (_model_package_group, _delete_model_package_group),
    "AWS::SecretsManager::Secret": (
        _secret,
        _delete_secret,
    ),
    "AWS::SecretsManager::SecretTargetAttachment": (lambda given: given["SecretId"], _forget),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": (
        _namespace,
        lambda name: _backend("servicediscovery").delete_namespace(name),
    ),
    "AWS::ServiceDiscovery::Service": (
        _discovered_service,
        lambda name: _backend("servicediscovery").delete_service(name),
    ),
    "AWS::SQS::QueuePolicy": (_queue_policy, _forget),
    "AWS::SSM::Parameter": (_parameter, lambda name: _backend("ssm").delete_parameter(name)),
}


DELETIONS: dict[str, Callable[[Any], Any]] = {
    "AWS::EC2::InternetGateway": lambda made: _backend("ec2").internet_gateways.pop(made.id),
    "AWS::EC2::NatGateway": lambda made: _backend("ec2").delete_nat_gateway(made.id),
    "AWS::EC2::Route": lambda _: None,  # gone with its table
    "AWS::EC2::RouteTable": lambda made: _backend("ec2").delete_route_table(made.id),
    "AWS::EC2::VPCEndpoint": lambda made: _backend("ec2").vpc_end_points.pop(made.id),
    "AWS::EC2::VPCGatewayAttachment": lambda _: None,  # gone with its gateway
    "AWS::ECS::Cluster": lambda made: _backend("ecs").delete_cluster(made.name),
    "AWS::ECS::Service": lambda made: _backend("ecs").delete_service(
        made.cluster_name, made.name, force=True
    ),
}
"""Resources that moto creates with a stack, and does not (rightly) delete with it."""


class _Made:
    """A created resource, as moto's stacks keep it."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    def get_cfn_attribute(self, _: str) -> str:
        """Ids and ARNs: nothing in our stacks looks closer."""
        return self.physical_resource_id


def _model_of(kind: str, create: Any, delete: Any) -> type[CloudFormationModel]:
    class Model(_Made, CloudFormationModel):
        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @classmethod
        def create_from_cloudformation_json(cls, *given: Any, **_: Any) -> Any:
            _name, resource, *_place = given
            return cls(create(resource["Properties"]))

        @classmethod
        def update_from_cloudformation_json(cls, *given: Any, **_: Any) -> Any:
            original, *_rest = given
            return original

        @classmethod
        def delete_from_cloudformation_json(cls, *given: Any, **_: Any) -> None:
            name, *_rest = given
            delete(name)

        def delete(self, *_: Any) -> None:
            delete(self.physical_resource_id)

    return Model


def complete_moto(patch: pytest.MonkeyPatch) -> None:
    """Teach moto's CloudFormation what it lacks, until the patch is undone."""
    _complete_buckets(patch)
    take_templates(patch)
    page_events(patch)
    _retain_what_was_finished(patch)
    models: Any = parsing.get_model_map()
    for kind, (create, delete) in MODELS.items():
        patch.setitem(models, kind, _model_of(kind, create, delete))
    for kind, deletion in DELETIONS.items():
        patch.setattr(models[kind], "delete", _deletion(deletion), raising=False)


def take_templates(patch: pytest.MonkeyPatch) -> None:
    """Refuse bodies above the quota, and read the version of an object that a URL names.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    for name in ("create_stack", "update_stack"):
        patch.setattr(CloudFormationResponse, name, _with_limit(name))

    def read(_: Any, url: str) -> str:
        parts = urlsplit(url)
        assert parts.scheme == "https"
        assert parts.netloc == f"s3.{REGION}.amazonaws.com"
        bucket, _slash, key = parts.path.lstrip("/").partition("/")
        [version] = parse_qs(parts.query).get("versionId", [None])
        found = _backend("s3", "aws").get_object(bucket, key, version_id=version)
        if found is None:
            raise ValidationError(message="S3 error: The specified key does not exist.")
        text: str = found.value.decode()
        return text

    patch.setattr(CloudFormationResponse, "_get_stack_from_s3_url", read)


def _with_limit(name: str) -> Callable[[Any], Any]:
    handle = getattr(CloudFormationResponse, name)

    def limited(self: Any) -> Any:
        if len((self._get_param("TemplateBody") or "").encode()) > 51_200:
            raise ValidationError(
                message="1 validation error detected: Value at 'templateBody' failed to satisfy"
                " constraint: Member must have length less than or equal to 51200"
            )
        return handle(self)

    return limited


def page_events(patch: pytest.MonkeyPatch, size: int = 100) -> None:
    """Tell of so many events of a stack at once; the next page begins after an event."""

    def describe(self: Any) -> Any:
        backend = self.cloudformation_backend
        events = backend.describe_stack_events(self._get_param("StackName"))[::-1]
        last = self._get_param("NextToken")
        start = 1 + [str(event.event_id) for event in events].index(last) if last else 0
        page = events[start : start + size]
        more = {"NextToken": str(page[-1].event_id)} if start + size < len(events) else {}
        return ActionResult({"StackEvents": page, **more})

    patch.setattr(CloudFormationResponse, "describe_stack_events", describe)


def _complete_buckets(patch: pytest.MonkeyPatch) -> None:
    """Of a bucket, moto leaves out its versions and its notifications, too."""
    create = FakeBucket.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]  # of a class method

    def create_whole(cls: type, name: str, resource: Any, *place: Any, **more: Any) -> Any:
        bucket, given = create(cls, name, resource, *place, **more), resource["Properties"]
        bucket.versioning_status = given["VersioningConfiguration"]["Status"]
        if found := given.get("NotificationConfiguration"):
            queues = [
                {
                    "Queue": queue["Queue"],
                    "Event": [queue["Event"]],
                    "Filter": {"S3Key": {"FilterRule": queue["Filter"]["S3Key"]["Rules"]}},
                }
                for queue in found["QueueConfigurations"]
            ]
            bucket.set_notification_configuration({"QueueConfiguration": queues})
        return bucket

    patch.setattr(FakeBucket, "create_from_cloudformation_json", classmethod(create_whole))


def _retain_what_was_finished(patch: pytest.MonkeyPatch) -> None:
    """``RetainExceptOnCreate``, which moto does not know, is ``Retain`` once a stack stands."""
    delete = parsing.ResourceMap.delete

    def delete_others(self: Any) -> None:
        for resource in self._resource_json_map.values():
            if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
                resource["DeletionPolicy"] = "Retain"
        delete(self)

    patch.setattr(parsing.ResourceMap, "delete", delete_others)


def _deletion(deletion: Callable[[Any], Any]) -> Callable[..., None]:
    def delete(made: Any, *_: Any) -> None:
        deletion(made)

    return delete

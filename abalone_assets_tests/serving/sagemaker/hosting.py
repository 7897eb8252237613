"""Our registry and an endpoint on the stand-in; the fixture is in `account`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from abalone_assets.modeling.card import ModelCard
from abalone_assets.modeling.offline_project import OFFLINE_PROJECT
from abalone_assets.registry.model_packages import ModelPackageRegistry
from abalone_assets.serving.sagemaker.configs import EndpointConfigs, Hosting
from abalone_assets.serving.sagemaker.endpoint import SageMakerEndpoint
from abalone_assets.serving.sagemaker.rollout import Rollout
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.fakes.support import packed, wait_for

if TYPE_CHECKING:
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.serving.endpoint import Deployment
    from abalone_assets_tests.fakes.standin import AwsStandIn

GROUP = "abalone"
ENDPOINT = "abalone-rings"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
ALARM = "abalone-endpoint-errors"
LINE = "M,0.5,0.4,0.13,0.7,0.3,0.15,0.2"

INFERENCE = """
from flask import Response

def model_fn(model_dir):
    return {rings!r}

def transform_fn(model, body, content_type, accept):
    rows = body.split()
    if any(row.startswith("Q") for row in rows):
        return Response("row 1, column sex: 'Q' is none of M, F, I", 400, mimetype="text/plain")
    return Response("".join(f"{{model}}\\n" for _ in rows), content_type="text/csv")
"""

CARD = ModelCard(
    framework="xgboost",
    versions={},
    objective="reg:squarederror",
    hyperparameters={},
    best_iteration=0,
    metrics={},
    rows={},
    training_mean_rings=9.9,
    training_rows_sha256="",
    model_sha256="",
    created_at="2025-03-01T12:00:00+00:00",
)


def constant_archive(rings: float, inference: str = INFERENCE) -> bytes:
    """A model that answers every row with the same rings, without XGBoost."""
    code = inference.format(rings=rings)
    card = json.dumps(asdict(CARD))
    project = {f"code/{name}": content for name, content in OFFLINE_PROJECT.items()}
    members = {"model_card.json": card.encode(), "code/inference.py": code.encode()}
    return packed(members | project)


def evaluation_of(archive: bytes, **more: Any) -> dict[str, Any]:
    """An evaluation; the archive's digest stands for its model's."""
    digest = hashlib.sha256(archive).hexdigest()
    return {"rmse": 2.125, "mae": 1.5, "r2": 0.5, "rows": 209, "model_sha256": digest, **more}


DECISION = {
    "approved": True,
    "reason": "Approved: RMSE 2.125 on the 209 test rows is within the limit of 2.5, and no "
    "approved version is live to hold it against.",
    "rule": "first_model",
}

REJECTION = {
    "approved": False,
    "reason": "Rejected: RMSE 2.625 is above the limit of 2.5.",
    "rule": "above_max_rmse",
}


@dataclass
class Account:
    """The stand-in with our registry, and one endpoint that need not exist yet."""

    aws: AwsStandIn
    progress: list[str] = field(default_factory=list)

    @cached_property
    def sagemaker(self) -> Any:
        return self.aws.client("sagemaker")

    @cached_property
    def runtime(self) -> Any:
        return self.aws.client("sagemaker-runtime")

    @cached_property
    def cloudwatch(self) -> Any:
        return self.aws.client("cloudwatch")

    @cached_property
    def autoscaling(self) -> Any:
        return self.aws.client("application-autoscaling")

    @cached_property
    def registry(self) -> ModelPackageRegistry:
        store = ObjectStore(f"s3://{self.aws.bucket}/registry")
        return ModelPackageRegistry(GROUP, store, self.sagemaker, lambda: IMAGE, poll_seconds=0.01)

    def package(self, version: int) -> dict[str, Any]:
        """A version as SageMaker describes it."""
        arn = self.registry.package_arn(version)
        return dict(self.sagemaker.describe_model_package(ModelPackageName=arn))

    def register(
        self,
        archive: bytes,
        release: str = "release-1",
        *,
        approved: bool = True,
        **evaluation: Any,
    ) -> ModelVersion:
        return self.registry.register(
            archive,
            evaluation=evaluation_of(archive, **evaluation),
            decision=DECISION if approved else REJECTION,
            release_digest=release,
        )

    def register_constants(self, *rings: float) -> None:
        """Versions 1, 2, ... that answer these rings."""
        for value in rings:
            self.register(constant_archive(value))

    @property
    def hosting(self) -> Hosting:
        return Hosting(self.aws.role_arn, f"s3://{self.aws.bucket}/captured_requests")

    def endpoint(self, name: str = ENDPOINT, **changes: Any) -> SageMakerEndpoint:
        hosting = {key: changes.pop(key) for key in list(changes) if hasattr(self.hosting, key)}
        settings: dict[str, Any] = {
            "rollout": Rollout(canary_wait_seconds=0),
            "package_arn": self.registry.package_arn,
            "poll_seconds": 0.04,
            "verification_seconds": 5.0,
        }
        return SageMakerEndpoint(
            name,
            replace(self.hosting, **hosting),
            sagemaker=self.sagemaker,
            runtime=self.runtime,
            cloudwatch=self.cloudwatch,
            autoscaling=self.autoscaling,
            **settings | changes,
        )

    def ensure_configs(self, name: str) -> str:
        """What a deployment of version 1 to an endpoint makes, but the endpoint."""
        return self.configs_of(name).ensure(1, self.registry.package_arn(1), self.hosting)

    def configs_of(self, name: str) -> EndpointConfigs:
        return EndpointConfigs(name, self.sagemaker)

    def deploy(self, version: int, rings: float, **changes: Any) -> Deployment:
        """Deploy a version that must answer these rings."""
        on_progress = changes.pop("on_progress", self.progress.append)
        return self.endpoint(**changes).deploy(version, [(LINE, rings)], on_progress)

    def describe(self, name: str = ENDPOINT) -> dict[str, Any]:
        described = dict(self.sagemaker.describe_endpoint(EndpointName=name))
        del described["ResponseMetadata"]
        return described

    def live_config(self) -> dict[str, Any]:
        name = self.describe()["EndpointConfigName"]
        return dict(self.sagemaker.describe_endpoint_config(EndpointConfigName=name))

    def configs(self) -> set[str]:
        listed = self.sagemaker.list_endpoint_configs()["EndpointConfigs"]
        return {each["EndpointConfigName"] for each in listed}

    def models(self) -> set[str]:
        return {each["ModelName"] for each in self.sagemaker.list_models()["Models"]}

    def wait_until_settled(self, name: str = ENDPOINT) -> None:
        wait_for(lambda: self._status(name) not in {"Creating", "Updating", "RollingBack"})

    def _status(self, name: str) -> str:
        listed = self.sagemaker.list_endpoints(NameContains=ENDPOINT)["Endpoints"]
        statuses = {each["EndpointName"]: each["EndpointStatus"] for each in listed}
        return str(statuses.get(name))

    def watched(self) -> dict[str, Any]:
        """Settings of a deployment that the alarm watches."""
        return {"rollout": Rollout(canary_wait_seconds=0, alarms=(ALARM,))}

    def captured(self) -> list[dict[str, Any]]:
        """What the endpoint was asked and answered, as SageMaker wrote it down."""
        bucket, s3 = self.aws.bucket, self.aws.s3
        found = s3.list_objects_v2(Bucket=bucket, Prefix=f"captured_requests/{ENDPOINT}/AllTraffic")
        keys = [entry["Key"] for entry in found.get("Contents", [])]
        bodies = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
        return [json.loads(body)["captureData"] for body in bodies]

    def updates(self) -> int:
        """How many updates SageMaker was asked for."""
        return sum(call.operation == "UpdateEndpoint" for call in self.aws.calls)

    def raise_alarm(self) -> None:
        self.make_alarm()
        self.cloudwatch.set_alarm_state(
            AlarmName=ALARM, StateValue="ALARM", StateReason="7 errors in 60 s"
        )

    def make_alarm(self, name: str = ALARM, metric: str = "Invocation5XXErrors") -> None:
        self.cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )

"""A run in MLflow for each version: what SageMaker Studio lists as experiments.

Of MLflow's client only five calls would be needed, so its REST API is called:
https://mlflow.org/docs/latest/rest-api.html. SageMaker's MLflow Apps and tracking servers are found
by their ARN, and take requests that are signed as AWS's are; what is signed, and where they are, is
as https://github.com/aws/sagemaker-mlflow has it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.registry.notes import ReleaseNotes
    from abalone_assets.registry.versions import ModelVersion

SERVICE: Final = "sagemaker-mlflow"
APP: Final = "mlflow-app"
TRACKING_SERVER: Final = "mlflow-tracking-server"

_IDENTITY: Final = "abalone.registration"
_METRICS: Final = ("rmse", "mae", "r2", "bias", "baseline_rmse", "rows")
_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 10
_NOT_FOUND: Final = 404


class MlflowError(AbaloneError):
    """An MLflow server refused a call."""


@dataclass(frozen=True)
class MlflowRuns:
    """The runs of one experiment.

    Attributes:
        experiment: Its name.
        uri: ARN of a SageMaker MLflow App or tracking server, or address of an MLflow server.
        endpoint: Where a server with an ARN is; SageMaker's address when empty.
    """

    experiment: str
    uri: str
    endpoint: str = ""

    def note(
        self, version: ModelVersion, notes: ReleaseNotes, before_call: Callable[[], None]
    ) -> None:
        """Write a version's run; what is there already is brought up to date.

        Args:
            version: The version with its last word.
            notes: What the release knows.
            before_call: Called before each call; may raise.

        Raises:
            MlflowError: The server refuses.
            OSError: It does not answer.
        """

        def call(method: str, path: str, **document: Any) -> dict[str, Any] | None:  # noqa: ANN401 - JSON
            before_call()
            return self._call(method, path, document)

        began = _milliseconds(version.created_at)
        run_id = self._run(call, version, began)
        metrics = {name: version.evaluation.get(name) for name in _METRICS}
        tags = {
            **notes.details(),
            "release_digest": version.release_digest,
            "version": str(version.version),
            "approval": version.status,
            "gate": str(version.decision.get("reason", "")),
            "rule": str(version.decision.get("rule", "")),
        }
        call(
            "POST",
            "runs/log-batch",
            run_id=run_id,
            metrics=[
                {"key": name, "value": float(value), "timestamp": began, "step": 0}
                for name, value in metrics.items()
                if isinstance(value, int | float)
            ],
            tags=_pairs(tags),
        )
        call("POST", "runs/update", run_id=run_id, status="FINISHED", end_time=began)

    def _run(
        self, call: Callable[..., dict[str, Any] | None], version: ModelVersion, began: int
    ) -> str:
        """The id of the version's run, made when there is none."""
        experiment = self._experiment(call)
        identity = f"{version.version}-{version.archive_sha256}"
        found = call(
            "POST",
            "runs/search",
            experiment_ids=[experiment],
            filter=f"tags.`{_IDENTITY}` = '{identity}'",
            max_results=1,
        )
        if found and found.get("runs"):
            return str(found["runs"][0]["info"]["run_id"])
        made = call(
            "POST",
            "runs/create",
            experiment_id=experiment,
            run_name=f"version {version.version}",
            start_time=began,
            tags=_pairs({_IDENTITY: identity}),
        )
        return str((made or {})["run"]["info"]["run_id"])

    def _experiment(self, call: Callable[..., dict[str, Any] | None]) -> str:
        found = call("GET", "experiments/get-by-name", experiment_name=self.experiment)
        if found is not None:
            return str(found["experiment"]["experiment_id"])
        made = call("POST", "experiments/create", name=self.experiment)
        return str((made or {})["experiment_id"])

    def _call(self, method: str, path: str, document: dict[str, Any]) -> dict[str, Any] | None:
        """What the server answers; None when what is asked for does not exist."""
        import requests

        url = f"{self._address}/api/2.0/mlflow/{path}"
        request = requests.Request(
            method,
            url,
            params=document if method == "GET" else None,
            data=None if method == "GET" else json.dumps(document),
            headers={"Content-Type": "application/json"},
        ).prepare()
        if self._is_signed:
            self._sign(request)
        with requests.Session() as session:
            answer = session.send(request, timeout=(_CONNECT_SECONDS, _READ_SECONDS))
        if answer.status_code == _NOT_FOUND and method == "GET":
            return None
        if not answer.ok:
            words = " ".join(answer.text.split())[:500]
            raise MlflowError(f"{self.uri}: {path} failed: {words} ({answer.status_code})")
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    @property
    def _is_signed(self) -> bool:
        return self.uri.startswith("arn:")

    @property
    def _address(self) -> str:
        if not self._is_signed:
            return self.uri.rstrip("/")
        _, _, _, region, _, resource = self.uri.split(":")
        if self.endpoint:
            return self.endpoint.rstrip("/")
        if resource.startswith(f"{APP}/"):
            return f"https://mlflow.sagemaker.{region}.app.aws"
        return f"https://{region}.experiments.sagemaker.aws"

    def _sign(self, request: Any) -> None:  # noqa: ANN401 - of requests
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        from abalone_assets.aws.clients import session

        _, _, _, region, _, resource = self.uri.split(":")
        is_app = resource.startswith(f"{APP}/")
        arn_header = "x-sm-mlflow-app-arn" if is_app else "x-mlflow-sm-tracking-server-arn"
        body = (request.body or "").encode()
        signed = AWSRequest(
            method=request.method,
            url=request.url.replace("+", "%20"),
            data=body,
            headers={
                "Content-Type": "application/json",
                "X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest(),
                arn_header: self.uri,
            },
        )
        SigV4Auth(session().get_credentials(), SERVICE, region).add_auth(signed)
        request.url = signed.url
        request.headers.update(dict(signed.headers))


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)

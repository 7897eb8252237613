"""SageMaker endpoints whose models really answer, deployed blue/green with alarms and roll-back."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from moto.cloudwatch.models import cloudwatch_backends
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpointConfig, sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from abalone_assets_tests.fakes.actions import Request, Service, action
from abalone_assets_tests.fakes.endpoint_metrics import count_invocation
from abalone_assets_tests.fakes.jobs import now
from abalone_assets_tests.fakes.model_servers import ModelError, ModelLoadError, ModelServers
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.processes import LogStream

if TYPE_CHECKING:
    import pytest

    from abalone_assets_tests.fakes.standin import AwsStandIn


class DeploymentFailedError(Exception):
    """A deployment that SageMaker takes back; the message is the endpoint's failure reason."""


class Endpoints(Service):
    """Models, endpoint configurations and endpoints."""

    response_class = SageMakerResponse

    def __init__(self, aws: AwsStandIn, model_servers: ModelServers) -> None:
        super().__init__(aws)
        self._model_servers = model_servers

    def install(self, patches: pytest.MonkeyPatch) -> None:
        super().install(patches)
        # moto's list of instance types ends before today's.
        patches.setattr(FakeEndpointConfig, "validate_instance_type", lambda *_: None)

    @action
    def create_model(self, request: Request) -> Any:
        answer = request.moto()
        model = request.response.sagemaker_backend._models[request.params["ModelName"]]
        model.enable_network_isolation = request.params.get("EnableNetworkIsolation", False)
        return answer

    @action
    def describe_model(self, request: Request) -> dict[str, Any]:
        described = dict(request.moto().result)
        return {key: value for key, value in described.items() if value not in ({}, [])}

    @action
    def create_endpoint(self, request: Request) -> Any:
        backend = request.response.sagemaker_backend
        name = request.params["EndpointName"]
        config = _config(backend, request.params["EndpointConfigName"])
        answer = request.moto()
        endpoint = backend.endpoints[name]
        endpoint.endpoint_status = "Creating"
        endpoint.pending_deployment_summary = _summary(config)
        self._aws.processes.in_background(self._create, backend, endpoint, config)
        return answer

    @action
    def update_endpoint(self, request: Request) -> dict[str, Any]:
        backend = request.response.sagemaker_backend
        endpoint = _endpoint(backend, request.params["EndpointName"])
        config = _config(backend, request.params["EndpointConfigName"])
        deployment = request.params.get("DeploymentConfig") or {}
        keep = request.params.get("RetainAllVariantProperties", False)
        endpoint.endpoint_status, endpoint.failure_reason = "Updating", None
        endpoint.last_deployment_config = deployment or None
        endpoint.pending_deployment_summary = _summary(config)
        self._aws.processes.in_background(self._update, backend, endpoint, config, deployment, keep)
        return {"EndpointArn": endpoint.arn}

    @action
    def describe_endpoint(self, request: Request) -> Any:
        _endpoint(request.response.sagemaker_backend, request.params["EndpointName"])
        return request.moto()

    @action
    def delete_endpoint(self, request: Request) -> Any:
        _endpoint(request.response.sagemaker_backend, request.params["EndpointName"])
        return request.moto()

    def _create(self, backend: Any, endpoint: Any, config: Any) -> None:
        self._aws.processes.pause(self._aws.faults.endpoint_seconds)
        try:
            self._load(backend, endpoint, config)
            endpoint.endpoint_status = "InService"
        except DeploymentFailedError as error:
            endpoint.endpoint_status, endpoint.failure_reason = "Failed", str(error)
        endpoint.pending_deployment_summary = None
        endpoint.last_modified_time = now()

    def _update(
        self,
        backend: Any,
        endpoint: Any,
        config: Any,
        deployment: dict[str, Any],
        keep: bool,  # noqa: FBT001 - handed on to a thread
    ) -> None:
        try:
            self._load(backend, endpoint, config)
            self._aws.processes.pause(self._aws.faults.endpoint_seconds)
            _check_alarms(deployment.get("AutoRollbackConfiguration") or {})
            endpoint.endpoint_config_name = config.endpoint_config_name
            before = endpoint.production_variants[0]
            endpoint.production_variants = endpoint._process_production_variants(
                config.production_variants
            )
            if keep:
                counts = ("CurrentInstanceCount", "DesiredInstanceCount")
                endpoint.production_variants[0].update({name: before[name] for name in counts})
            endpoint.data_capture_config = config.data_capture_config
        except DeploymentFailedError as error:
            endpoint.endpoint_status = "RollingBack"
            self._aws.processes.pause(self._aws.faults.endpoint_seconds)
            endpoint.failure_reason = str(error)
        endpoint.pending_deployment_summary = None
        endpoint.last_modified_time = now()
        endpoint.endpoint_status = "InService"

    def _load(self, backend: Any, endpoint: Any, config: Any) -> None:
        if (reason := self._aws.faults.take_update_failure()) is not None:
            raise DeploymentFailedError(reason)
        for variant in config.production_variants:
            log = endpoint_log(self._aws, endpoint.endpoint_name, variant["VariantName"])
            try:
                self._model_servers.of(backend, variant["ModelName"], log)
            except ModelLoadError as error:
                raise DeploymentFailedError(
                    f"The primary container for production variant {variant['VariantName']} did "
                    "not pass the ping health check. Please check CloudWatch logs for this "
                    f"endpoint. ({error})"
                ) from error
            finally:
                log.close()


def endpoint_log(aws: AwsStandIn, endpoint: str, variant: str) -> LogStream:
    """The log stream of a variant's one instance."""
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    return LogStream(aws.server, group, f"{variant}/i-0123456789abcdef0", 0)


def _endpoint(backend: Any, name: str) -> Any:
    endpoint = backend.endpoints.get(name)
    if endpoint is None:
        raise ValidationError(message=f'Could not find endpoint "{_arn("endpoint", name)}".')
    return endpoint


def _config(backend: Any, name: str) -> Any:
    config = backend.endpoint_configs.get(name)
    if config is None:
        arn = _arn("endpoint-config", name)
        raise ValidationError(message=f'Could not find endpoint configuration "{arn}".')
    return config


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def _summary(config: Any) -> dict[str, Any]:
    return {"EndpointConfigName": config.endpoint_config_name, "StartTime": now()}


def _check_alarms(rollback: dict[str, Any]) -> None:
    alarms = cloudwatch_backends[ACCOUNT][REGION].alarms
    names = [alarm["AlarmName"] for alarm in rollback.get("Alarms", [])]
    firing = [name for name in names if name in alarms and alarms[name].state_value == "ALARM"]
    if firing:
        raise DeploymentFailedError(
            "One or more configured alarms have been triggered during the deployment: "
            + ", ".join(firing)
        )


class Runtime(Service):
    """``invoke_endpoint``."""

    response_class = SageMakerRuntimeResponse

    def __init__(self, aws: AwsStandIn, model_servers: ModelServers) -> None:
        super().__init__(aws)
        self._model_servers = model_servers

    @action
    def invoke_endpoint(self, request: Request) -> Any:
        response = request.response
        backend = sagemaker_backends[ACCOUNT][REGION]
        name = response.path.split("/")[2]
        endpoint = backend.endpoints.get(name)
        if endpoint is None or endpoint.endpoint_status in {"Creating", "Failed"}:
            message = f"Endpoint {name} of account {ACCOUNT} not found."
            return _error(400, "ValidationError", {"message": message})
        variant = endpoint.production_variants[0]["VariantName"]
        config = backend.endpoint_configs[endpoint.endpoint_config_name]
        headers = {key.lower(): value for key, value in response.headers.items()}
        content_type = headers.get("content-type", "application/octet-stream")
        accept = headers.get("accept", "*/*")
        body = bytes(response.raw_body)
        log = endpoint_log(self._aws, name, variant)
        try:
            model_name = config.production_variants[0]["ModelName"]
            server = self._model_servers.of(backend, model_name, log)
            answer, answer_type = server.answer(body, content_type, accept)
        except ModelError as error:
            count_invocation(name, variant, error.status)
            return _model_error(variant, error.status, str(error))
        except ModelLoadError as error:
            count_invocation(name, variant, HTTPStatus.INTERNAL_SERVER_ERROR)
            return _model_error(variant, HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        sides = {"Input": (content_type, body), "Output": (answer_type, answer)}
        self._capture(sides, endpoint, variant)
        said = {"Content-Type": answer_type, "x-Amzn-Invoked-Production-Variant": variant}
        return 200, said, answer

    def _capture(self, sides: dict[str, tuple[str, bytes]], endpoint: Any, variant: str) -> None:
        """Write a request and its answer down, as data capture does: JSON Lines on S3."""
        config = endpoint.data_capture_config
        if not (config and config.get("EnableCapture")):
            return
        types = config.get("CaptureContentTypeHeader") or {}
        modes = [option["CaptureMode"] for option in config["CaptureOptions"]]
        data = {f"endpoint{mode}": _side(mode.upper(), *sides[mode], types) for mode in modes}
        metadata = {"eventId": str(uuid4()), "inferenceTime": f"{now():%FT%TZ}"}
        document = {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}
        root, name = config["DestinationS3Uri"].rstrip("/"), endpoint.endpoint_name
        uri = f"{root}/{name}/{variant}/{now():%Y/%m/%d/%H/%M-%S-%f}-{uuid4()}.jsonl"
        self._aws.storage.write(uri, json.dumps(document).encode() + b"\n")


def _side(mode: str, content_type: str, body: bytes, types: dict[str, Any]) -> dict[str, str]:
    encoding, data = "BASE64", base64.b64encode(body).decode()
    if content_type in (types.get("CsvContentTypes") or []):
        encoding, data = "CSV", body.decode()
    elif content_type in (types.get("JsonContentTypes") or []):
        encoding, data = "JSON", body.decode()
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


def _model_error(variant: str, status: int, reason: str) -> Any:
    """As https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html."""
    side = "client" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server"
    message = f'Received {side} error ({status}) from {variant} with message "{reason}".'
    document = {"OriginalStatusCode": status, "OriginalMessage": reason, "message": message}
    return _error(424, "ModelError", document)


def _error(status: int, kind: str, document: dict[str, Any]) -> Any:
    return status, {"x-amzn-ErrorType": kind, "status": status}, json.dumps(document)

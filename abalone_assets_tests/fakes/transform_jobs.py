"""SageMaker batch transform jobs whose models really answer, one mini-batch after another.

What is split, assembled and written follows
https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html,
https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-errors.html and
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html.
"""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING, Any, Final

from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.responses import SageMakerResponse

from abalone_assets_tests.fakes.actions import Request, Service, action
from abalone_assets_tests.fakes.api_models import check_request
from abalone_assets_tests.fakes.jobs import JobRun, now
from abalone_assets_tests.fakes.model_servers import ModelError, ModelLoadError, ModelServers
from abalone_assets_tests.fakes.places import split_uri
from abalone_assets_tests.fakes.processes import LogStream
from abalone_assets_tests.fakes.service_rules.jobs import DEFAULT_PAYLOAD_MB
from abalone_assets_tests.fakes.storage import NoSuchDataError, nothing_below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.fakes.model_servers import ModelServer
    from abalone_assets_tests.fakes.standin import AwsStandIn

MEGABYTE: Final = 1024 * 1024


class TransformJobs(Service):
    """Create, describe and stop transform jobs."""

    response_class = SageMakerResponse

    def __init__(self, aws: AwsStandIn) -> None:
        super().__init__(aws)
        self._runs: dict[str, _Run] = {}

    @action
    def create_transform_job(self, request: Request) -> Any:
        params, backend = request.params, request.response.sagemaker_backend
        _check(params, backend)
        answer = request.moto()
        name = params["TransformJobName"]
        job = backend.transform_jobs[name]
        job.transform_job_status = "InProgress"
        job.transform_start_time = job.transform_end_time = None
        job.failure_reason = job.labeling_job_arn = job.auto_ml_job_arn = None
        self._aws.processes.enter(_Run.process_of(name))
        self._runs[name] = _Run(self._aws, job, name, params, backend)
        self._aws.processes.in_background(self._runs[name].to_its_end)
        return answer

    @action
    def describe_transform_job(self, request: Request) -> Any:
        _existing(request)
        return request.moto()

    @action
    def stop_transform_job(self, request: Request) -> dict[str, Any]:
        job = _existing(request)
        if job.transform_job_status == "InProgress":
            job.transform_job_status = "Stopping"
            self._aws.processes.stop(_Run.process_of(job.transform_job_name))
            self._runs[job.transform_job_name].servers.close()
        return {}


def _existing(request: Request) -> Any:
    name = request.params["TransformJobName"]
    job = request.response.sagemaker_backend.transform_jobs.get(name)
    if job is None:
        raise ValidationError(message=f"Could not find requested job with name: {name}")
    return job


def _check(params: dict[str, Any], backend: Any) -> None:
    check_request("CreateTransformJob", params)
    if params["ModelName"] not in backend._models:
        raise ValidationError(message=f'Could not find model "{params["ModelName"]}".')


class _BadInputError(Exception):
    """An input object that cannot be transformed as a whole."""


class _Run(JobRun):
    """One transform job, on a container of its own."""

    kind = "Transform"

    def __init__(
        self, aws: AwsStandIn, job: Any, name: str, params: dict[str, Any], backend: Any
    ) -> None:
        super().__init__(aws, job, name, params)
        self.servers = ModelServers(aws)
        self._backend = backend
        place = f"{name}/i-0123456789abcdef0-{time.time_ns() // 10**9}"
        group = "/aws/sagemaker/TransformJobs"
        hidden = aws.faults.log_seconds
        self._container_log = LogStream(aws.server, group, place, hidden)
        self._data_log = LogStream(aws.server, group, f"{place}/data-log", hidden)

    def end(self, status: str) -> None:
        stopped = self.aws.processes.was_stopped(self.process_of(self.name))
        self.job.transform_end_time = self.job.last_modified_time = now()
        self.job.transform_job_status = "Stopped" if stopped else status
        if stopped:
            self.job.failure_reason = None

    def run(self) -> str:
        self.job.transform_start_time = now()
        try:
            keys = self._input_keys()
            server = self.servers.of(self._backend, self.params["ModelName"], self._container_log)
            self.aws.processes.ends_by(self.process_of(self.name), server.close)
            bad = [key for key in keys if not self._transform(server, key)]
        except ModelLoadError as error:
            self.job.failure_reason = f"AlgorithmError: {error}"
            return "Failed"
        finally:
            self.servers.close()
            self._container_log.close()
            self._data_log.close()
        if bad:
            self.job.failure_reason = "ClientError: See job logs for more information"
        return "Failed" if bad else "Completed"

    def _input_keys(self) -> list[str]:
        uri = self.params["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        bucket, prefix = split_uri(uri)
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        if not keys:
            raise NoSuchDataError(nothing_below(uri))
        return keys

    def _transform(self, server: ModelServer, key: str) -> bool:
        """Write the output of one input object, unless one of its records is bad."""
        source, target = self.params["TransformInput"], self.params["TransformOutput"]
        bucket, prefix = split_uri(source["DataSource"]["S3DataSource"]["S3Uri"])
        data = self.aws.storage.read(f"s3://{bucket}/{key}")
        if source.get("CompressionType") == "Gzip":
            data = gzip.decompress(data)
        types = source.get("ContentType", ""), target.get("Accept", "")
        try:
            answers = [server.answer(batch, *types)[0] for batch in self._batches(data)]
        except (_BadInputError, ModelError) as error:
            bad = f"Bad HTTP status received from algorithm: {_status(error)}"
            for line in (bad, "", "Message:", str(error)):
                self._data_log.write(f"[sagemaker logs]: {bucket}/{key}: {line}")
            return False
        end = b"\n" if target.get("AssembleWith") == "Line" else b""
        relative = key.removeprefix(prefix.rpartition("/")[0]).lstrip("/")
        place = f"{target['S3OutputPath'].rstrip('/')}/{relative}.out"
        self.aws.storage.write(place, b"".join(answer + end for answer in answers))
        return True

    def _batches(self, data: bytes) -> Iterator[bytes]:
        limit = self.params.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB) * MEGABYTE
        if self.params["TransformInput"].get("SplitType", "None") == "None":
            records = [data]
        else:
            records = data.splitlines(keepends=True)
        single = self.params.get("BatchStrategy") != "MultiRecord"
        batch = b""
        for record in records:
            if limit and len(record) > limit:
                raise _BadInputError(f"a record of {len(record)} bytes exceeds MaxPayloadInMB")
            if batch and (single or (limit and len(batch) + len(record) > limit)):
                yield batch
                batch = b""
            batch += record
        if batch:
            yield batch


def _status(error: Exception) -> int:
    return int(getattr(error, "status", 413 if isinstance(error, _BadInputError) else 500))

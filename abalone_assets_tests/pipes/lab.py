"""Assets that run tiny jobs of every kind in the stand-in."""

import json
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from abalone_assets.pipes import (
    PipesGlueJobClient,
    PipesJobInvocation,
    PipesSageMakerProcessingClient,
    PipesSageMakerTrainingClient,
)
from abalone_assets_tests.fakes.support import packed, wait_for

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

KINDS: Final = ("training", "processing", "glue")
PREFIX: Final = "jobs/pipes"
PRICES: Final = {"ml.m5.large": 0.115, "DPU": 0.44}
OPTIONS: Final[dict[str, Any]] = {
    "key_prefix": PREFIX,
    "poll_interval": 0.2,
    "log_grace": 1.0,
    "prices": PRICES,
}

_SCRIPT: Final = """
import os, sys, time, types, urllib.error, urllib.request
import dagster_pipes
from dagster_pipes import (
    PipesCliArgsParamsLoader, PipesEnvVarParamsLoader, PipesS3ContextLoader, PipesS3MessageWriter,
    open_dagster_pipes,
)
# The writer looks once a second whether it is time to write or to close.
dagster_pipes.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 20))

class S3:  # the two calls of boto3's client that Pipes makes: to import boto3 takes half a second
    def get_object(self, Bucket, Key):
        return {{"Body": self._open("GET", Bucket, Key)}}

    def put_object(self, Body, Bucket, Key):
        self._open("PUT", Bucket, Key, Body.encode() if isinstance(Body, str) else Body)

    def _open(self, method, bucket, key, data=None):
        place = os.environ["AWS_ACCESS_KEY_ID"] + "/20260101/us-east-1/s3/aws4_request"
        headers = {{
            "Authorization": "AWS4-HMAC-SHA256 Credential=" + place,
            "Content-Type": "application/json",
        }}
        url = os.environ["AWS_ENDPOINT_URL"] + "/" + bucket + "/" + key
        return urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method))

s3 = S3()

def wait_for_go():
    while True:
        try:
            return s3.get_object({bucket!r}, "go")
        except urllib.error.HTTPError:
            time.sleep(0.05)

params = PipesCliArgsParamsLoader() if "--JOB_NAME" in sys.argv else PipesEnvVarParamsLoader()
with open_dagster_pipes(
    params_loader=params,
    context_loader=PipesS3ContextLoader(client=s3),
    message_writer=PipesS3MessageWriter(client=s3, interval=0),
) as pipes:
{body}
"""
REPORT: Final = "pipes.report_asset_materialization(metadata={'rows': 3})"
WAIT: Final = f"print('waiting'); wait_for_go(); {REPORT}"
"""Bodies of scripts."""

STUCK: Final = "import time; print('begun'); time.sleep(100)"
"""A script that runs until it is stopped; it knows nothing of Pipes."""


Run = Callable[[dg.AssetExecutionContext], PipesJobInvocation]


@dataclass
class Lab:
    """One test's jobs.

    Attributes:
        aws: Where they run.
        instance: Where Dagster's runs are kept.
    """

    aws: "AwsStandIn"
    instance: dg.DagsterInstance
    options: dict[str, Any] = field(default_factory=dict)

    def ask(self, kind: str, body: str, **arguments: Any) -> Run:
        """What an asset does to run a script as a job; arguments as of `arguments`."""
        given = self.arguments(kind, body, **arguments)

        def run(context: dg.AssetExecutionContext) -> PipesJobInvocation:
            client = client_of(kind, **{"bucket": self.aws.bucket, **self.options})
            invocation = client.run(context=context, **given)
            assert isinstance(invocation, PipesJobInvocation)
            return invocation

        return run

    def arguments(
        self,
        kind: str,
        body: str,
        *,
        pipes: bool = True,
        params: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Arguments of a client's ``run``.

        Args:
            kind: One of `KINDS`.
            body: The script's statements inside an open Pipes context named ``pipes``.
            pipes: False for a script that consists of the body alone.
            params: Added to the request's.
            arguments: Added to the rest.
        """
        script = self._script(body) if pipes else body
        requests = {"training": self._training, "processing": self._processing}
        name, request = requests.get(kind, self._glue)(script)
        return {name: {**request, **(params or {})}, **arguments}

    def materialize(self, run: Run, **spec: Any) -> dg.ExecuteInProcessResult:
        """One run of one asset that runs a job."""
        return dg.materialize([asset_of(run, **spec)], instance=self.instance, raise_on_error=False)

    def execute(
        self,
        asset: dg.AssetsDefinition,
        parent: dg.DagsterRun | None = None,
        run: dg.DagsterRun | None = None,
        **tags: str,
    ) -> dg.DagsterRun:
        """One run of an asset, perhaps a child of another run."""
        run = run or create_run(self.instance, asset, parent, **tags)
        return execute(self.instance, asset, run)

    def execute_during(
        self, asset: dg.AssetsDefinition, act: Callable[[dg.DagsterRun], object]
    ) -> dg.DagsterRun:
        """One run of an asset; something is done as soon as its job's first line is in the log."""
        run = create_run(self.instance, asset)
        with ThreadPoolExecutor(1) as threads:
            ended = threads.submit(self.execute, asset, run=run)
            try:
                self.wait_for_line(run, "] waiting")
                assert not ended.done()
                act(run)
                return ended.result(timeout=60)
            except BaseException:
                self.go()  # or the thread never ends
                raise

    def wait_for_line(self, run: dg.DagsterRun, words: str) -> None:
        """Until the run's log has a line with these words."""
        wait_for(lambda: [line for line in self.log(run.run_id) if words in line])

    def run(self, run_id: str) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def log(self, run_id: str) -> list[str]:
        """What the run's log says, oldest first."""
        return [entry.user_message for entry in self.instance.all_logs(run_id)]

    def failure(self, run_id: str) -> Any:
        """Description and metadata of the failed step."""
        [event] = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        assert event.dagster_event is not None
        return event.dagster_event.step_failure_data.user_failure_data

    def jobs(self, kind: str) -> dict[str, str]:
        """Status by name of all jobs there are."""
        if kind == "glue":
            runs = self.aws.client("glue").get_job_runs(JobName="etl")["JobRuns"]
            names = "Arguments", "--dagster-pipes-job"
            return {run[names[0]][names[1]]: run["JobRunState"] for run in runs}
        api = kind.capitalize()
        listed = getattr(self.aws.client("sagemaker"), f"list_{kind}_jobs")()
        jobs = listed[f"{api}JobSummaries"]
        return {job[f"{api}JobName"]: job[f"{api}JobStatus"] for job in jobs}

    def go(self) -> None:
        """Let the jobs that wait go on."""
        self.aws.s3.put_object(Bucket=self.aws.bucket, Key="go")

    def stored(self) -> list[str]:
        """What is in S3 below the clients' prefix, without that prefix."""
        listed = self.aws.s3.list_objects_v2(Bucket=self.aws.bucket, Prefix=PREFIX)
        return [each["Key"].removeprefix(f"{PREFIX}/") for each in listed.get("Contents", [])]

    def _script(self, body: str) -> str:
        return _SCRIPT.format(bucket=self.aws.bucket, body=textwrap.indent(body, "    "))

    def _training(self, script: str) -> tuple[str, dict[str, Any]]:
        archive = packed({"train.py": script.encode()})
        uri = self._put("sourcedir.tar.gz", archive)
        return "create_training_job_params", {
            "RoleArn": self.aws.role_arn,
            "HyperParameters": {
                "sagemaker_program": json.dumps("train.py"),
                "sagemaker_submit_directory": json.dumps(uri),
            },
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.aws.bucket}/output"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 1,
                "VolumeSizeInGB": 5,
            },
        }

    def _processing(self, script: str) -> tuple[str, dict[str, Any]]:
        code = {
            "S3Uri": self._put("evaluate.py", script.encode()),
            "LocalPath": "/opt/ml/processing/code",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
        entry = ["python3", "/opt/ml/processing/code/evaluate.py"]
        return "create_processing_job_params", {
            "RoleArn": self.aws.role_arn,
            "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": entry},
            "ProcessingInputs": [{"InputName": "code", "S3Input": code}],
            "ProcessingResources": {"ClusterConfig": cluster},
        }

    def _glue(self, script: str) -> tuple[str, dict[str, Any]]:
        glue = self.aws.client("glue")
        if "etl" not in glue.list_jobs()["JobNames"]:
            command = {"Name": "glueetl", "ScriptLocation": "s3://nowhere/none.py"}
            glue.create_job(Name="etl", Role=self.aws.role_arn, Command=command, GlueVersion="5.1")
        location = self._put("etl.py", script.encode())
        return "start_job_run_params", {
            "JobName": "etl",
            "Arguments": {"--scriptLocation": location},
        }

    def _put(self, name: str, body: bytes) -> str:
        self.aws.s3.put_object(Bucket=self.aws.bucket, Key=f"code/{name}", Body=body)
        return f"s3://{self.aws.bucket}/code/{name}"


@pytest.fixture
def lab(aws: "AwsStandIn") -> Iterator[Lab]:
    """Tiny jobs, and a Dagster instance in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Lab(aws, instance)


def client_of(kind: str, bucket: str, **options: Any) -> Any:
    """A client made from nothing but names, as in an asset's code."""
    classes: dict[str, Any] = {
        "training": PipesSageMakerTrainingClient,
        "processing": PipesSageMakerProcessingClient,
        "glue": PipesGlueJobClient,
    }
    return classes[kind](bucket=bucket, **{**OPTIONS, **options})


def asset_of(run: Callable[[dg.AssetExecutionContext], Any], **spec: Any) -> dg.AssetsDefinition:
    """The asset ``model``, whose body runs a job."""

    def model(
        context: dg.AssetExecutionContext,
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster takes no other beside checks
        done: Any = run(context)
        return done.get_materialize_result() if isinstance(done, PipesJobInvocation) else done

    asset: dg.AssetsDefinition = dg.asset(**{"name": "model", **spec})(model)
    return asset


def create_run(
    instance: dg.DagsterInstance,
    asset: dg.AssetsDefinition,
    parent: dg.DagsterRun | None = None,
    **tags: str,
) -> dg.DagsterRun:
    """A run of the asset that has not begun; tags are given without ``dagster/``."""
    return instance.create_run_for_job(
        job_def=job_of(asset),
        tags={f"dagster/{name}": value for name, value in tags.items()},
        parent_run_id=parent.run_id if parent else None,
        root_run_id=(parent.root_run_id or parent.run_id) if parent else None,
    )


def execute(
    instance: dg.DagsterInstance, asset: dg.AssetsDefinition, run: dg.DagsterRun
) -> dg.DagsterRun:
    """The run as it ended, in this process."""
    execute_run(InMemoryJob(job_of(asset)), run, instance)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    return ended


def job_of(asset: dg.AssetsDefinition) -> dg.JobDefinition:
    """The job that materializes an asset in its own process."""
    definitions = dg.Definitions(
        assets=[asset], jobs=[dg.define_asset_job("release")], executor=dg.in_process_executor
    )
    return definitions.resolve_job_def("release")

"""Runs and compute logs as ``deploy/dagster.yaml`` has them on AWS, against the stand-in."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.compute_log_manager import ComputeIOType

from abalone_assets_tests.services.production.home import DEPLOY, ECS, NO_COMPUTE_LOGS, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn


CLUSTER, DAEMON, RUN = "abalone", "abalone-daemon", "abalone-run"
OVERRIDES_LIMIT: Final = 8192
"""Characters of a task's overrides, as RunTask documents."""


@pytest.fixture
def ecs(aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an account with a cluster, whose daemon this process is."""
    monkeypatch.setenv("DAGSTER_ECS_TASK_DEFINITION", RUN)
    monkeypatch.setenv("DAGSTER_S3_LOGS_BUCKET", aws.bucket)
    client, ec2 = aws.client("ecs"), aws.client("ec2")
    client.create_cluster(clusterName=CLUSTER)
    for family in (DAEMON, RUN):
        client.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[_container(family.removeprefix("abalone-"))],
        )
    network = {
        "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
        "securityGroups": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
    }
    daemon = client.run_task(
        cluster=CLUSTER,
        taskDefinition=DAEMON,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )["tasks"][0]
    with _task_metadata(daemon["taskArn"]) as url:
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", url)
        yield client


def _container(name: str) -> dict[str, Any]:
    return {"name": name, "image": "abalone", "cpu": 256, "memory": 512}


@contextmanager
def _task_metadata(task_arn: str) -> Iterator[str]:
    """What ECS tells the containers of a task about it."""
    document = {
        "Cluster": CLUSTER,
        "TaskARN": task_arn,
        "Containers": [{"Name": "daemon", "DockerId": "id"}],
        "Name": "daemon",
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            """Leave the output to the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def instance_on_ecs(folder: Path, **overrides: object) -> Iterator[dg.DagsterInstance]:
    """ECS's instance, but for PostgreSQL."""
    storage = {"sqlite": {"base_dir": str(folder)}}
    reference = InstanceRef.from_dir(str(DEPLOY), overrides={"storage": storage, **overrides})
    with dg.DagsterInstance.from_ref(reference) as instance:
        yield instance


def create_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run of the release as a code location of the workspace file would have it."""
    location = GrpcServerCodeLocationOrigin(
        host="code.abalone.internal", port=4000, location_name="abalone_assets"
    )
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "release")
    return instance.create_run_for_job(
        _release, remote_job_origin=origin, job_code_origin=_release_code_origin()
    )


@dg.job(name="release")
def _release() -> None:
    """Stands for the release."""


def _release_code_origin() -> Any:
    from dagster._core.code_pointer import ModuleCodePointer
    from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

    pointer = ModuleCodePointer("abalone_assets.definitions", "defs", working_directory="/tmp")
    repository = RepositoryPythonOrigin(
        executable_path="/opt/venv/bin/python",
        code_pointer=pointer,
        container_image=None,
        entry_point=["dagster"],
        container_context={},
    )
    return JobPythonOrigin(job_name="release", repository_origin=repository)


def launch(instance: dg.DagsterInstance) -> dg.DagsterRun:
    run = create_run(instance)
    instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    return run


def test_a_run_is_a_task_of_the_stacks_definition_in_the_daemons_network(
    ecs: Any, tmp_path: Path
) -> None:
    with instance_on_ecs(tmp_path, compute_logs=NO_COMPUTE_LOGS) as instance:
        run = launch(instance)
        health = instance.run_launcher.check_run_worker_health(run)
        assert health.status is WorkerStatus.RUNNING
    (task,) = _tasks(ecs, RUN)
    (daemon,) = _tasks(ecs, DAEMON)
    (container,) = task["overrides"]["containerOverrides"]
    assert container["name"] == "run"
    assert container["command"][:3] == ["dagster", "api", "execute_run"]
    assert run.run_id in container["command"][3]
    assert _subnet(task) == _subnet(daemon)
    tags = {tag["key"]: tag["value"] for tag in task["tags"]}
    assert tags["Project"] == "abalone-assets"
    assert tags["dagster/run_id"] == run.run_id


def test_a_terminated_run_stops_its_task(ecs: Any, tmp_path: Path) -> None:
    with instance_on_ecs(tmp_path, compute_logs=NO_COMPUTE_LOGS) as instance:
        run = launch(instance)
        assert instance.run_launcher.terminate(run.run_id)
    assert ecs.list_tasks(cluster=CLUSTER, family=RUN, desiredStatus="RUNNING")["taskArns"] == []


def test_the_overrides_of_a_run_fit_into_what_ecs_takes(ecs: Any, tmp_path: Path) -> None:
    with instance_on_ecs(tmp_path, compute_logs=NO_COMPUTE_LOGS) as instance:
        launch(instance)
    (task,) = _tasks(ecs, RUN)
    assert len(json.dumps(task["overrides"])) < 0.75 * OVERRIDES_LIMIT


def test_a_launch_registers_nothing_and_looks_for_no_secrets(
    aws: AwsStandIn, ecs: Any, tmp_path: Path
) -> None:
    before = len(aws.calls)
    with instance_on_ecs(tmp_path, compute_logs=NO_COMPUTE_LOGS) as instance:
        launch(instance)
    operations = {call.operation for call in aws.calls[before:]}
    assert operations == {
        "DescribeTaskDefinition",
        "DescribeTasks",
        "DescribeNetworkInterfaces",
        "RunTask",
    }


def test_what_a_step_prints_is_shown_from_s3(aws: AwsStandIn, ecs: Any, tmp_path: Path) -> None:
    logs = read(ECS)["compute_logs"]
    logs["config"]["local_dir"] = str(tmp_path / "staged")
    with instance_on_ecs(tmp_path, compute_logs=logs) as instance:
        key = ["run", "compute_logs", "step"]
        manager = instance.compute_log_manager
        with manager.open_log_stream(key, ComputeIOType.STDERR) as stream:
            text: Any = stream  # Dagster says that it takes bytes
            print("fitted in 3 s", file=text)
        assert manager.get_log_data(key).stderr == b"fitted in 3 s\n"
    listed = aws.s3.list_objects_v2(Bucket=aws.bucket, Prefix="compute_logs/")
    assert [item["Key"].rpartition("/")[2] for item in listed["Contents"]] == ["step.err"]


def _tasks(ecs: Any, family: str) -> list[dict[str, Any]]:
    arns = ecs.list_tasks(cluster=CLUSTER, family=family)["taskArns"]
    return list(ecs.describe_tasks(cluster=CLUSTER, tasks=arns, include=["TAGS"])["tasks"])


def _subnet(task: dict[str, Any]) -> str:
    details = {item["name"]: item["value"] for item in task["attachments"][0]["details"]}
    return str(details["subnetId"])

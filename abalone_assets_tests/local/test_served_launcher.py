"""Runs that are processes of a code location in a container of its own: missed when it died."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient, ephemeral_grpc_api_client
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import serialize_value

from abalone_assets.local.served_launcher import ServedRunLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.service


@pytest.fixture
def launcher() -> Iterator[ServedRunLauncher]:
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = ServedRunLauncher()
        launcher.register_instance(instance)
        yield launcher


@pytest.fixture(scope="module")
def server() -> Iterator[DagsterGrpcClient]:
    """A code location that has just been started, and executes nothing."""
    with ephemeral_grpc_api_client(force_port=True) as client:
        yield client


def started(launcher: ServedRunLauncher, **tags: str) -> dg.DagsterRun:
    run = dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED, tags=tags)
    return launcher._instance.add_run(run)


def launched_at(launcher: ServedRunLauncher, server: DagsterGrpcClient) -> dg.DagsterRun:
    address = {"host": server.host, "port": server.port}
    return started(launcher, **{GRPC_INFO_TAG: json.dumps(address)})


def test_a_run_whose_code_location_was_started_again_is_missed(
    launcher: ServedRunLauncher, server: DagsterGrpcClient
) -> None:
    found = launcher.check_run_worker_health(launched_at(launcher, server))
    assert found.status is WorkerStatus.NOT_FOUND
    assert found.msg == "the code location was started again since it began this run"
    assert launcher.supports_check_run_worker_health


def test_a_run_that_its_code_location_executes_runs(
    launcher: ServedRunLauncher, server: DagsterGrpcClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = launched_at(launcher, server)
    current = GetCurrentRunsResult(current_runs=[run.run_id], serializable_error_info=None)
    monkeypatch.setattr(DagsterGrpcClient, "get_current_runs", lambda _: serialize_value(current))
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_nobody_can_tell_while_the_code_location_is_away(launcher: ServedRunLauncher) -> None:
    with ephemeral_grpc_api_client(force_port=True) as gone:
        run = launched_at(launcher, gone)
    assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_run_of_a_commands_own_process_is_none_of_its_business(
    launcher: ServedRunLauncher,
) -> None:
    assert launcher.check_run_worker_health(started(launcher)).status is WorkerStatus.RUNNING

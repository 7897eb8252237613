"""Runs that are processes of a code location in a container of its own: missed when it died.

A real code location is killed in ``services/production``.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import serialize_value

from abalone_assets.local.served_launcher import ServedRunLauncher

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = "9f3d1c5e-0000-4000-8000-000000000000"


@pytest.fixture
def launcher() -> Iterator[ServedRunLauncher]:
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = ServedRunLauncher()
        launcher.register_instance(instance)
        yield launcher


@pytest.fixture
def address() -> dict[str, object]:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return {"host": "127.0.0.1", "port": listener.getsockname()[1]}


def health(launcher: ServedRunLauncher, **tags: str) -> CheckRunHealthResult:
    run = dg.DagsterRun("job", RUN, status=dg.DagsterRunStatus.STARTED, tags=tags)
    return launcher.check_run_worker_health(launcher._instance.add_run(run))


@pytest.mark.parametrize(
    ("executed", "status"),
    [([], WorkerStatus.NOT_FOUND), ([RUN], WorkerStatus.RUNNING)],
    ids=["it was started again since", "it executes it"],
)
def test_the_code_location_says_whether_a_run_lives(
    launcher: ServedRunLauncher,
    address: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    executed: list[str],
    status: WorkerStatus,
) -> None:
    told = GetCurrentRunsResult(current_runs=executed, serializable_error_info=None)
    monkeypatch.setattr(DagsterGrpcClient, "get_current_runs", lambda _: serialize_value(told))
    assert launcher.supports_check_run_worker_health
    assert health(launcher, **{GRPC_INFO_TAG: json.dumps(address)}).status is status


def test_nobody_can_tell_while_the_code_location_is_away(
    launcher: ServedRunLauncher, address: dict[str, object]
) -> None:
    found = health(launcher, **{GRPC_INFO_TAG: json.dumps(address)})
    assert found.status is WorkerStatus.RUNNING
    assert found.msg is not None
    assert "Could not reach" in found.msg


def test_a_run_of_a_commands_own_process_is_none_of_its_business(
    launcher: ServedRunLauncher,
) -> None:
    assert health(launcher).status is WorkerStatus.RUNNING

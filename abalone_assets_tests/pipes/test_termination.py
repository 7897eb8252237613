"""The UI's button "Terminate": code server, run worker and GraphQL as in production."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget

from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.pipes.lab import STUCK, Lab

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from abalone_assets_tests.fakes.standin import AwsStandIn

POLL_SECONDS: Final = 15.0
LOCATION: Final = "abalone_assets_tests.pipes.code_location"
LAUNCH: Final = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
TERMINATE: Final = """mutation($id: String!) { terminateRun(runId: $id) {
    __typename ... on PythonError { message } } }"""


NO_QUEUE: Final = """
run_coordinator:  # a queue would take a daemon
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
"""


class Ui:
    """What the web server does with a request, without the web server."""

    def __init__(self, process: WorkspaceProcessContext) -> None:
        self._process = process

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The one answer of a query."""
        from dagster_graphql.schema import create_schema

        context = self._process.create_request_context()
        schema = create_schema()
        answer = asyncio.run(
            schema.execute_async(query, context_value=context, variables=variables)
        )
        assert not answer.errors, answer.errors
        [found] = answer.data.values()
        return dict(found)

    def launch(self) -> str:
        """The id of a run of the code location's job."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": LOCATION,
            "jobName": "release",
        }
        answer = self.ask(LAUNCH, p={"selector": selector, "runConfigData": {}, "mode": "default"})
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])


def test_a_run_terminated_in_the_ui_stops_its_job_within_one_poll(
    aws: AwsStandIn, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (home / "dagster" / "dagster.yaml").open("a") as configuration:
        configuration.write(NO_QUEUE)
    with dg.DagsterInstance.get() as instance:
        lab = Lab(aws, instance)
        arguments = lab.arguments("training", STUCK, pipes=False)
        monkeypatch.setenv("PIPES_TEST_BUCKET", aws.bucket)
        monkeypatch.setenv("PIPES_TEST_ARGUMENTS", json.dumps(arguments))
        monkeypatch.setenv("PIPES_TEST_POLL_SECONDS", str(POLL_SECONDS))
        target = ModuleTarget(LOCATION, None, None, LOCATION)
        with WorkspaceProcessContext(instance, target) as process:
            ui = Ui(process)
            run_id = ui.launch()
            lab.wait_for_line(lab.run(run_id), "started SageMaker training job")
            pressed = time.monotonic()
            assert ui.ask(TERMINATE, id=run_id)["__typename"] == "TerminateRunSuccess"
            wait_for(lambda: "Stopp" in str(lab.jobs("training")), POLL_SECONDS)
            assert time.monotonic() - pressed < POLL_SECONDS
            wait_for(lambda: lab.run(run_id).status is dg.DagsterRunStatus.CANCELED)

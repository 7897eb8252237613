"""``abalone release`` where Dagster is deployed: a run of that one, launched and followed.

It is launched as the UI does, by GraphQL: at the web server that ``ABALONE_DAGSTER_URL`` names, or,
in the deployed image, by what a web server would do with the same request.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from abalone_assets import CODE_LOCATION
from abalone_assets.errors import AbaloneError, SettingsError
from abalone_assets.settings.public_uri import public_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import dagster as dg

    from abalone_assets.cli.run_progress import RunProgress

POLL_SECONDS: Final = 2.0
MOST_MISSES: Final = 15
"""How many looks in a row may have no answer: a web server or a port forward starts again."""

REQUEST_SECONDS: Final = 60
RETRY_LOOKS: Final = 30
"""How many looks Dagster's daemon, which looks every five seconds, may take to retry what died."""

MOST_TEXT: Final = 200
"""Characters that are shown of an answer that is none of Dagster's."""

ENDED: Final = {"FAILURE": "failed", "CANCELED": "was cancelled"}

LAUNCH: Final = """mutation($parameters: ExecutionParams!) {
    launchRun(executionParams: $parameters) {
        __typename
        ... on LaunchRunSuccess { run { runId } }
        ... on RunConfigValidationInvalid { errors { message } }
        ... on Error { message } } }"""
STATUS: Final = """query($id: ID!) {
    runOrError(runId: $id) {
        __typename
        ... on Run { status tags { key value } }
        ... on Error { message } } }"""


class DeployedDagsterError(AbaloneError):
    """The deployed Dagster cannot be reached, or refuses."""


@dataclass(frozen=True)
class Deployed:
    """The deployed Dagster.

    Attributes:
        ask: Answers a GraphQL query with its variables: the whole answer.
        place: What to call it.
    """

    ask: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
    place: str

    def answer(self, query: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """The one answer of a query.

        Raises:
            DeployedDagsterError: Dagster refuses it.
        """
        told = self.ask(query, variables)
        if errors := told.get("errors"):
            raise DeployedDagsterError(f"{self.place}: {errors[0]['message']}")
        [found] = told["data"].values()
        refused = found.get("message") or [each["message"] for each in found.get("errors", ())]
        if refused:
            raise DeployedDagsterError(f"{self.place}: {found['__typename']}: {refused}")
        return dict(found)


def release_there(
    deployed: Deployed, definitions: dg.Definitions, request: dg.RunRequest, show: RunProgress
) -> list[str]:
    """Launch a release at the deployed Dagster and wait until it ends.

    Returns:
        The run's id, and those of the runs by which Dagster retried it when its process died.

    Raises:
        DeployedDagsterError: Dagster cannot be reached, or refuses the run.
        RunFailedError: The run failed, or was cancelled.
    """
    run_id = _launch(deployed, definitions, request)
    show.say(f"run {run_id} is in the queue of {deployed.place}", mark="…", style="cyan")
    return _follow(deployed, run_id, show)


@contextmanager
def deployed_dagster() -> Iterator[Deployed]:
    """The deployed Dagster, by the first of the two ways that there is.

    Raises:
        SettingsError: There is neither.
    """
    from abalone_assets.local.instance import workspace_of
    from abalone_assets.settings.aws import load_aws_settings

    url, home = load_aws_settings().dagster_url, os.environ.get("DAGSTER_HOME")
    workspace = workspace_of(Path(home)) if home else None
    if url:
        yield Deployed(partial(_over_http, url), public_uri(url))
    elif workspace is not None:
        with _in_process(workspace) as ask:
            yield Deployed(ask, f"the instance in {home}")
    else:
        raise SettingsError(
            "the profile aws has a Dagster of its own, which this command must reach: set "
            "ABALONE_DAGSTER_URL to its web server, such as http://localhost:3000 behind a port "
            "forward, or run it in the deployed image, where DAGSTER_HOME holds dagster.yaml; or "
            "launch the job `release` in its UI"
        )


def _over_http(url: str, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the web server answers.

    Raises:
        DeployedDagsterError: It does not, or not as Dagster's does.
    """
    import requests

    try:
        answer = requests.post(
            f"{url.rstrip('/')}/graphql",
            json={"query": query, "variables": variables},
            timeout=REQUEST_SECONDS,
        )
    except requests.RequestException as error:
        raise DeployedDagsterError(
            f"{public_uri(url)}: no answer of Dagster's web server, which ABALONE_DAGSTER_URL "
            f"names: {error}"
        ) from error
    try:
        found = answer.json()
    except requests.RequestException:
        found = None
    if not _is_of_graphql(found):
        text = " ".join(answer.text.split())[:MOST_TEXT] or "nothing"
        raise DeployedDagsterError(
            f"{public_uri(url)}: this is no answer of Dagster's web server, which "
            f"ABALONE_DAGSTER_URL names: status {answer.status_code}, {text}"
        )
    return dict(found)


def _is_of_graphql(answer: object) -> bool:
    """Whether it is what GraphQL answers, and not what stands before it, such as a proxy."""
    if not isinstance(answer, dict):
        return False
    data, errors = answer.get("data"), answer.get("errors")
    if errors:
        return isinstance(errors, list) and all(
            isinstance(error, dict) and "message" in error for error in errors
        )
    found = list(data.values()) if isinstance(data, dict) else []
    return bool(found) and all(isinstance(each, dict) for each in found)


@contextmanager
def _in_process(
    workspace: Path,
) -> Iterator[Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
    """What the web server of an instance would do: the run joins the instance's queue."""
    import asyncio

    import dagster as dg
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_graphql.schema import create_schema

    schema, target = create_schema(), WorkspaceFileTarget([str(workspace)])

    def ask(query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        context = process.create_request_context()
        answer = asyncio.run(
            schema.execute_async(query, context_value=context, variables=dict(variables))
        )
        errors = [{"message": str(error)} for error in answer.errors or ()]
        return {"data": answer.data, "errors": errors}

    with dg.DagsterInstance.get() as instance, WorkspaceProcessContext(instance, target) as process:
        yield ask


def _launch(deployed: Deployed, definitions: dg.Definitions, request: dg.RunRequest) -> str:
    from abalone_assets.automation.runs import RELEASE_JOB

    selector = {
        "repositoryLocationName": CODE_LOCATION,
        "repositoryName": definitions.get_repository_def().name,
        "jobName": RELEASE_JOB,
        "assetSelection": [{"path": list(key.path)} for key in request.asset_selection or ()],
    }
    tags = [{"key": key, "value": value} for key, value in request.tags.items()]
    parameters = {
        "selector": selector,
        "runConfigData": dict(request.run_config or {}),
        "executionMetadata": {"tags": tags},
    }
    return str(deployed.answer(LAUNCH, parameters=parameters)["run"]["runId"])


def _follow(deployed: Deployed, run_id: str, show: RunProgress) -> list[str]:
    """Wait until the run has ended, or the one by which Dagster retries it; returns their ids.

    Raises:
        RunFailedError: It failed, or was cancelled.
        DeployedDagsterError: Dagster has not answered several times in a row; the run goes on.
        KeyboardInterrupt: The user waits no longer; the run goes on.
    """
    from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG

    runs, misses, failures = [run_id], 0, 0
    try:
        while True:
            try:
                found, misses = deployed.answer(STATUS, id=runs[-1]), 0
            except DeployedDagsterError as error:
                misses += 1
                if misses >= MOST_MISSES:
                    raise DeployedDagsterError(f"run {runs[-1]} goes on, but {error}") from error
                found = {}
            status = found.get("status", "")
            tags = {tag["key"]: tag["value"] for tag in found.get("tags", ())}
            if status == "SUCCESS":
                return runs
            if status == "FAILURE" and (retry := tags.get(AUTO_RETRY_RUN_ID_TAG)):
                show.retries(runs[-1], retry)
                runs.append(retry)
                failures = 0
                continue
            if status in ENDED:
                failures += 1
                _give_up(deployed, runs[-1], status, tags, failures)
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        import click

        click.echo(f"run {runs[-1]} goes on at {deployed.place}", err=True)
        raise


def _give_up(
    deployed: Deployed, run_id: str, status: str, tags: Mapping[str, str], looks: int
) -> None:
    """End the waiting for a run that has failed, unless Dagster may still retry it.

    Raises:
        RunFailedError: It does not, or has not after so many looks.
    """
    from abalone_assets.local.queue import is_retried
    from abalone_assets.local.run import RunFailedError

    # Dagster decides a moment after the failure; what it has not decided by the next look, never.
    patience = {True: RETRY_LOOKS, None: 2, False: 1}
    retried = is_retried(tags) if status == "FAILURE" else False
    if looks < patience[retried]:
        return
    late = ", and Dagster has not retried it as it should" if retried else ""
    raise RunFailedError(
        f"run {run_id} {ENDED[status]}{late}; its page at {deployed.place} says why"
    )

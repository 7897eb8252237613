"""The platform as a user starts it, in its own processes: ``abalone dev`` on a temporary home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import requests

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

START_SECONDS: Final = 240.0
STOP_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.25
IGNORING_SIGINT: Final = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
REPOSITORY: Final = {
    "repositoryName": "__repository__",
    "repositoryLocationName": "abalone_assets",
}


class StackError(Exception):
    """The stack did not start, or did not come to what was awaited."""


@dataclass
class Stack:
    """A running platform.

    Attributes:
        home: Its home folder.
        environ: Its variables besides those of this process.
        process: ``abalone dev``.
        log: File of what it prints.
        errors: File of what it prints on stderr.
    """

    home: Path
    environ: Mapping[str, str]
    process: subprocess.Popen[bytes]
    log: Path
    errors: Path

    @cached_property
    def urls(self) -> dict[str, str]:
        """The URLs that it printed, by their names; asked for when it has printed them all."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return {words[0]: words[1] for words in lines if words[1:] and words[1].startswith("http")}

    @property
    def ui(self) -> str:
        """Base URL of the web server."""
        return self.urls["UI"]

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    @property
    def endpoint_url(self) -> str:
        state = json.loads((self.home / "endpoint" / "server.json").read_text())
        return str(state["url"])

    def land(self, name: str, data: bytes) -> None:
        FolderLandingZone(self.home / "landing_zone").land(name, data)

    def live_version(self) -> int | None:
        """The version that the endpoint really answers with."""
        answer = requests.get(f"{self.endpoint_url}/endpoints/abalone", timeout=10)
        version = answer.json()["version"]
        return None if version is None else int(version)

    def graphql(self, query: str, variables: Mapping[str, Any] | None = None) -> Any:
        body = {"query": query, "variables": variables or {}}
        answer = requests.post(f"{self.ui}/graphql", json=body, timeout=60)
        document = answer.json()
        if document.get("errors"):
            raise StackError(str(document["errors"]))
        return document["data"]

    def abalone(self, *arguments: str) -> dict[str, Any]:
        """Run a command on this home that succeeds; returns its JSON document."""
        return run_abalone(self.home, self.environ, *arguments)

    def runs(self) -> list[dict[str, Any]]:
        """All runs, latest first."""
        query = """{ runsOrError(limit: 500) { ... on Runs { results {
            runId jobName status startTime endTime creationTime tags { key value } } } } }"""
        return list(self.graphql(query)["runsOrError"]["results"])

    def run(self, run_id: str) -> dict[str, Any]:
        return next(run for run in self.runs() if run["runId"] == run_id)

    def worker_pid(self, run_id: str) -> int | None:
        """Process that executes the run, once it was started."""
        query = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
            ... on EngineEvent { metadataEntries { label
            ... on TextMetadataEntry { text } } } } } } }"""
        for event in self.graphql(query, {"id": run_id})["logsForRun"]["events"]:
            for entry in event.get("metadataEntries", []):
                if entry["label"] == "pid":
                    return int(entry["text"])
        return None

    def launch_job(self, name: str) -> str:
        """Launch a job as the UI does; returns the run's id."""
        launch = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
            __typename ... on LaunchRunSuccess { run { runId } }
            ... on PythonError { message } } }"""
        selector = {**REPOSITORY, "jobName": name}
        parameters = {"p": {"selector": selector, "runConfigData": {}, "mode": "default"}}
        return str(self.graphql(launch, parameters)["launchRun"]["run"]["runId"])

    def stop_sensors(self) -> None:
        """Stop all sensors for good, and wait until none ticks any more."""
        query = """query($r: RepositorySelector!) { repositoryOrError(repositorySelector: $r) {
            ... on Repository { sensors { name } } } }"""
        for sensor in self.graphql(query, {"r": REPOSITORY})["repositoryOrError"]["sensors"]:
            self.stop_sensor(sensor["name"])

    def stop_sensor(self, name: str) -> None:
        state = self._sensor_state(name, "id")
        stop = """mutation($id: String) { stopSensor(id: $id) { __typename } }"""
        assert self.graphql(stop, {"id": state["id"]})["stopSensor"]["__typename"] == (
            "StopSensorMutationResult"
        )
        self.await_(lambda: not self._ticks(name), f"the end of the tick of {name}")

    def _ticks(self, name: str) -> bool:
        ticks = self._sensor_state(name, "ticks(limit: 1) { status }")["ticks"]
        return any(tick["status"] == "STARTED" for tick in ticks)

    def _sensor_state(self, name: str, fields: str) -> dict[str, Any]:
        selector = {**REPOSITORY, "sensorName": name}
        query = f"""query($s: SensorSelector!) {{ sensorOrError(sensorSelector: $s) {{
            ... on Sensor {{ sensorState {{ {fields} }} }} }} }}"""
        return dict(self.graphql(query, {"s": selector})["sensorOrError"]["sensorState"])

    def launch_backfill(self, days: list[str]) -> str:
        """Ask for the ingestion of these days as the UI does; returns the backfill's id."""
        launch = """mutation($p: LaunchBackfillParams!) {
            launchPartitionBackfill(backfillParams: $p) {
            __typename ... on LaunchBackfillSuccess { backfillId }
            ... on PythonError { message } } }"""
        assets = [{"path": ["new_surveys"]}, {"path": ["quarantined_rows"]}]
        parameters = {"p": {"assetSelection": assets, "partitionNames": days}}
        return str(self.graphql(launch, parameters)["launchPartitionBackfill"]["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        query = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
            ... on PartitionBackfill { status } } }"""
        return str(self.graphql(query, {"id": backfill})["partitionBackfillOrError"]["status"])

    def in_flight(self, *jobs: str) -> bool:
        """Whether a run has not ended, of these jobs if any are named."""
        ended = {"SUCCESS", "FAILURE", "CANCELED"}
        return any(
            run["status"] not in ended and (not jobs or run["jobName"] in jobs)
            for run in self.runs()
        )

    @staticmethod
    def tag(run: Mapping[str, Any], key: str) -> str | None:
        return next((tag["value"] for tag in run["tags"] if tag["key"] == key), None)

    def await_(
        self, done: Callable[[], bool], what: str, *, seconds: float = START_SECONDS
    ) -> float:
        """Wait until it is so; returns the seconds that took."""
        started = time.monotonic()
        while not done():
            if self.process.poll() is not None:
                raise StackError(f"the stack ended: {self.tail()}")
            if time.monotonic() - started > seconds:
                raise StackError(f"not within {seconds:g} s: {what}\n{self.tail()}")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - started

    def await_release(self, *, seconds: float = START_SECONDS) -> float:
        """Wait until everything that landed is ingested and released."""
        return self.await_(self._is_released, "a release of all surveys", seconds=seconds)

    def _is_released(self) -> bool:
        zone = FolderLandingZone(self.home / "landing_zone")
        landing = zone.scan(date.min, datetime.now(UTC).date())
        due = find_due(landing, self.lake.manifest(), zone.read)
        return not due.days and not self.lake.release_due()

    def tail(self) -> str:
        said = [file.read_text(errors="replace")[-3000:] for file in (self.log, self.errors)]
        return "\n".join(said)

    def interrupt(self) -> None:
        """Press Ctrl-C and wait for the end."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=STOP_SECONDS)


def run_abalone(home: Path, environ: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """Run a command on a home, as a process that succeeds; returns its JSON document."""
    done = subprocess.run(
        [sys.executable, "-m", "abalone_assets.cli", *arguments],
        env={**os.environ, **environ, "ABALONE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if done.returncode:
        raise StackError(f"{arguments} ended with {done.returncode}: {done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@contextmanager
def running_stack(
    home: Path,
    environ: Mapping[str, str] | None = None,
    *,
    background: bool = False,
    released: bool = False,
) -> Iterator[Stack]:
    """Start ``abalone dev`` on free ports, wait until it answers, and end it by Ctrl-C.

    Args:
        home: Its home folder.
        environ: Its variables besides those of this process.
        background: Start it as a shell's ``&`` does: with SIGINT ignored.
        released: Ingest and release before, in a process of its own.
    """
    home.mkdir(parents=True, exist_ok=True)
    if released:
        run_abalone(home, environ or {}, "release", "--json")
    log, errors = home / "dev.log", home / "dev.err"
    prefix = ["-c", IGNORING_SIGINT] if background else []
    command = [sys.executable, *prefix, "-m", "abalone_assets.cli", "dev"]
    with log.open("wb") as output, errors.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--port", "0", "--endpoint-port", "0"],
            env={**os.environ, "ABALONE_HOME": str(home), **(environ or {})},
            stdout=output,
            stderr=stderr,
            start_new_session=True,
        )
    stack = Stack(home, environ or {}, process, log, errors)
    try:
        stack.await_(lambda: "Surveys " in log.read_text(), "it tells its URLs")
        stack.await_(lambda: _answers(stack), "the web server and the endpoint server answer")
        yield stack
    finally:
        try:
            if process.poll() is None:
                stack.interrupt()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _answers(stack: Stack) -> bool:
    try:
        loaded = stack.graphql(
            """{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"""
        )
        entries = loaded["workspaceOrError"]["locationEntries"]
        served = requests.get(f"{stack.endpoint_url}/endpoints/abalone", timeout=10).ok
    except (requests.RequestException, OSError, ValueError):
        return False
    return served and bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)

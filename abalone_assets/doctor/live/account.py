"""The account that is proved, and the names under which that is done.

All that a trial makes begins with ``abalone-doctor-``, a digest of the deployment and an id of the
trial: a deployment beside it, or its own endpoint, registry, lake and surveys, are never met.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.clients import client
from abalone_assets.aws.parameters import resolve
from abalone_assets.serving.sagemaker.removal import CANDIDATE, candidate_name
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.settings.aws import AwsSettings

NAME_PREFIX: Final = "abalone-doctor-"
FOLDER: Final = "doctor"
"""Where trials keep their data, below the prefix of the jobs, which the jobs' roles may use."""

ENDPOINT_LOGS: Final = "/aws/sagemaker/Endpoints"
"""Begins the names of endpoints' log groups."""

MARKER: Final = "trial.json"
"""Says who makes a trial; written before anything else, and deleted last."""

LONGEST: Final = timedelta(hours=4)
"""No trial takes longer; one that another machine made is believed to have ended after that."""

_OWN: Final = re.compile(r"[0-9a-f]{6}-[0-9a-f]{8}")
_MADE_FOR_ENDPOINT: Final = re.compile(rf"(-v[0-9]{{6,}}-[0-9a-f]{{8}}|{CANDIDATE})$")


@dataclass(frozen=True)
class Trial:
    """One go at the account.

    Attributes:
        name: Of the endpoint and the model package group; what else it makes begins so. It has 30
            characters.
        jobs_uri: ``s3://`` prefix of all that it stores, but for captured requests.
        captured_uri: ``s3://`` prefix of the requests that its endpoint captures.
    """

    name: str
    jobs_uri: str
    captured_uri: str

    @cached_property
    def store(self) -> ObjectStore:
        """All that the trial stores, but for captured requests."""
        return ObjectStore(self.jobs_uri)

    @property
    def asset_prefix(self) -> str:
        """Begins the names of its assets, after which jobs are named."""
        return self.name.replace("-", "_")

    @property
    def log_groups(self) -> tuple[str, ...]:
        """What its endpoint's containers write to: those of a serverless candidate, and others."""
        return tuple(f"{ENDPOINT_LOGS}/{name}" for name in (candidate_name(self.name), self.name))

    @property
    def channel(self) -> str:
        """Bucket and prefix of its jobs' Pipes messages, as their tags say them."""
        return f"{self.jobs_uri.removeprefix('s3://')}/pipes"

    def begin(self) -> None:
        """Write the marker: who makes the trial, and until when."""
        now = datetime.now(UTC)
        self.store.write_json(
            MARKER,
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "process_started": _process_started(os.getpid()),
                "started_at": now.isoformat(timespec="seconds"),
                "until": (now + LONGEST).isoformat(timespec="seconds"),
            },
        )

    def made_elsewhere(self) -> str:
        """Who is still making the trial, in words; empty when nobody is."""
        marker = self.store.read_json(MARKER)
        return _maker(marker) if isinstance(marker, dict) else ""


@dataclass(frozen=True)
class Account:
    """Where the deployment keeps things, and the clients to look after trials.

    Attributes:
        jobs: The jobs' prefix.
        capture_uri: ``s3://`` prefix of all captured requests.
        glue_job: Name of the Glue job.
        job_role: Name of the role of SageMaker's jobs and the endpoint.
    """

    jobs: ObjectStore
    capture_uri: str
    glue_job: str
    job_role: str

    @classmethod
    def of(cls, aws: AwsSettings) -> Account:
        """The account that the settings name.

        Raises:
            SettingsError: A parameter is missing or cannot be read.
        """
        return cls(
            jobs=ObjectStore(aws.jobs_uri),
            capture_uri=resolve(aws.capture_uri).rstrip("/"),
            glue_job=resolve(aws.glue_job),
            job_role=resolve(aws.job_role_arn).rpartition("/")[2],
        )

    @property
    def sagemaker(self) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """SageMaker's client."""
        return client("sagemaker")

    @property
    def glue(self) -> Any:  # noqa: ANN401 - as sagemaker
        """Glue's client."""
        return client("glue")

    @property
    def logs(self) -> Any:  # noqa: ANN401 - as sagemaker
        """CloudWatch Logs' client."""
        return client("logs")

    @property
    def autoscaling(self) -> Any:  # noqa: ANN401 - as sagemaker
        """Application Auto Scaling's client."""
        return client("application-autoscaling")

    @property
    def prefix(self) -> str:
        """Begins the names of this deployment's trials."""
        return f"{NAME_PREFIX}{hashlib.sha256(self.jobs.uri.encode()).hexdigest()[:6]}-"

    def new_trial(self) -> Trial:
        """A trial with a name of its own."""
        return self.trial(f"{self.prefix}{secrets.token_hex(4)}")

    def trial(self, name: str) -> Trial:
        """The trial of that name."""
        return Trial(name, self.jobs.uri_of(f"{FOLDER}/{name}"), f"{self.capture_uri}/{name}")

    def trial_of(self, name: str) -> str | None:
        """The name of the trial that something belongs to by its own name; None for no trial's."""
        trial = _MADE_FOR_ENDPOINT.sub("", name)
        is_own = trial.startswith(self.prefix) and _OWN.fullmatch(trial.removeprefix(NAME_PREFIX))
        return trial if is_own else None


def _maker(marker: Mapping[str, Any]) -> str:
    """Who is still at work by a trial's marker; a marker that says nothing is nobody's."""
    try:
        host, pid = str(marker["host"]), int(marker["pid"])
        is_here = host == socket.gethostname()
        is_alive = (
            pid != os.getpid() and _process_started(pid) == marker["process_started"]
            if is_here
            else datetime.now(UTC) < datetime.fromisoformat(marker["until"])
        )
        return f"process {pid} on {host}, since {marker['started_at']}" if is_alive else ""
    except (KeyError, TypeError, ValueError):
        return ""


def _process_started(pid: int) -> float:
    """When a process of this machine started; 0 when there is none."""
    import psutil

    try:
        return round(psutil.Process(pid).create_time(), 1)
    except psutil.Error:
        return 0.0

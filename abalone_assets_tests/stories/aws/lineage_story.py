"""How the story of the lineage on AWS is told: what lands, and what is seen after each survey."""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import polars as pl
import pytest

from abalone_assets import definitions
from abalone_assets.aws.parameters import forget
from abalone_assets.local.run import LocalPlatform
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.automation.support import platform_in
from abalone_assets_tests.cli.support import abalone_json
from abalone_assets_tests.fakes.places import BUCKET, OWN_KEY
from abalone_assets_tests.fakes.standin import AwsStandIn
from abalone_assets_tests.stories.aws.stack import LANDING, provision
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import QUICK_BLEND, survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abalone_assets_tests.fakes.calls import Call
    from abalone_assets_tests.fakes.server import MotoServer

SURVEYS: Final = {
    "abalone.20250314061500": survey_rows(60, seed=1),
    "abalone.20250422143000": survey_rows(40, seed=2),
    "abalone.20250521054500": survey_rows(20, seed=3),
}
IDLE: Final = ("survey_sensor", "animals_sensor", "release_sensor", "approval_sensor")
QUESTION: Final = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\n"
BASE_ROWS: Final = 1000
SPLITS: Final = ("train_split", "validation_split", "test_split")
TOLERANT: Final = {
    "GATE_CHAMPION_TOLERANCE": "1",
    "GATE_SLICE_TOLERANCE": "10",
    "GATE_MIN_ROWS": "1",
    "HYPERPARAMETERS": json.dumps(QUICK_BLEND),
}
"""Few rows, and models that learn little, prove nothing against a champion."""

QUICK: Final = {
    "POLL_SECONDS": "0.5",
    "CANARY_WAIT_SECONDS": "0",
    "RECONCILE_SECONDS": "86400",
    "RAW_SHA256": "",
    **TOLERANT,
}


@dataclass(frozen=True)
class Chapter:
    """What one landed survey led to.

    Attributes:
        runs: Runs by job.
        endpoint: SageMaker's description of the endpoint.
        answer: What the endpoint answers to `QUESTION`.
        metadata: What the latest materialization of each asset shows.
        release: The lake's record of the release.
        events: What the release's run left in Dagster's event log.
        looked_at_all: When the sensor last looked at all survey days: Unix time.
    """

    runs: Mapping[str, int]
    endpoint: Mapping[str, Any]
    answer: str
    metadata: Mapping[str, Mapping[str, Any]]
    release: Mapping[str, Any]
    events: Sequence[dg.DagsterEvent]
    looked_at_all: float


@dataclass
class Story:
    """The account after the story, and what was seen on the way."""

    aws: AwsStandIn
    chapters: list[Chapter] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    idle: dict[str, Counter[str]] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    local: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    local_metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def read(self, key: str) -> bytes:
        body: bytes = self.aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def client(self, service: str) -> Any:
        return self.aws.client(service, access_key=OWN_KEY)


@contextmanager
def tell(moto_server: MotoServer, folder: Path) -> Iterator[Story]:
    """Let the three surveys land, in the account and then beside it on this machine."""
    with (
        AwsStandIn(moto_server, folder / "aws") as aws,
        pytest.MonkeyPatch.context() as environment,
    ):
        provision(aws)
        aws.s3.put_object(Bucket=BUCKET, Key="raw/abalone.data", Body=_base())
        for name, value in aws.environment.items():
            environment.setenv(name, value)
        told = Story(aws)
        with _aws_platform(folder / "home", environment) as platform:
            platform.tick("survey_sensor")  # the whole landing zone was looked at, and is empty
            for name in list(SURVEYS)[:2]:
                told.chapters.append(_land(told, platform, name))
        with _aws_platform(folder / "home", environment, after=platform, max_rmse=0.5) as strict:
            told.chapters.append(_land(told, strict, list(SURVEYS)[2]))
            for sensor in IDLE:
                told.idle[sensor] = _asked_by(strict, aws, sensor)
        told.calls = list(aws.calls)
        told.status = abalone_json("status")
        for variable in [name for name in os.environ if name.startswith("ABALONE_")]:
            environment.delenv(variable)
        _run_locally(told, folder / "local")
        yield told


def _asked_by(platform: LocalPlatform, aws: AwsStandIn, sensor: str) -> Counter[str]:
    """The calls of a tick that finds nothing to do."""
    before = len(aws.calls)
    assert not platform.tick(sensor).run_requests
    return Counter(call.action for call in aws.calls[before:])


@contextmanager
def _aws_platform(
    home: Path,
    environment: pytest.MonkeyPatch,
    *,
    after: LocalPlatform | None = None,
    max_rmse: float = 4.0,
) -> Iterator[LocalPlatform]:
    make_dagster_home(home / "dagster")
    environment.setenv("DAGSTER_HOME", str(home / "dagster"))
    chosen = {"HOME": str(home), "PROFILE": "aws", "RAW_URI": f"s3://{BUCKET}/raw/abalone.data"}
    chosen["GATE_MAX_RMSE"] = str(max_rmse)
    for name, value in {**chosen, **QUICK}.items():
        environment.setenv(f"ABALONE_{name}", value)
    forget()
    with dg.DagsterInstance.get() as instance:
        platform = LocalPlatform(definitions=definitions.defs(), instance=instance)
        platform.cursors.update(after.cursors if after else {})
        yield platform


def _land(told: Story, platform: LocalPlatform, name: str) -> Chapter:
    told.aws.s3.put_object(Bucket=BUCKET, Key=f"{LANDING}{name}", Body=SURVEYS[name])
    runs = platform.settle()
    answer = told.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="abalone", ContentType="text/csv", Accept="text/csv", Body=QUESTION
    )
    endpoint = told.client("sagemaker").describe_endpoint(EndpointName="abalone")
    del endpoint["ResponseMetadata"]
    release = json.loads(told.read("lake/release.json"))
    entries = platform.instance.all_logs(release["run_id"])
    return Chapter(
        runs=runs,
        endpoint=endpoint,
        answer=answer["Body"].read().decode(),
        metadata=_metadata(platform.instance),
        release=release,
        events=[entry.dagster_event for entry in entries if entry.dagster_event],
        looked_at_all=json.loads(platform.cursors["survey_sensor"] or "{}")["reconciled_at"],
    )


def _metadata(instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    events = {
        key.to_user_string(): instance.get_latest_materialization_event(key)
        for key in instance.all_asset_keys()
    }
    return {
        asset: {name: value.value for name, value in event.asset_materialization.metadata.items()}
        for asset, event in events.items()
        if event is not None and event.asset_materialization is not None
    }


def _base() -> bytes:
    """Enough of the bundled base survey to learn from, in a tenth of the time."""
    return b"".join(base_survey().read_bytes().splitlines(keepends=True)[:BASE_ROWS])


def _run_locally(told: Story, folder: Path) -> None:
    folder.mkdir()
    (folder / "abalone.data").write_bytes(_base())
    chosen = {"GATE_MAX_RMSE": "4", **TOLERANT}
    with platform_in(folder, RAW_URI=str(folder / "abalone.data"), **chosen) as platform:
        for name in list(SURVEYS)[:2]:
            platform.land(name, SURVEYS[name])
        platform.settle()  # one release is enough to have a champion
        platform.land(list(SURVEYS)[2], SURVEYS[list(SURVEYS)[2]])
        platform.settle()
        lake = platform.lake
        told.local = {name: pl.read_parquet(lake.uri(name)) for name in (*SPLITS, "merged_dataset")}
        told.local_metadata = _metadata(platform.instance)

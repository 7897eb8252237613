"""One story through the whole lineage on AWS, with jobs and an endpoint that really run.

Three surveys land: the first makes the endpoint, the second updates it behind a canary, the third
meets a gate that no model passes. The same surveys go through the local profile beside it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import polars as pl
import pytest

from abalone_assets import definitions
from abalone_assets.aws.parameters import forget
from abalone_assets.local.run import LocalPlatform
from abalone_assets.registry.record_tables import RECORD_TABLES
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.automation.support import platform_in
from abalone_assets_tests.cli.support import abalone_json
from abalone_assets_tests.deploy.iam import (
    RARELY_NEEDED,
    as_deployed,
    denied,
    policy_of,
    unused_actions,
)
from abalone_assets_tests.fakes.places import BUCKET, OWN_KEY
from abalone_assets_tests.fakes.standin import AwsStandIn
from abalone_assets_tests.stories.aws.stack import (
    ALARM,
    CRAWLER,
    DATABASE,
    GROUP,
    LANDING,
    QUEUE,
    provision,
)
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import QUICK_BLEND, survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from abalone_assets_tests.fakes.calls import Call
    from abalone_assets_tests.fakes.server import MotoServer

pytestmark = [pytest.mark.xdist_group("aws_lineage"), pytest.mark.timeout(600)]

SURVEYS: Final = {
    "abalone.20250314061500": survey_rows(60, seed=1),
    "abalone.20250422143000": survey_rows(40, seed=2),
    "abalone.20250521054500": survey_rows(20, seed=3),
}
BILLED: Final = {"s3:ListBucket", "s3:GetObject", "s3:HeadObject", "sqs:ReceiveMessage"}
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


def _asked_by(platform: LocalPlatform, aws: AwsStandIn, sensor: str) -> Counter[str]:
    """The calls of a tick that finds nothing to do."""
    before = len(aws.calls)
    assert not platform.tick(sensor).run_requests
    return Counter(call.action for call in aws.calls[before:])


@pytest.fixture(scope="module")
def story(moto_server: MotoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("lineage")
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


def test_each_landed_survey_is_ingested_and_released_once(story: Story) -> None:
    assert [dict(chapter.runs) for chapter in story.chapters] == 3 * [
        {"ingest_surveys": 1, "release": 1}
    ]


def test_an_old_surveys_day_was_found_by_its_notification(story: Story) -> None:
    """Nothing else leads to it: all days were looked at once, when nothing had landed."""
    assert len({chapter.looked_at_all for chapter in story.chapters}) == 1
    head = json.loads(story.read("lake/manifest.json"))
    months = [json.loads(story.read(f"lake/{each['part']}")) for each in head["months"].values()]
    days = [day for month in months for day in month["days"].values()]
    files = {file["name"]: file["rows"] for day in days for file in day["files"]}
    assert files == {name: len(rows.splitlines()) for name, rows in SURVEYS.items()}
    attributes = story.client("sqs").get_queue_attributes(
        QueueUrl=story.client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"],
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_each_model_became_a_version_with_metrics_and_the_gates_decision(story: Story) -> None:
    sagemaker = story.client("sagemaker")
    packages = sagemaker.list_model_packages(ModelPackageGroupName=GROUP)
    found = [
        sagemaker.describe_model_package(ModelPackageName=each["ModelPackageArn"])
        for each in packages["ModelPackageSummaryList"]
    ]
    assert {each["ModelPackageVersion"]: each["ModelApprovalStatus"] for each in found} == {
        1: "Approved",
        2: "Approved",
        3: "Rejected",
    }
    for package in found:
        uri = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
        metrics = json.loads(story.read(uri.removeprefix(f"s3://{BUCKET}/")))
        assert metrics["regression_metrics"]["rmse"]["value"] < 3


def test_the_endpoint_was_updated_behind_a_canary_and_its_alarm(story: Story) -> None:
    first, second, _ = (chapter.endpoint for chapter in story.chapters)
    assert first["EndpointConfigName"] != second["EndpointConfigName"]
    assert "LastDeploymentConfig" not in first
    deployment = second["LastDeploymentConfig"]
    routing = deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == "CANARY"
    assert deployment["AutoRollbackConfiguration"]["Alarms"] == [{"AlarmName": ALARM}]
    config = story.client("sagemaker").describe_endpoint_config(
        EndpointConfigName=second["EndpointConfigName"]
    )
    assert config["ProductionVariants"][0]["InitialInstanceCount"] == 2
    assert config["DataCaptureConfig"]["InitialSamplingPercentage"] == 100


def test_a_rejected_model_leaves_the_endpoint_as_it_was(story: Story) -> None:
    _, second, third = story.chapters
    assert third.release["outcome"] == "rejected"
    assert third.release["digest"] != second.release["digest"]
    assert third.endpoint == second.endpoint
    assert third.answer == second.answer


def test_the_event_log_says_why_a_model_was_rejected_and_what_was_skipped(story: Story) -> None:
    *approved, rejected = [_of_type(chapter.events) for chapter in story.chapters]
    (check,) = rejected["ASSET_CHECK_EVALUATION", "approved_model"]
    evaluated = check.asset_check_evaluation_data
    assert (evaluated.check_name, evaluated.passed) == ("gate", False)
    reason = evaluated.metadata["why"].value
    assert "is above the limit of 0.5" in str(reason)
    assert reason == story.chapters[2].release["reason"]
    (observation,) = rejected["ASSET_OBSERVATION", "approved_model"]
    observed = observation.asset_observation_data.asset_observation
    assert observed.metadata["why"].value == reason
    assert ("STEP_SKIPPED", "endpoint") in rejected
    (stands,) = rejected["ASSET_MATERIALIZATION", "approved_model"]
    told = stands.step_materialization_data.materialization.metadata
    assert told["version"].value != told["approved_version"].value
    for before in approved:
        assert ("ASSET_MATERIALIZATION", "endpoint") in before


def _of_type(events: Sequence[dg.DagsterEvent]) -> dict[tuple[str, str], list[dg.DagsterEvent]]:
    """The events by type and step."""
    found: dict[tuple[str, str], list[dg.DagsterEvent]] = {}
    for event in events:
        found.setdefault((event.event_type_value, event.step_key or ""), []).append(event)
    return found


def test_requests_and_answers_are_captured(story: Story) -> None:
    captured = [
        json.loads(line)
        for key in story.keys("captured_requests/abalone/")
        for line in story.read(key).splitlines()
    ]
    asked = [record["captureData"]["endpointInput"]["data"] for record in captured]
    assert asked.count(QUESTION) == 3


def test_athena_finds_a_table_for_every_frame(story: Story) -> None:
    glue = story.client("glue")
    tables = {table["Name"]: table for table in glue.get_tables(DatabaseName=DATABASE)["TableList"]}
    frames = {"raw_abalone", "new_surveys", "quarantined_rows", "merged_dataset", *SPLITS}
    assert tables.keys() == {*frames, *RECORD_TABLES}
    days = glue.get_partitions(DatabaseName=DATABASE, TableName="new_surveys")["Partitions"]
    assert sorted(day["Values"][0] for day in days)[:1] == ["2025-03-14"]
    assert glue.get_crawler(Name=CRAWLER)["Crawler"]["State"] in {"RUNNING", "READY"}
    for name, table in tables.items():
        prefix = table["StorageDescriptor"]["Location"].removeprefix(f"s3://{BUCKET}/")
        seen = [key for key in story.keys(prefix) if not key.rpartition("/")[2].startswith("_")]
        assert seen, name
        assert all(key.endswith(".parquet") for key in seen), seen


def test_both_profiles_make_identical_splits(story: Story) -> None:
    for name, frame in story.local.items():
        on_s3 = pl.read_parquet(BytesIO(story.read(f"lake/{name}/data.parquet")))
        assert on_s3.schema == frame.schema, name
        assert on_s3.equals(frame), name


OF_A_JOB = {"job", "logs", "billable_seconds", "estimated_cost_usd", "noted"}
"""What there is to say of a version or its jobs on AWS alone."""


def test_both_profiles_make_metrics_equal_to_1e_9_and_the_same_metadata_keys(story: Story) -> None:
    approved = story.chapters[1].metadata["approved_model"]  # the third model was rejected
    on_aws = {**story.chapters[2].metadata, "approved_model": approved}
    assert on_aws.keys() == story.local_metadata.keys()
    for asset, here in story.local_metadata.items():
        assert on_aws[asset].keys() - OF_A_JOB == here.keys(), asset
    for asset, metrics in {
        "evaluation": ("rmse", "mae", "r2", "bias", "rows"),
        "trained_model": ("validation_rmse", "train_rmse", "rounds"),
    }.items():
        for name in metrics:
            there = on_aws[asset][name]
            assert there == pytest.approx(story.local_metadata[asset][name], abs=1e-9), name


def test_assets_say_where_their_jobs_ran_and_what_they_cost(story: Story) -> None:
    for asset, service in {
        "merged_dataset": "Glue",
        "trained_model": "SageMaker training",
        "evaluation": "SageMaker processing",
    }.items():
        shown = story.chapters[0].metadata[asset]
        assert shown["platform"].startswith(service)
        assert shown["billable_seconds"] > 0
        assert shown["estimated_cost_usd"] > 0
        assert "console.aws.amazon.com" in shown["job"]
        assert "console.aws.amazon.com" in shown["logs"]
        assert not {"attempt", "attached"} & shown.keys()


def test_sagemaker_studio_is_told_of_every_version(story: Story) -> None:
    shown = story.chapters[0].metadata["approved_model"]
    assert shown["noted"] == "model card, lineage"
    assert "not_noted" not in shown


def test_each_role_may_make_every_call_of_the_lineage_and_the_runs_little_more(
    story: Story,
) -> None:
    own = as_deployed(call for call in story.calls if call.caller == "test")
    assert denied(policy_of("run"), own) == []
    assert unused_actions(policy_of("run"), own) <= RARELY_NEEDED.keys()
    for role, beginning in {
        "glue": ("jr_",),
        "sagemaker": ("trained-model-", "evaluation-"),
    }.items():
        jobs = as_deployed(call for call in story.calls if call.caller.startswith(beginning))
        assert jobs, role
        assert denied(policy_of(role), jobs) == []


def test_what_idle_sensors_ask_is_what_the_cost_page_counts(story: Story) -> None:
    asked = {
        sensor: {action: count for action, count in ticked.items() if action in BILLED}
        for sensor, ticked in story.idle.items()
    }
    assert asked == {
        "survey_sensor": {"s3:ListBucket": 1, "s3:GetObject": 2, "sqs:ReceiveMessage": 1},
        "animals_sensor": {"s3:ListBucket": 1, "s3:GetObject": 3},
        "release_sensor": {"s3:GetObject": 3},
        "approval_sensor": {"s3:ListBucket": 1, "s3:GetObject": 2},
    }
    page = (Path(__file__).parents[3] / "docs" / "cost.md").read_text()
    for line in (
        "lists: three every 5 s",
        "reads: ten every 5 s",
        "looks into the queue: one every",
    ):
        assert f"| sensors' {line}" in page.replace("sensors' S3 ", "sensors' ")


def test_status_tells_what_the_endpoint_serves(story: Story) -> None:
    assert story.status["profile"] == "aws"
    assert story.status["live"]["version"] == 2
    assert story.status["live"]["standing"] == "approved by the gate"
    assert story.status["approvals"]["last_decision"]["version"] == 3
    assert 0 < story.status["live"]["rmse"] < 4
    assert story.status["release"]["outcome"] == "rejected"
    assert not story.status["due_days"]

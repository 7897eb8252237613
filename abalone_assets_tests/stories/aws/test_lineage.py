"""One story through the whole lineage on AWS, with jobs and an endpoint that really run.

Three surveys land: the first makes the endpoint, the second updates it behind a canary, the third
meets a gate that no model passes. The same surveys go through the local profile beside it.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg
import polars as pl
import pytest

from abalone_assets.registry.record_tables import RECORD_TABLES
from abalone_assets_tests.deploy.iam import (
    RARELY_NEEDED,
    as_deployed,
    denied,
    policy_of,
    unused_actions,
)
from abalone_assets_tests.fakes.places import BUCKET
from abalone_assets_tests.stories.aws.lineage_story import QUESTION, SPLITS, SURVEYS, Story, tell
from abalone_assets_tests.stories.aws.stack import ALARM, CRAWLER, DATABASE, GROUP, QUEUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abalone_assets_tests.fakes.server import MotoServer

pytestmark = [pytest.mark.xdist_group("aws_lineage"), pytest.mark.timeout(600)]

BILLED: Final = {"s3:ListBucket", "s3:GetObject", "s3:HeadObject", "sqs:ReceiveMessage"}


@pytest.fixture(scope="module")
def story(moto_server: MotoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with tell(moto_server, tmp_path_factory.mktemp("lineage")) as told:
        yield told


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
        "animals_sensor": {"s3:ListBucket": 1, "s3:GetObject": 4},
        "release_sensor": {"s3:GetObject": 3},
        "approval_sensor": {"s3:ListBucket": 1, "s3:GetObject": 2},
    }
    page = (Path(__file__).parents[3] / "docs" / "cost.md").read_text()
    for line in (
        "lists: three every 5 s",
        "reads: eleven every 5 s",
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

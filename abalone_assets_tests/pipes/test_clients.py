"""What all three clients do alike, each in the stand-in."""

from __future__ import annotations

import copy

import dagster as dg
import pytest

from abalone_assets.pipes import PipesJobInvocation
from abalone_assets_tests.pipes.lab import KINDS, REPORT, Lab, asset_of, client_of

RICH = """
print("hello from the job")
time.sleep(0.6)  # less than half a second would be billed as nothing
pipes.log.info("told by Pipes")
pipes.report_asset_check("is_good", passed=True, metadata={"rmse": 2.1})
pipes.report_asset_materialization(
    metadata={"rows": pipes.extras["rows"]}, data_version="v7")
pipes.report_custom_message({"report": [1, 2]})
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_reports_to_the_asset_and_the_asset_shows_the_job(lab: Lab, kind: str) -> None:
    invocations: list[PipesJobInvocation] = []
    run = lab.ask(kind, RICH, extras={"rows": 3})

    def keep(context: dg.AssetExecutionContext) -> PipesJobInvocation:
        invocations.append(run(context))
        return invocations[0]

    spec = dg.AssetCheckSpec("is_good", asset="model")
    result = lab.materialize(keep, check_specs=[spec])

    assert result.success
    [event] = result.asset_materializations_for_node("model")
    metadata = {name: value.value for name, value in event.metadata.items()}
    [invocation] = invocations
    assert metadata["rows"] == 3
    assert event.tags is not None
    assert event.tags["dagster/data_version"] == "v7"
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert list(invocation.get_custom_messages()) == [{"report": [1, 2]}]
    job = invocation.job
    assert list(lab.jobs(kind)) == [job.name]
    assert job.name.startswith("model-")
    assert job.name.endswith("-1")
    assert metadata["aws/job_name"] == job.name
    assert metadata["aws/attempt"] == 1
    assert metadata["aws/attached"] is False
    assert str(metadata["aws/job_url"]).startswith("https://us-east-1.console.aws.amazon.com/")
    assert job.billable_seconds >= 1
    assert metadata["aws/billable_seconds"] == job.billable_seconds
    log = "\n".join(lab.log(result.run_id))
    assert "told by Pipes" in log
    assert "hello from the job" in log
    assert lab.stored()
    assert all(key.startswith(f"{job.name}/messages/") for key in lab.stored())


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_job_fails_the_step_with_its_reason_and_its_last_lines(
    lab: Lab, kind: str
) -> None:
    body = "print('line', 'one'); sys.exit('the data is bad')"
    result = lab.materialize(lab.ask(kind, body))

    assert not result.success
    failure = lab.failure(result.run_id)
    assert "the data is bad" in failure.description
    assert "line one" in failure.metadata["aws/last_log_lines"].value
    assert failure.metadata["aws/job_url"].value in failure.description
    assert "line one" in "\n".join(lab.log(result.run_id))
    assert not [key for key in lab.stored() if "context" in key]


@pytest.mark.parametrize("kind", ["training", "glue"])
def test_a_job_that_somebody_stopped_has_failed(lab: Lab, kind: str) -> None:
    lab.aws.faults.stop_next_job()
    result = lab.materialize(lab.ask(kind, REPORT))
    assert not result.success
    description = lab.failure(result.run_id).description
    assert "ended as STOPPED" in description.replace("Stopped", "STOPPED")
    assert "somebody may have stopped it" in description


@pytest.mark.parametrize("state", ["EXPIRED", "TIMEOUT", "ERROR"])
def test_every_end_of_a_glue_run_is_an_end(lab: Lab, state: str) -> None:
    lab.aws.faults.fail_next_job("waited too long", state=state)
    result = lab.materialize(lab.ask("glue", REPORT))
    assert f"ended as {state}: waited too long" in lab.failure(result.run_id).description


def test_a_job_that_runs_too_long_says_which_limit_was_over(lab: Lab) -> None:
    stuck = "import time; time.sleep(50)"
    result = lab.materialize(lab.ask("training", stuck, pipes=False, max_runtime_seconds=1))
    assert "its MaxRuntimeInSeconds of 1 were over" in lab.failure(result.run_id).description


@pytest.mark.parametrize("required", [True, False])
def test_a_job_that_never_opens_pipes_fails_where_it_must(lab: Lab, *, required: bool) -> None:
    lab.options["require_pipes"] = required
    result = lab.materialize(lab.ask("processing", "pass", pipes=False))
    assert result.success is not required
    if required:
        assert "without ever opening Pipes" in lab.failure(result.run_id).description


def test_two_jobs_of_one_client_and_one_request_report_each_to_its_own_asset(lab: Lab) -> None:
    report = "pipes.report_asset_materialization(metadata={'asset': pipes.asset_key})"
    arguments = lab.arguments("processing", report)
    given = copy.deepcopy(arguments)
    client = client_of("processing", lab.aws.bucket)

    def run(context: dg.AssetExecutionContext) -> PipesJobInvocation:
        invocation: PipesJobInvocation = client.run(context=context, **arguments)
        return invocation

    assets = [asset_of(run, name=name) for name in ("first", "second")]
    result = dg.materialize(assets, instance=lab.instance)

    reported = {
        event.asset_key.to_user_string(): event.materialization.metadata["asset"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert reported == {"first": "first", "second": "second"}
    assert arguments == given


def test_every_status_is_logged_with_its_message(lab: Lab) -> None:
    lab.options["require_pipes"] = False
    result = lab.materialize(lab.ask("training", "pass", pipes=False))
    told = [line.partition(": ")[2] for line in lab.log(result.run_id) if "-1: " in line]
    assert told[-5:] == [
        "Starting: Starting the training job",
        "Downloading: Downloading the training image",
        "Training: Training image download completed. Training in progress.",
        "Uploading: Uploading generated training model",
        "Completed: Training job completed",
    ]


def test_messages_are_deleted_after_success_when_asked_for(lab: Lab) -> None:
    lab.options["delete_messages"] = True
    assert lab.materialize(lab.ask("processing", REPORT)).success
    assert lab.stored() == []


def test_tags_tell_the_run_in_the_letters_that_aws_allows(lab: Lab) -> None:
    lab.options["require_pipes"] = False
    tags = [{"Key": "team", "Value": "a"}]
    run = lab.execute(
        asset_of(lab.ask("training", "pass", pipes=False, params={"Tags": tags})),
        user="ann|bob",
        partition="2026-01-01|M",
    )
    assert run.is_success
    sagemaker = lab.aws.client("sagemaker")
    [name] = lab.jobs("training")
    arn = sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobArn"]
    found = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert found["team"] == "a"
    assert found["dagster/run-id"] == run.run_id
    assert found["dagster/user"] == "ann-bob"
    assert found["dagster/partition"] == "2026-01-01-M"

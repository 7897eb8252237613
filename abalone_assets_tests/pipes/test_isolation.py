"""Jobs without a network: what is added to their requests."""

from __future__ import annotations

from typing import Any

import pytest
from dagster_pipes import encode_param

from abalone_assets.pipes import PipesJobParametersError
from abalone_assets.pipes._isolation import (
    carried_by_processing,
    carried_by_training,
    is_isolated,
)
from abalone_assets.pipes.sagemaker import TrainingJob

BOOTSTRAP = {
    "DAGSTER_PIPES_CONTEXT": encode_param({"bucket": "b", "key": "p/job/context.json"}),
    "DAGSTER_PIPES_MESSAGES": encode_param({"bucket": "b", "key_prefix": "p/job/messages"}),
}
CHANNEL: Any = {"ChannelName": "train"}


@pytest.mark.parametrize(
    ("request_", "isolated"),
    [
        ({}, False),
        ({"EnableNetworkIsolation": False}, False),
        ({"EnableNetworkIsolation": True}, True),
        ({"NetworkConfig": {"EnableNetworkIsolation": True}}, True),
        ({"NetworkConfig": {"VpcConfig": {}}}, False),
    ],
)
def test_a_request_says_whether_its_job_is_isolated(
    request_: dict[str, Any],
    isolated: bool,  # noqa: FBT001 - a table
) -> None:
    assert is_isolated(request_) == isolated


def test_a_training_job_finds_the_context_in_a_channel_and_leaves_messages_as_checkpoints() -> None:
    request: dict[str, Any] = {"InputDataConfig": [CHANNEL]}

    variables = carried_by_training(request, BOOTSTRAP)

    first, added = request["InputDataConfig"]
    assert first == CHANNEL
    assert added["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/p/job/context.json"
    assert request["CheckpointConfig"] == {
        "S3Uri": "s3://b/p/job/messages",
        "LocalPath": "/opt/ml/checkpoints",
    }
    folder = f"/opt/ml/input/data/{added['ChannelName']}"
    assert variables["DAGSTER_PIPES_CONTEXT_FILE"] == f"{folder}/context.json"


def test_a_processing_job_finds_it_in_an_input_and_its_messages_are_copied_all_the_time() -> None:
    request: dict[str, Any] = {}

    variables = carried_by_processing(request, BOOTSTRAP)

    [output] = request["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3UploadMode"] == "Continuous"
    assert output["S3Output"]["LocalPath"] == variables["DAGSTER_PIPES_MESSAGES_FOLDER"]
    assert all(len(value) <= 256 for value in variables.values())


def test_checkpoints_of_ones_own_are_refused_in_isolation() -> None:
    with pytest.raises(PipesJobParametersError, match="CheckpointConfig must not be given"):
        carried_by_training({"CheckpointConfig": {}}, BOOTSTRAP)


def test_an_isolated_spot_job_gets_its_longest_wait_but_no_checkpoints() -> None:
    spot = {"EnableManagedSpotTraining": True, "EnableNetworkIsolation": True}
    job = TrainingJob(None, spot, max_runtime_seconds=600, checkpoints_below="s3://b/p")
    job.take("model-0123456789abcdef-2", 2)

    request = job._bounded(dict(spot))

    assert request["StoppingCondition"]["MaxWaitTimeInSeconds"] == 1200
    assert "CheckpointConfig" not in request

"""The endpoint as AWS's own client for Python uses it, unchanged but for the address."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.monitoring.captures import Captures
from abalone_assets.serving.model_host import ServedModel
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.serving.protocol import MAX_BODY_BYTES
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import (
    BODY,
    ENDPOINT,
    LINES,
    RunningServer,
    local_prediction,
    new_registry,
    register,
    running_server,
    serving,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry


@pytest.fixture(scope="module")
def live(
    archives: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with the first archive as version 1, for tests that change nothing."""
    with serving(new_registry(tmp_path_factory.mktemp("boto3")), archives[0]) as running:
        yield running


def boto3_runtime(url: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),  # or it waits before it tells of a 5XX
    )


def refused(url: str, body: str | bytes = BODY, **asked: str) -> dict[str, Any]:
    """What a client is told of a refusal by the model."""
    client = boto3_runtime(url)
    with pytest.raises(client.exceptions.ModelError) as seen:
        client.invoke_endpoint(
            EndpointName=ENDPOINT, Body=body, **{"ContentType": "text/csv", **asked}
        )
    return dict(seen.value.response)


def test_boto3s_runtime_client_works_unchanged(live: RunningServer, archives: list[bytes]) -> None:
    response = boto3_runtime(live.url).invoke_endpoint(
        EndpointName=ENDPOINT, Body=BODY, ContentType="text/csv", Accept="text/csv"
    )
    rings = [float(line) for line in response["Body"].read().decode().split()]
    assert rings == local_prediction(archives[0])
    assert response["ContentType"] == "text/csv"
    assert response["InvokedProductionVariant"] == "AllTraffic"


@pytest.mark.parametrize("media_type", ["text/csv", "application/json"])
def test_boto3_gets_the_same_answer_in_mm_and_g_as_in_the_units_of_a_survey(
    live: RunningServer, media_type: str
) -> None:
    survey = [line.split(",") for line in LINES]
    measured = [[row[0], *(f"{float(each) * 200:.2f}" for each in row[1:])] for row in survey]
    answers = []
    for rows, content_type in ((survey, media_type), (measured, f"{media_type}; units=mm-g")):
        many = [row for row in rows for _ in range(50)]  # by column
        for asked in (rows, many):
            numbers = [[row[0], *map(float, row[1:])] for row in asked]
            lines = "".join(",".join(row) + "\n" for row in asked)
            body = json.dumps({"instances": numbers}) if "json" in media_type else lines
            response = boto3_runtime(live.url).invoke_endpoint(
                EndpointName=ENDPOINT, Body=body, ContentType=content_type, Accept="text/csv"
            )
            answers.append([float(line) for line in response["Body"].read().decode().split()])
    for surveyed_answer, measured_answer in zip(answers[:2], answers[2:], strict=True):
        assert measured_answer == pytest.approx(surveyed_answer, abs=1e-9)
    assert [len(answer) for answer in answers] == [3, 150, 3, 150]


def test_boto3_is_told_of_mm_and_g_that_nobody_declared(live: RunningServer) -> None:
    client = boto3_runtime(live.url)
    for body, content_type, said in (
        ("M,100,80,26,140,60,30,40", "text/csv", "look like millimetres and grams"),
        (LINES[0], "text/csv; units=mm-g", "look like millimetres / 200"),
    ):
        with pytest.raises(client.exceptions.ModelError, match=said) as seen:
            client.invoke_endpoint(EndpointName=ENDPOINT, Body=body, ContentType=content_type)
        assert seen.value.response["OriginalStatusCode"] == 400


def test_boto3_sees_an_unknown_endpoint_as_a_validation_error(live: RunningServer) -> None:
    client = boto3_runtime(live.url)
    with pytest.raises(client.exceptions.ValidationError, match="Endpoint other not found") as seen:
        client.invoke_endpoint(EndpointName="other", Body=BODY, ContentType="text/csv")
    assert seen.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_boto3_sees_a_malformed_row_as_a_model_error_that_names_row_and_column(
    live: RunningServer,
) -> None:
    client = boto3_runtime(live.url)
    body = BODY + "M,0.5,tall,0.13,0.7,0.3,0.15,0.2\n"
    with pytest.raises(client.exceptions.ModelError) as seen:
        client.invoke_endpoint(EndpointName=ENDPOINT, Body=body, ContentType="text/csv")
    answer = seen.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 400
    assert "row 4" in answer["OriginalMessage"]
    assert "diameter" in answer["OriginalMessage"]


def test_json_is_asked_and_answered_with_age_and_interval(
    live: RunningServer, archives: list[bytes]
) -> None:
    instances = [line.split(",") for line in LINES]
    response = boto3_runtime(live.url).invoke_endpoint(
        EndpointName=ENDPOINT,
        Body=json.dumps({"instances": instances}),
        ContentType="application/json",
    )
    assert response["ContentType"] == "application/json"
    predictions = json.loads(response["Body"].read())["predictions"]
    assert [each["rings"] for each in predictions] == local_prediction(archives[0])
    for each in predictions:
        assert each["age_years"] == pytest.approx(each["rings"] + 1.5)
        assert each["rings_low"] < each["rings"] < each["rings_high"]


def test_the_client_chooses_the_type_of_the_answer(live: RunningServer) -> None:
    response = boto3_runtime(live.url).invoke_endpoint(
        EndpointName=ENDPOINT, Body=BODY, ContentType="text/csv", Accept="application/json"
    )
    assert len(json.loads(response["Body"].read())["predictions"]) == len(LINES)


def test_a_thousand_animals_are_one_request(live: RunningServer, archives: list[bytes]) -> None:
    body = BODY * 334
    response = boto3_runtime(live.url).invoke_endpoint(
        EndpointName=ENDPOINT, Body=body, ContentType="text/csv"
    )
    rings = [float(line) for line in response["Body"].read().split()]
    assert rings == local_prediction(archives[0]) * 334


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ({"ContentType": "application/x-npy"}, 415, "application/x-npy"),
        ({"Accept": "image/png"}, 406, "image/png"),
        ({"body": "\n"}, 400, "send at least one abalone"),
    ],
    ids=["content type", "accept", "no rows"],
)
def test_what_the_model_refuses_has_its_status_and_its_words(
    live: RunningServer, asked: dict[str, str], status: int, message: str
) -> None:
    answer = refused(live.url, **asked)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == status
    assert message in answer["OriginalMessage"]


def test_a_body_over_the_limit_is_a_validation_error(live: RunningServer) -> None:
    client = boto3_runtime(live.url)
    with pytest.raises(client.exceptions.ValidationError, match="6291456 bytes") as seen:
        client.invoke_endpoint(
            EndpointName=ENDPOINT, Body=b"\n" * (MAX_BODY_BYTES + 1), ContentType="text/csv"
        )
    assert seen.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_an_endpoint_without_a_model_is_unavailable(registry: FolderRegistry) -> None:
    with running_server(registry) as running:
        client = boto3_runtime(running.url)
        with pytest.raises(client.exceptions.ServiceUnavailable, match="its first deployment"):
            client.invoke_endpoint(EndpointName=ENDPOINT, Body=BODY, ContentType="text/csv")


def test_a_defect_is_an_internal_failure(
    live: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = boto3_runtime(live.url)
    monkeypatch.setattr(ServedModel, "invoke", None)
    with pytest.raises(client.exceptions.InternalFailure):
        client.invoke_endpoint(EndpointName=ENDPOINT, Body=BODY, ContentType="text/csv")


def test_a_swapped_model_answers_the_same_client(
    archives: list[bytes], registry: FolderRegistry
) -> None:
    for archive in archives[:2]:
        register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    with running_server(registry) as running:
        client, answers = boto3_runtime(running.url), []
        for version in (1, 2):
            publish_pointer(registry.store, ENDPOINT, version)
            running.wait_for_version(version)
            response = client.invoke_endpoint(
                EndpointName=ENDPOINT, Body=BODY, ContentType="text/csv"
            )
            headers = response["ResponseMetadata"]["HTTPHeaders"]
            assert headers["x-abalone-model-version"] == str(version)
            answers.append([float(line) for line in response["Body"].read().split()])
    assert answers == [local_prediction(archive) for archive in archives[:2]]


def test_what_it_asks_is_captured_by_its_own_id_also_when_it_is_refused(
    archives: list[bytes], registry: FolderRegistry, tmp_path: Path
) -> None:
    captures = Captures(ObjectStore(tmp_path / "capture"), ENDPOINT)
    with serving(registry, archives[0], capture_store=captures.store) as running:
        boto3_runtime(running.url).invoke_endpoint(
            EndpointName=ENDPOINT, Body=BODY, ContentType="text/csv", InferenceId="good"
        )
        refused(running.url, "X" + BODY[1:], InferenceId="bad")
        wait_until(lambda: running.client.describe()["capture"]["written"] == 2)
    keys = [key for day in captures.files_by_day() for key in captures.files_of(day)]
    rows = captures.read(keys).sort("inference_id", "row").to_dicts()
    assert [row["inference_id"] for row in rows] == ["bad", *["good"] * len(LINES)]
    assert rows[0]["problem"] == "the request is outside the contract (sex): refused with 400"
    assert [row["rings"] for row in rows[1:]] == local_prediction(archives[0])

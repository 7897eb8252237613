"""The stand-in splits, assembles and refuses a batch transform as SageMaker documents it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from abalone_assets_tests.fakes import transform_jobs
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.serving.sagemaker.hosting import ENDPOINT, constant_archive

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account

COUNTING = """
def model_fn(model_dir):
    return None

def input_fn(body, content_type):
    return body

def predict_fn(body, model):
    return len(body)

def output_fn(prediction, accept):
    return str(prediction), "text/csv"
"""
"""Answers each request with the number of its bytes."""


def transform(account: Account, body: bytes, **changes: Any) -> str | None:
    """The output of one file, or None when the job failed."""
    if not account.models():
        account.register(constant_archive(1.0, COUNTING))
        account.ensure_configs(ENDPOINT)
    bucket, s3 = account.aws.bucket, account.aws.s3
    s3.put_object(Bucket=bucket, Key="in/a.csv", Body=body)
    source = {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/a"}}
    }
    request = {
        "TransformJobName": "job",
        "ModelName": account.models().pop(),
        "TransformInput": {**source, "ContentType": "text/csv", **changes.pop("source", {})},
        "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out", **changes.pop("target", {})},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **changes,
    }
    account.sagemaker.create_transform_job(**request)

    def status() -> Any:
        found = account.sagemaker.describe_transform_job(TransformJobName="job")
        return found["TransformJobStatus"] != "InProgress" and found["TransformJobStatus"]

    if wait_for(status) != "Completed":
        return None
    return str(s3.get_object(Bucket=bucket, Key="out/a.csv.out")["Body"].read().decode())


@pytest.mark.parametrize(
    ("source", "strategy", "target", "expected"),
    [
        ({}, None, {}, "9"),  # not split: the whole file is one request
        ({"SplitType": "Line"}, "SingleRecord", {}, "333"),
        ({"SplitType": "Line"}, "SingleRecord", {"AssembleWith": "Line"}, "3\n3\n3\n"),
        ({"SplitType": "Line"}, "MultiRecord", {"AssembleWith": "Line"}, "6\n3\n"),
    ],
)
def test_a_file_is_split_and_its_answers_are_assembled(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    source: dict[str, str],
    strategy: str | None,
    target: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.setattr(transform_jobs, "MEGABYTE", 8 if strategy else 9)
    more = {"BatchStrategy": strategy} if strategy else {}
    answer = transform(
        account, b"aa\nbb\ncc\n", source=source, target=target, MaxPayloadInMB=1, **more
    )
    assert answer == expected


def test_a_record_that_is_larger_than_a_payload_fails_the_job(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transform_jobs, "MEGABYTE", 4)
    source = {"SplitType": "Line"}
    assert transform(account, b"aa\nbbbbbb\n", source=source, MaxPayloadInMB=1) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ModelName": "unknown"}, "Could not find model"),
        ({"ModelName": "no_name"}, "regular expression"),
        ({"TransformResources": {"InstanceType": "ml.z9.huge", "InstanceCount": 1}}, "enum value"),
    ],
)
def test_what_sagemaker_refuses_is_refused(
    account: Account, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        transform(account, b"a\n", **changes)


def test_a_missing_input_fails_the_job(account: Account) -> None:
    elsewhere = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://abalone-tests/none"}}
    assert transform(account, b"a\n", source={"DataSource": elsewhere}) is None

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.etl.request import PrepareRequest
from abalone_assets.etl.spark_output import replaced

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


KEY = "lake/merged_dataset/data.parquet"


def keys(aws: AwsStandIn) -> list[str]:
    found = aws.s3.list_objects_v2(Bucket=aws.bucket)
    return [item["Key"] for item in found.get("Contents", [])]


def staging(aws: AwsStandIn) -> str:
    return f"s3://{aws.bucket}/lake/_staged"


def write(aws: AwsStandIn, staged: str, *names: str) -> None:
    """What Spark writes: parts, and what else its committers leave."""
    for name in (*names, "_SUCCESS"):
        aws.storage.write(f"{staged}/{name}", b"new")
    aws.storage.write(f"{staged}_$folder$", b"")


def test_the_one_part_takes_the_objects_place_and_nothing_else_stays(aws: AwsStandIn) -> None:
    uri = f"s3://{aws.bucket}/{KEY}"
    aws.storage.write(uri, b"old")
    with replaced(uri, staging(aws)) as staged:
        write(aws, staged, "part-00000-1.snappy.parquet")
        assert aws.storage.read(uri) == b"old"
    assert keys(aws) == [KEY]
    assert aws.storage.read(uri) == b"new"


@pytest.mark.parametrize("parts", [[], ["part-0", "part-1"]])
def test_no_part_or_several_are_refused(aws: AwsStandIn, parts: list[str]) -> None:
    uri = f"s3://{aws.bucket}/{KEY}"
    with (
        pytest.raises(StorageError, match=f"wrote {len(parts)} parts"),
        replaced(uri, staging(aws)) as staged,
    ):
        write(aws, staged, *parts)
    assert keys(aws) == []


def test_a_failure_leaves_the_old_object_and_nothing_staged(aws: AwsStandIn) -> None:
    uri = f"s3://{aws.bucket}/{KEY}"
    aws.storage.write(uri, b"old")
    with pytest.raises(ZeroDivisionError):
        _fail_after_writing(aws, uri)
    assert keys(aws) == [KEY]
    assert aws.storage.read(uri) == b"old"


def _fail_after_writing(aws: AwsStandIn, uri: str) -> None:
    with replaced(uri, staging(aws)) as staged:
        write(aws, staged, "part-0")
        raise ZeroDivisionError


def test_s3s_refusal_is_one_clear_error(aws: AwsStandIn) -> None:
    uri = "s3://no-such-bucket/data.parquet"
    refused = pytest.raises(StorageError, match=f"{uri}: cannot be written: .*NoSuchBucket")
    with refused, replaced(uri, "s3://no-such-bucket/staged"):
        pass


def test_what_a_killed_preparation_leaves_lies_beside_no_output(aws: AwsStandIn) -> None:
    """Training reads a split's whole folder, and once read such leftovers as rows."""
    uri = f"s3://{aws.bucket}/{KEY}"
    killed = replaced(uri, PrepareRequest((), uri, {}).staging)
    write(aws, killed.__enter__(), "part-0.parquet")
    assert len(keys(aws)) == 3
    assert all(key.startswith("lake/_staged/") for key in keys(aws))

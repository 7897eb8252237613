"""Dagster's side of Pipes, by hand: a context on S3, and the messages that come back."""

import json
from collections.abc import Mapping
from typing import Any

from dagster_pipes import encode_param

from abalone_assets_tests.fakes.standin import AwsStandIn

PREFIX = "jobs/pipes"


def bootstrap(aws: AwsStandIn, *assets: str, extras: Mapping[str, Any]) -> dict[str, str]:
    """Put a context on S3; the parameters by which a script finds it."""
    context = {
        "asset_keys": list(assets),
        "code_version_by_asset_key": dict.fromkeys(assets),
        "provenance_by_asset_key": dict.fromkeys(assets),
        "partition_key": None,
        "partition_key_range": None,
        "partition_time_window": None,
        "run_id": "run",
        "job_name": "release",
        "retry_number": 0,
        "extras": extras,
    }
    key = f"{PREFIX}/context.json"
    aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=json.dumps(context).encode())
    messages = {"bucket": aws.bucket, "key_prefix": f"{PREFIX}/messages"}
    return {
        "DAGSTER_PIPES_CONTEXT": encode_param({"bucket": aws.bucket, "key": key}),
        "DAGSTER_PIPES_MESSAGES": encode_param(messages),
    }


def messages(aws: AwsStandIn) -> list[tuple[str, dict[str, Any]]]:
    """Method and parameters of each message that came back, in their order."""
    listed = aws.s3.list_objects_v2(Bucket=aws.bucket, Prefix=f"{PREFIX}/messages/")
    keys = [item["Key"] for item in listed.get("Contents", [])]
    keys.sort(key=lambda key: int(key.rpartition("/")[2].removesuffix(".json")))
    chunks = [aws.storage.read(f"s3://{aws.bucket}/{key}").decode() for key in keys]
    lines = [json.loads(line) for chunk in chunks for line in chunk.splitlines()]
    return [(line["method"], line["params"] or {}) for line in lines]

"""A landing zone on S3: keys that are no landed file, and a bucket that is missing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets_tests.ingest.landing_zone_support import (
    FIRST,
    LAST,
    NAME,
    names,
    stray_problems,
)


@pytest.mark.parametrize("since", [date(2025, 3, 2), date(2025, 1, 1)])
def test_s3_lists_only_the_survey_days_from_since_on(s3: str, since: date) -> None:
    zone = open_landing_zone(s3)
    before = f"abalone.{since - timedelta(days=1):%Y%m%d}235959"
    landed = [f"abalone.{since:%Y%m%d}{time}" for time in ("000000", "235959")]
    for name in (before, *landed, "abalone.20250303000000"):
        zone.land(name, b"")
    assert [file.name for file in zone.list_files(since)] == [*landed, "abalone.20250303000000"]


def put_object(uri: str) -> None:
    """Put an empty object under a key that our own writer would refuse."""
    import boto3

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"")


@pytest.mark.parametrize("key", ["", f"/{NAME}", f"march/{NAME}", "../x", "./x", "a//b", ".hidden"])
def test_an_s3_key_that_is_no_landed_file_hides_no_other(s3: str, key: str) -> None:
    put_object(f"{s3}/{key}")
    zone = open_landing_zone(s3)
    zone.land(NAME, b"")
    assert names(zone) == [NAME]
    below = key.partition("/")[0] + "/" if "/" in key and not key.startswith(".") else None
    assert list(stray_problems(zone)) == ([below] if below else [])
    assert all("no object below" in problem for problem in stray_problems(zone).values())


def test_an_s3_prefix_below_is_one_stray_however_many_objects_it_has(s3: str) -> None:
    for number in range(3):
        put_object(f"{s3}/march/abalone.2025030312000{number}")
    assert list(stray_problems(open_landing_zone(s3))) == ["march/"]


def test_a_missing_bucket_is_one_clear_error(s3: str) -> None:
    with pytest.raises(StorageError, match=r"^s3://no-such-bucket/zone: there is no such bucket; "):
        open_landing_zone("s3://no-such-bucket/zone").scan(FIRST, LAST)

"""What people decided on models, as tables of the Glue Data Catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from abalone_assets_tests.lake.glue.support import catalog_of, lake_on, registry_of, table
from abalone_assets_tests.serving.sagemaker.hosting import constant_archive

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn


def test_records_are_tables_whose_objects_lie_at_the_table_s_location(
    aws: AwsStandIn, tmp_path: Path
) -> None:
    lake = lake_on(aws)
    registry = registry_of(lake).open()
    registry.register(
        constant_archive(1.0),
        evaluation={"rmse": 2.1, "rows": 209, "model_sha256": "a"},
        decision={"approved": False, "reason": "too far off", "rule": "above_max_rmse"},
        release_digest="r1",
    )
    registry.approve(1, because="the scale was checked", by="ana")
    assert catalog_of(lake).refresh() == ["model_decisions", "model_metrics", "model_versions"]
    described = table("model_decisions")
    columns = {
        column["Name"]: (column["Type"], column["Comment"])
        for column in described["StorageDescriptor"]["Columns"]
    }
    assert columns["decided_at"] == ("timestamp", "When, UTC.")
    assert columns["approved"][0] == "boolean"
    types = {
        column["Name"]: column["Type"]
        for column in table("model_versions")["StorageDescriptor"]["Columns"]
    }
    assert (types["version"], types["first_day"], types["rmse"]) == ("bigint", "date", "double")

    prefix = described["StorageDescriptor"]["Location"].removeprefix(f"s3://{aws.bucket}/")
    listed = aws.client("s3").list_objects_v2(Bucket=aws.bucket, Prefix=prefix)["Contents"]
    (key,) = [each["Key"] for each in listed]
    local = tmp_path / "data.parquet"
    aws.client("s3").download_file(aws.bucket, key, str(local))
    with duckdb.connect() as connection:
        said = connection.execute(f"select decided_by, approved, rule from '{local}'").fetchall()
    assert said == [("the gate", False, "above_max_rmse"), ("ana", True, None)]

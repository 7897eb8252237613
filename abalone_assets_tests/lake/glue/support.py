"""A lake on S3 with its Glue database, and what the Glue Data Catalog says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from abalone_assets.aws.clients import client
from abalone_assets.ingest.frames import SURVEY_SCHEMA, to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.resources.catalog import GlueCatalog
from abalone_assets.resources.models import SageMakerModelRegistry
from abalone_assets.resources.storage import LakeResource
from abalone_assets_tests.serving.sagemaker.hosting import GROUP, IMAGE

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

DATABASE, CRAWLER = "abalone", "abalone-landing-zone"
CHANGES = ("CreateTable", "UpdateTable", "DeleteTable", "BatchCreatePartition")
DAY, NEXT_DAY = "2025-03-03", "2025-03-04"


def lake_on(aws: AwsStandIn) -> Lake:
    """An empty lake on S3, beside its database, its crawler and a group of model packages."""
    client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
    client("glue").create_database(DatabaseInput={"Name": DATABASE})
    client("glue").create_crawler(
        Name=CRAWLER,
        Role=aws.role_arn,
        DatabaseName=DATABASE,
        Targets={"S3Targets": [{"Path": f"s3://{aws.bucket}/landing_zone/"}]},
    )
    return Lake(f"s3://{aws.bucket}/lake")


def registry_of(lake: Lake) -> SageMakerModelRegistry:
    uri = f"{lake.store.uri.removesuffix('lake')}registry"
    return SageMakerModelRegistry(group=GROUP, uri=uri, image=IMAGE, instance_type="")


def catalog_of(lake: Lake) -> GlueCatalog:
    return GlueCatalog(
        lake=LakeResource(uri=lake.store.uri),
        registry=registry_of(lake),
        database=DATABASE,
        crawler=CRAWLER,
    )


def put(lake: Lake, asset: str, day: str | None = None, **columns: pl.DataType) -> None:
    frame = pl.DataFrame(schema=columns or SURVEY_SCHEMA)
    lake.store.write(lake.key(asset, day), to_parquet(frame))


def table(name: str) -> dict[str, Any]:
    found: dict[str, Any] = client("glue").get_table(DatabaseName=DATABASE, Name=name)["Table"]
    return found


def table_names() -> list[str]:
    found = client("glue").get_tables(DatabaseName=DATABASE)["TableList"]
    return sorted(one["Name"] for one in found)


def partitions(name: str) -> dict[str, str]:
    """The location of each partition, by its day."""
    found = client("glue").get_partitions(DatabaseName=DATABASE, TableName=name)["Partitions"]
    return {one["Values"][0]: one["StorageDescriptor"]["Location"] for one in found}


def partition_column_type(name: str) -> str:
    """The type of the first column of a table's one partition."""
    (found,) = client("glue").get_partitions(DatabaseName=DATABASE, TableName=name)["Partitions"]
    return str(found["StorageDescriptor"]["Columns"][0]["Type"])


def changes(aws: AwsStandIn) -> list[str]:
    return [call.operation for call in aws.calls if call.operation in CHANGES]

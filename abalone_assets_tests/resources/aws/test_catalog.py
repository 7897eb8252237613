"""The Glue Data Catalog as the lake's catalog."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from abalone_assets.aws.clients import client
from abalone_assets.aws.failures import AwsError
from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import QUARANTINE_SCHEMA, SURVEY_SCHEMA, to_parquet
from abalone_assets.lake import glue_tables as tables
from abalone_assets.lake.glue_tables import glue_columns, start_crawler
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.preparation import Preparation
from abalone_assets.lake.tables import AssetTable, asset_tables
from abalone_assets.resources.catalog import GlueCatalog
from abalone_assets.resources.models import SageMakerModelRegistry
from abalone_assets.resources.storage import LakeResource
from abalone_assets.survey import COLUMNS
from abalone_assets_tests.aws.support import calls_of
from abalone_assets_tests.serving.sagemaker.hosting import GROUP, IMAGE, constant_archive

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn

DATABASE, CRAWLER = "abalone", "abalone-landing-zone"
UNITS = {column.name: column.unit for column in COLUMNS}
CHANGES = ("CreateTable", "UpdateTable", "DeleteTable", "BatchCreatePartition")
DAY, NEXT_DAY = "2025-03-03", "2025-03-04"


@pytest.fixture
def lake(aws: AwsStandIn) -> Lake:
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


@pytest.fixture
def catalog(lake: Lake) -> GlueCatalog:
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


class TestATable:
    def test_is_made_for_each_asset_of_parquet_objects(
        self, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "merged_dataset")
        put(lake, "new_surveys", DAY)
        lake.record_preparation(Preparation("digest", 1, 1, 0))
        lake.store.write("manifest.json", b"{}")
        lake.store.write("evaluation/data.json", b"{}")
        lake.store.write("trained_model/train-1/output/model.tar.gz", b"")
        assert catalog.refresh() == ["merged_dataset", "new_surveys"]
        assert table_names() == ["merged_dataset", "new_surveys"]

    def test_is_what_athena_reads_as_parquet(self, lake: Lake, catalog: GlueCatalog) -> None:
        put(lake, "merged_dataset")
        catalog.refresh()
        made = table("merged_dataset")
        storage = made["StorageDescriptor"]
        assert made["TableType"] == "EXTERNAL_TABLE"
        assert made["Parameters"]["classification"] == "parquet"
        assert made["PartitionKeys"] == []
        assert storage["Location"] == f"{lake.store.uri}/merged_dataset/"
        assert storage["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")

    def test_has_the_columns_of_the_object_with_types_units_and_meanings(
        self, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "raw_abalone")
        catalog.refresh()
        columns = table("raw_abalone")["StorageDescriptor"]["Columns"]
        assert [column["Name"] for column in columns] == list(SURVEY_SCHEMA)
        types = {column["Name"]: column["Type"] for column in columns}
        assert (types["sex"], types["length"], types["rings"]) == ("string", "double", "bigint")
        comments = {column["Name"]: column["Comment"] for column in columns}
        assert all(comments.values())
        assert comments["length"].endswith(f"[{UNITS['length']}]")

    def test_below_whose_location_athena_finds_only_parquet_objects(self, lake: Lake) -> None:
        """Athena skips names that begin with an underscore, and reads everything else."""
        from abalone_assets.defs.ingestion.base_survey import QUARANTINED_KEY

        put(lake, "merged_dataset")
        lake.record_preparation(Preparation("digest", 1, 1, 0))
        lake.store.write(QUARANTINED_KEY, b"")
        names = {found.key.split("/")[-1] for found in lake.store.list()}
        assert {name for name in names if not name.startswith("_")} == {"data.parquet"}

    def test_of_an_asset_that_is_gone_goes_too(self, lake: Lake, catalog: GlueCatalog) -> None:
        put(lake, "merged_dataset")
        put(lake, "train_split")
        catalog.refresh()
        lake.store.delete(lake.key("train_split"))
        assert catalog.refresh() == ["merged_dataset"]
        assert table_names() == ["merged_dataset"]

    def test_of_somebody_else_stays(self, lake: Lake, catalog: GlueCatalog) -> None:
        client("glue").create_table(
            DatabaseName=DATABASE, TableInput={"Name": "landing_zone", "Parameters": {}}
        )
        put(lake, "merged_dataset")
        catalog.refresh()
        assert table_names() == ["landing_zone", "merged_dataset"]

    def test_follows_the_columns(self, lake: Lake, catalog: GlueCatalog) -> None:
        put(lake, "merged_dataset", length=pl.Float64())
        catalog.refresh()
        put(lake, "merged_dataset", length=pl.Float64(), bucket=pl.Int64())
        catalog.refresh()
        columns = table("merged_dataset")["StorageDescriptor"]["Columns"]
        assert [column["Name"] for column in columns] == ["length", "bucket"]

    def test_is_left_alone_when_nothing_changed(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "merged_dataset")
        put(lake, "new_surveys", DAY)
        catalog.refresh()
        before = changes(aws)
        catalog.refresh()
        assert changes(aws) == before == ["CreateTable", "CreateTable", "BatchCreatePartition"]

    def test_that_another_run_makes_at_the_same_moment_is_no_error(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "merged_dataset")
        aws.faults.refuse("CreateTable", "AlreadyExistsException", "Table already exists.")
        assert catalog.refresh() == ["merged_dataset"]

    def test_of_a_missing_database_is_one_clear_error(
        self, lake: Lake, catalog: GlueCatalog
    ) -> None:
        client("glue").delete_database(Name=DATABASE)
        put(lake, "merged_dataset")
        with pytest.raises(AwsError, match=r"^the Glue database abalone: .*EntityNotFound"):
            catalog.refresh()

    def test_of_a_denied_database_is_one_clear_error(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "merged_dataset")
        aws.faults.deny("CreateTable")
        with pytest.raises(AwsError, match=r"^the Glue database abalone: access denied: .*Create"):
            catalog.refresh()


class TestAPartition:
    def test_is_made_for_each_day(self, lake: Lake, catalog: GlueCatalog) -> None:
        for day in (DAY, NEXT_DAY):
            put(lake, "new_surveys", day)
        lake.store.write(lake.key("quarantined_rows", DAY), _empty(QUARANTINE_SCHEMA))
        assert catalog.refresh() == ["new_surveys", "quarantined_rows"]
        assert partitions("new_surveys") == {
            day: f"{lake.store.uri}/new_surveys/survey_day={day}/" for day in (DAY, NEXT_DAY)
        }
        assert list(partitions("quarantined_rows")) == [DAY]
        (key,) = table("new_surveys")["PartitionKeys"]
        assert (key["Name"], key["Type"]) == ("survey_day", "date")

    def test_is_added_for_a_new_day_and_dropped_for_one_that_is_gone(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "new_surveys", DAY)
        catalog.refresh()
        put(lake, "new_surveys", NEXT_DAY)
        lake.store.delete(lake.key("new_surveys", DAY))
        catalog.refresh()
        assert list(partitions("new_surveys")) == [NEXT_DAY]
        created = calls_of(aws, "BatchCreatePartition")[-1]["PartitionInputList"]
        assert [one["Values"] for one in created] == [[NEXT_DAY]]

    def test_follows_the_columns_and_is_never_missing_meanwhile(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog
    ) -> None:
        """Athena refuses to read a partition whose column types differ from its table's."""
        put(lake, "new_surveys", DAY, length=pl.Int64())
        catalog.refresh()
        put(lake, "new_surveys", DAY, length=pl.Float64())
        catalog.refresh()
        assert partition_column_type("new_surveys") == "double"
        assert len(calls_of(aws, "BatchUpdatePartition")) == 1
        assert calls_of(aws, "BatchDeletePartition") == []

    def test_that_points_to_another_lake_is_corrected(
        self, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "new_surveys", DAY)
        catalog.refresh()
        place = {"DatabaseName": DATABASE, "TableName": "new_surveys"}
        elsewhere = {"Values": [DAY], "StorageDescriptor": {"Location": "s3://elsewhere/"}}
        client("glue").update_partition(**place, PartitionValueList=[DAY], PartitionInput=elsewhere)
        catalog.refresh()
        assert partitions("new_surveys") == {DAY: f"{lake.store.uri}/new_surveys/survey_day={DAY}/"}

    def test_is_made_and_dropped_in_portions(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tables, "MAX_WRITTEN", 4)
        monkeypatch.setattr(tables, "MAX_DELETED", 2)
        days = [(date(2025, 1, 1) + timedelta(days=number)).isoformat() for number in range(6)]
        for day in days:
            put(lake, "new_surveys", day)
        catalog.refresh()
        assert list(partitions("new_surveys")) == days
        for day in days[1:]:
            lake.store.delete(lake.key("new_surveys", day))
        catalog.refresh()
        assert list(partitions("new_surveys")) == days[:1]
        portions = calls_of(aws, "BatchCreatePartition") + calls_of(aws, "BatchDeletePartition")
        sizes = [
            len(portion.get("PartitionInputList") or portion["PartitionsToDelete"])
            for portion in portions
        ]
        assert sizes == [4, 2, 2, 2, 1]

    def test_follows_the_columns_after_a_run_that_was_cut_short(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "new_surveys", DAY, length=pl.Int64())
        catalog.refresh()
        put(lake, "new_surveys", DAY, length=pl.Float64())
        aws.faults.deny("BatchUpdatePartition", times=1)
        with pytest.raises(AwsError, match="access denied"):
            catalog.refresh()
        catalog.refresh()
        assert partition_column_type("new_surveys") == "double"

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_of_another_run_at_the_same_moment_stays(
        self, lake: Lake, catalog: GlueCatalog, monkeypatch: pytest.MonkeyPatch, moment: str
    ) -> None:
        """One run lists the lake just before or after another one writes to it and refreshes."""
        put(lake, "new_surveys", DAY)
        catalog.refresh()

        def interleaved(listed: Lake) -> list[AssetTable]:
            monkeypatch.setattr(tables, "asset_tables", asset_tables)
            found = asset_tables(listed)
            put(lake, "new_surveys", NEXT_DAY)
            put(lake, "quarantined_rows", NEXT_DAY)
            catalog.refresh()
            return found if moment == "after" else asset_tables(listed)

        monkeypatch.setattr(tables, "asset_tables", interleaved)
        catalog.refresh()
        assert table_names() == ["new_surveys", "quarantined_rows"]
        assert list(partitions("new_surveys")) == [DAY, NEXT_DAY]
        assert list(partitions("quarantined_rows")) == [NEXT_DAY]


def _empty(schema: pl.Schema) -> bytes:
    return to_parquet(pl.DataFrame(schema=schema))


class TestTheColumns:
    def test_of_every_type_that_parquet_objects_have(self, lake: Lake) -> None:
        kinds: dict[str, pl.DataType] = {
            "sex": pl.String(),
            "length": pl.Float64(),
            "small": pl.Float32(),
            "rings": pl.Int64(),
            "bucket": pl.Int32(),
            "byte": pl.UInt8(),
            "good": pl.Boolean(),
            "landed": pl.Date(),
        }
        put(lake, "asset", None, **kinds)
        assert glue_columns(lake.uri("asset")) == {
            "sex": "string",
            "length": "double",
            "small": "float",
            "rings": "bigint",
            "bucket": "int",
            "byte": "smallint",
            "good": "boolean",
            "landed": "date",
        }

    def test_of_a_type_that_glue_does_not_have_are_one_clear_error(self, lake: Lake) -> None:
        put(lake, "asset", many=pl.List(pl.Int64()))
        with pytest.raises(StorageError, match=r"asset/data.parquet: the column many is List"):
            glue_columns(lake.uri("asset"))

    def test_of_a_damaged_object_are_one_clear_error(self, lake: Lake) -> None:
        lake.store.write("asset/data.parquet", b"not Parquet")
        with pytest.raises(StorageError, match=r"asset/data.parquet: cannot read this Parquet"):
            glue_columns(lake.uri("asset"))


class TestTheCrawler:
    def test_starts_with_the_first_refresh_and_not_again_within_its_interval(
        self, aws: AwsStandIn, lake: Lake, catalog: GlueCatalog
    ) -> None:
        put(lake, "merged_dataset")
        catalog.refresh()
        catalog.refresh()
        assert len(calls_of(aws, "StartCrawler")) == 1

    def test_starts_again_after_its_interval(
        self, aws: AwsStandIn, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert start_crawler(CRAWLER, interval=timedelta(hours=24))
        _end_crawl()
        assert not start_crawler(CRAWLER, interval=timedelta(hours=24))
        assert start_crawler(CRAWLER, interval=timedelta(0))

    def test_that_runs_is_left_alone(self, lake: Lake) -> None:
        client("glue").start_crawler(Name=CRAWLER)
        assert not start_crawler(CRAWLER, interval=timedelta(0))

    def test_that_another_run_starts_at_the_same_moment_is_no_error(
        self, aws: AwsStandIn, lake: Lake
    ) -> None:
        aws.faults.refuse("StartCrawler", "CrawlerRunningException", "already running")
        assert start_crawler(CRAWLER, interval=timedelta(0))

    def test_that_is_missing_is_one_clear_error(self, lake: Lake) -> None:
        with pytest.raises(AwsError, match=r"^the Glue crawler none: .*EntityNotFoundException"):
            start_crawler("none", interval=timedelta(0))


def _end_crawl() -> None:
    from moto.glue.models import glue_backends

    crawler = glue_backends["123456789012"]["us-east-1"].crawlers[CRAWLER]
    crawler.crawls[-1].status = "COMPLETED"


def test_records_are_tables_whose_objects_lie_at_the_table_s_location(
    aws: AwsStandIn, lake: Lake, catalog: GlueCatalog, tmp_path: Path
) -> None:
    registry = registry_of(lake).open()
    registry.register(
        constant_archive(1.0),
        evaluation={"rmse": 2.1, "rows": 209, "model_sha256": "a"},
        decision={"approved": False, "reason": "too far off", "rule": "above_max_rmse"},
        release_digest="r1",
    )
    registry.approve(1, because="the scale was checked", by="ana")
    assert catalog.refresh() == ["model_decisions", "model_metrics", "model_versions"]
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

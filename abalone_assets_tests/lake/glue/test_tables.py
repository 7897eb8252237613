"""Tables of the Glue Data Catalog, and their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from abalone_assets.aws.clients import client
from abalone_assets.aws.failures import AwsError
from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import SURVEY_SCHEMA
from abalone_assets.lake.glue_tables import glue_columns
from abalone_assets.lake.preparation import Preparation
from abalone_assets.survey import COLUMNS
from abalone_assets_tests.lake.glue.support import DATABASE, DAY, changes, put, table, table_names

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.resources.catalog import GlueCatalog
    from abalone_assets_tests.fakes.standin import AwsStandIn

UNITS = {column.name: column.unit for column in COLUMNS}


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

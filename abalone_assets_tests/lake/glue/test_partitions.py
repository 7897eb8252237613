"""Survey days as partitions of tables of the Glue Data Catalog."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest

from abalone_assets.aws.clients import client
from abalone_assets.aws.failures import AwsError
from abalone_assets.ingest.frames import QUARANTINE_SCHEMA, to_parquet
from abalone_assets.lake import glue_tables as tables
from abalone_assets.lake.tables import AssetTable, asset_tables
from abalone_assets_tests.aws.support import calls_of
from abalone_assets_tests.lake.glue.support import (
    DATABASE,
    DAY,
    NEXT_DAY,
    partition_column_type,
    partitions,
    put,
    table,
    table_names,
)

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.resources.catalog import GlueCatalog
    from abalone_assets_tests.fakes.standin import AwsStandIn


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

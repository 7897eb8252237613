"""The lake's assets as tables of the Glue Data Catalog, for Athena and anything else that reads it.

A table's location is the asset's prefix. Athena reads every object below it whose name does not
begin with ``_`` or ``.``, so an asset of Parquet objects keeps nothing else there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.clients import client, in_batches
from abalone_assets.aws.failures import AwsError, describe, tolerating, translate_errors
from abalone_assets.errors import StorageError
from abalone_assets.lake.names import partition_column
from abalone_assets.lake.tables import TABLES, AssetTable, asset_tables
from abalone_assets.storage.s3 import explain_obstore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abalone_assets.lake.lake import Lake

PROJECT_TAG: Final = "project"
PROJECT: Final = "abalone-assets"
"""Marks the tables that are ours to delete."""

MAX_WRITTEN: Final = 100
MAX_DELETED: Final = 25
"""Partitions that one call to Glue creates or updates, and deletes."""

_GLUE_TYPES: Final = {
    "Int8": "tinyint",
    "Int16": "smallint",
    "Int32": "int",
    "Int64": "bigint",
    "UInt8": "smallint",
    "UInt16": "int",
    "UInt32": "bigint",
    "Float32": "float",
    "Float64": "double",
    "Boolean": "boolean",
    "String": "string",
    "Date": "date",
    "Binary": "binary",
    "Datetime(time_unit='us', time_zone='UTC')": "timestamp",
}
"""Hive's type that holds each of Polars'."""


class GlueTables:
    """The tables of one Glue database; calls Glue only for what changed."""

    def __init__(self, database: str, lake: Lake) -> None:
        self.database = database
        self.lake = lake

    def sync(self) -> list[str]:
        """Make tables and partitions agree with the lake; returns the tables' names.

        Raises:
            AwsError: The database is missing, or Glue refuses.
            StorageError: An asset's Parquet object cannot be read or has a column of no known type.
        """
        with translate_errors(AwsError, f"the Glue database {self.database}"):
            # Glue before the lake: what another run adds meanwhile must not look like a leftover.
            existing = {table["Name"]: table for table in self._tables()}
            known = {name: self._known_days(table) for name, table in existing.items()}
            assets = asset_tables(self.lake)
            for asset in assets:
                table = self._table(asset)
                self._put(asset, table, existing.get(asset.name), known.get(asset.name, {}))
            for name in existing.keys() - {asset.name for asset in assets}:
                if _is_ours(existing[name]):
                    with tolerating("EntityNotFoundException"):
                        client("glue").delete_table(DatabaseName=self.database, Name=name)
        return [asset.name for asset in assets]

    def _tables(self) -> Iterator[dict[str, Any]]:
        pages = client("glue").get_paginator("get_tables").paginate(DatabaseName=self.database)
        return (table for page in pages for table in page["TableList"])

    def _table(self, asset: AssetTable) -> dict[str, Any]:
        """The table's definition, as Glue takes it."""
        comments = {column.name: column.description for column in TABLES.get(asset.name, ())}
        day = {"Name": partition_column(asset.name), "Type": "date", "Comment": "The day, UTC."}
        return {
            "Name": asset.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "parquet", "EXTERNAL": "TRUE", PROJECT_TAG: PROJECT},
            "PartitionKeys": [day] if asset.days else [],
            "StorageDescriptor": {
                "Columns": [
                    {"Name": name, "Type": kind, "Comment": comments.get(name, "")}
                    for name, kind in glue_columns(asset.data_uri).items()
                ],
                "Location": f"{self.lake.folder_uri(asset.name)}/",
                "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                "SerdeInfo": {
                    "SerializationLibrary": (
                        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                    )
                },
            },
        }

    def _put(
        self,
        asset: AssetTable,
        table: dict[str, Any],
        existing: dict[str, Any] | None,
        known: Mapping[str, str],
    ) -> None:
        """Make the table and its partitions, and correct what differs.

        The partitions follow new columns before the table does: a run that is cut short in between
        leaves a table that still differs, so that the next run goes on.
        """
        glue = client("glue")
        partitions = {
            day: _partition(asset.name, day, table["StorageDescriptor"])
            for day in sorted(asset.days)
        }
        if existing is None:
            with tolerating("AlreadyExistsException"):
                glue.create_table(DatabaseName=self.database, TableInput=table)
        else:
            agrees = _agrees(existing, table)
            self._update_partitions(asset.name, partitions, known, anew=not agrees)
            if not agrees:
                with tolerating("ConcurrentModificationException"):
                    glue.update_table(DatabaseName=self.database, TableInput=table)
        place = self._place(asset.name)
        for days in in_batches(sorted(partitions.keys() - known), MAX_WRITTEN):
            new = [partitions[day] for day in days]
            answer = glue.batch_create_partition(**place, PartitionInputList=new)
            _check(answer, "AlreadyExistsException", asset.name)
        for days in in_batches(sorted(known.keys() - partitions), MAX_DELETED):
            old = [{"Values": [day]} for day in days]
            answer = glue.batch_delete_partition(**place, PartitionsToDelete=old)
            _check(answer, "EntityNotFoundException", asset.name)

    def _update_partitions(
        self,
        table: str,
        wanted: Mapping[str, dict[str, Any]],
        known: Mapping[str, str],
        *,
        anew: bool,
    ) -> None:
        """Correct the known partitions that lie elsewhere; with new columns, all of them."""
        entries = [
            {"PartitionValueList": [day], "PartitionInput": partition}
            for day, partition in wanted.items()
            if day in known and (anew or known[day] != partition["StorageDescriptor"]["Location"])
        ]
        update = client("glue").batch_update_partition
        for batch in in_batches(entries, MAX_WRITTEN):
            answer = update(**self._place(table), Entries=batch)
            _check(answer, "EntityNotFoundException", table)

    def _known_days(self, table: Mapping[str, Any]) -> dict[str, str]:
        """The location of each partition of a table of ours, by its day."""
        if not _is_ours(table) or not table.get("PartitionKeys"):
            return {}
        pages = (
            client("glue")
            .get_paginator("get_partitions")
            .paginate(**self._place(table["Name"]), ExcludeColumnSchema=True)
        )
        found: dict[str, str] = {}
        with tolerating("EntityNotFoundException"):  # another run has just deleted the table
            for page in pages:
                for partition in page["Partitions"]:
                    found[partition["Values"][0]] = partition["StorageDescriptor"]["Location"]
        return found

    def _place(self, table: str) -> dict[str, str]:
        return {"DatabaseName": self.database, "TableName": table}


def _is_ours(table: Mapping[str, Any]) -> bool:
    return bool(table.get("Parameters", {}).get(PROJECT_TAG) == PROJECT)


def glue_columns(uri: str) -> dict[str, str]:
    """The columns of a Parquet object and their Hive types.

    Args:
        uri: Its path or ``s3://`` URI.

    Raises:
        StorageError: It cannot be read, or has a column of no known type.
    """
    import polars as pl

    try:
        schema = pl.scan_parquet(uri, glob=False, hive_partitioning=False).collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = explain_obstore(error)
        raise StorageError(f"{uri}: cannot read this Parquet object: {reason}") from error
    for name, kind in schema.items():
        if str(kind) not in _GLUE_TYPES:
            raise StorageError(f"{uri}: the column {name} is {kind}, of no type in Glue")
    return {name: _GLUE_TYPES[str(kind)] for name, kind in schema.items()}


def _agrees(existing: Any, wanted: Any) -> bool:  # noqa: ANN401 - a part of a JSON document
    """Whether all that is wanted is there; what Glue adds of its own does not matter."""
    if isinstance(wanted, dict):
        return isinstance(existing, dict) and all(
            _agrees(existing.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        existing = existing or []
        return len(existing) == len(wanted) and all(map(_agrees, existing, wanted))
    return bool((existing or "") == (wanted or ""))


def _partition(asset: str, day: str, storage: Mapping[str, Any]) -> dict[str, Any]:
    location = f"{storage['Location']}{partition_column(asset)}={day}/"
    return {"Values": [day], "StorageDescriptor": {**storage, "Location": location}}


def _check(answer: Mapping[str, Any], harmless: str, table: str) -> None:
    for error in answer.get("Errors", ()):
        detail = error.get("ErrorDetail", {})
        if detail.get("ErrorCode") != harmless:
            reason = describe(
                detail.get("ErrorCode", ""), detail.get("ErrorMessage", ""), operation="partitions"
            )
            raise AwsError(f"the Glue table {table}: {reason}")


def start_crawler(name: str, *, interval: timedelta) -> bool:
    """Start a crawler unless it runs, or began its last crawl less than an interval ago.

    Returns:
        Whether a crawl was due, so that one runs now.

    Raises:
        AwsError: There is no such crawler, or Glue refuses.
    """
    glue = client("glue")
    with translate_errors(AwsError, f"the Glue crawler {name}"):
        crawler = glue.get_crawler(Name=name)["Crawler"]
        last = crawler.get("LastCrawl", {}).get("StartTime")
        if crawler["State"] != "READY" or (last and datetime.now(UTC) - last < interval):
            return False
        with tolerating("CrawlerRunningException"):
            glue.start_crawler(Name=name)
    return True

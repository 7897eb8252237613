"""The base survey, the landing zone, the lake and the IO managers: where data lies."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args, get_origin

import dagster as dg
from pydantic import Field

from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    import polars as pl
    from _typeshed import DataclassInstance

    from abalone_assets.ingest.base_survey import BaseSurvey
    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.lake.lake import Lake

PARALLEL_WRITES = 8
"""Partitions that are written at once: a write waits for the disk or for S3."""


class LakeResource(dg.ConfigurableResource[None]):
    """The lake at a folder or an ``s3://`` prefix."""

    uri: str = Field(description="Folder's path or s3:// prefix.")

    def open(self) -> "Lake":
        """The lake, opened now."""
        from abalone_assets.lake.lake import Lake

        return Lake(self.uri)


class LandingZoneResource(dg.ConfigurableResource[None]):
    """The landing zone at a folder or an ``s3://`` prefix."""

    uri: str = Field(description="Folder's path or s3:// prefix that survey crews write to.")
    queue_url: str = Field(
        default="", description="SQS queue that S3 tells of landed files, late ones too."
    )

    def open(self) -> "LandingZone":
        """The landing zone, opened now."""
        from abalone_assets.ingest.open import open_landing_zone

        return open_landing_zone(self.uri, self.queue_url)


class BaseSurveySource(dg.ConfigurableResource[None]):
    """Where ``raw_abalone`` comes from."""

    uri: str = Field(description="Path, file://, s3:// or https:// URI of a survey or a ZIP of it.")
    sha256: str = Field(description="SHA-256 that it must have; empty when none is known.")
    fallback: bool = Field(description="Use the bundled survey when the network refuses.")

    def fetch(self) -> "BaseSurvey":
        """Read and verify it.

        Raises:
            StorageError: It cannot be read, or is not the file that the checksum says.
        """
        from abalone_assets.ingest.base_survey import fetch_base_survey

        return fetch_base_survey(self.uri, sha256=self.sha256, fallback=self.fallback)


class ParquetIOManager(dg.ConfigurableIOManager):
    """Keeps Polars frames as Parquet in the lake, an object a partition, each written atomically.

    An output over a range of partitions is a mapping of partition key to frame. An input is
    one object or, over several partitions, all of their rows: read at once, unless it is annotated
    ``pl.LazyFrame``. One annotated ``dict[str, pl.LazyFrame]`` has an entry for each partition
    that exists.
    """

    lake: LakeResource

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Write each partition's frame, or the one frame of an unpartitioned asset.

        Raises:
            StorageError: The frames are not those of the run's partitions, or no Polars frames.
        """
        import polars as pl

        lake, asset = self.lake.open(), _asset_name(context)
        keys = context.asset_partition_keys if context.has_asset_partitions else [None]
        frames: Mapping[Any, Any] = obj if isinstance(obj, Mapping) else {keys[0]: obj}
        if set(frames) != set(keys):
            raise StorageError(
                f"{asset}: got frames for the partitions {sorted(map(str, frames))}, "
                f"expected {sorted(map(str, keys))}"
            )
        for frame in frames.values():
            if not isinstance(frame, pl.DataFrame):
                raise StorageError(f"{asset}: returned {type(frame)}, expected polars.DataFrame")
        write_frames(lake, asset, frames.items())
        uri = lake.uri(asset, keys[0]) if len(keys) == 1 else lake.folder_uri(asset)
        context.add_output_metadata({"dagster/uri": dg.MetadataValue.path(uri)})

    def load_input(
        self, context: dg.InputContext
    ) -> "pl.DataFrame | pl.LazyFrame | dict[str, pl.LazyFrame]":
        """Scan what was written; a partition that was never written is left out.

        Raises:
            StorageError: Nothing was written, or it cannot be read; a lazy frame of an object that
                is damaged says so when it is collected.
        """
        import polars as pl

        lake, asset = self.lake.open(), _asset_name(context)
        keys = context.asset_partition_keys if context.has_asset_partitions else [None]
        frames = {
            partition: pl.scan_parquet(lake.uri(asset, partition), glob=False)
            for partition in keys
            if lake.store.find(lake.key(asset, partition)) is not None
        }
        if not frames and keys:
            lake.store.require_bucket()
        annotation = context.dagster_type.typing_type
        if get_origin(annotation) is dict and get_args(annotation)[0] is str:
            return {str(partition): frame for partition, frame in frames.items()}
        if not frames:
            raise StorageError(
                f"{lake.folder_uri(asset)}: nothing there yet; materialize {asset} first"
            )
        rows = pl.concat(list(frames.values()))
        return rows if annotation is pl.LazyFrame else _collect(rows, lake.folder_uri(asset))


def write_frames(
    lake: "Lake", asset: str, frames: "Iterable[tuple[str | None, pl.DataFrame]]"
) -> None:
    """Write the frame of each partition, or of None for an unpartitioned asset, atomically each.

    What they replace is kept first, where a model may have been trained on it.

    Raises:
        StorageError: What the first write that failed has raised.
    """
    from abalone_assets.ingest.frames import to_parquet
    from abalone_assets.lake.kept_inputs import replace_rows

    def write(partition_frame: "tuple[str | None, pl.DataFrame]") -> None:
        partition, frame = partition_frame
        replace_rows(lake, asset, partition, to_parquet(frame))

    pool = ThreadPoolExecutor(PARALLEL_WRITES)
    try:
        list(pool.map(write, frames))
    finally:
        pool.shutdown(cancel_futures=True)


class JsonIOManager(dg.ConfigurableIOManager):
    """Keeps an unpartitioned asset's JSON document in the lake.

    An output is a mapping or a dataclass, and so is an input, as it is annotated.
    """

    lake: LakeResource

    def handle_output(
        self, context: dg.OutputContext, obj: "Mapping[str, Any] | DataclassInstance"
    ) -> None:
        """Write the document atomically."""
        lake, asset = self.lake.open(), _asset_name(context)
        document = obj if isinstance(obj, Mapping) else asdict(obj)
        lake.store.write_json(lake.key(asset, suffix="json"), document)
        uri = lake.uri(asset, suffix="json")
        context.add_output_metadata({"dagster/uri": dg.MetadataValue.path(uri)})

    def load_input(self, context: dg.InputContext) -> "DataclassInstance | dict[str, Any]":
        """Read the document.

        Raises:
            StorageError: Nothing was written, or what is no such document.
        """
        lake, asset = self.lake.open(), _asset_name(context)
        annotated: type[DataclassInstance] = context.dagster_type.typing_type
        document = lake.document(asset, annotated)
        if document is None:
            raise StorageError(
                f"{lake.uri(asset, suffix='json')}: not there yet; materialize {asset} first"
            )
        return document


def _collect(rows: "pl.LazyFrame", uri: str) -> "pl.DataFrame":
    import polars as pl

    from abalone_assets.storage.s3 import explain_obstore

    try:
        return rows.collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(
            f"{uri}: cannot read these Parquet objects: {explain_obstore(error)}; once they"
            " can be read, or are deleted and materialized again, run this again"
        ) from error


def _asset_name(context: dg.OutputContext | dg.InputContext) -> str:
    return context.asset_key.path[-1]

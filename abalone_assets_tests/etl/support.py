"""What the preparation's tests share: surveys as Parquet files, and a preparation of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from abalone_assets.etl.polars_engine import prepare
from abalone_assets.etl.request import SPLIT_PERCENT, PrepareReport, PrepareRequest
from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import parse_survey

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = tuple(SPLIT_PERCENT)


def frame_of(
    data: bytes, name: str = "abalone.20250303120000", *, simulated: bool = False
) -> pl.DataFrame:
    """A survey's good rows, as ingestion writes them."""
    origin = "synthetic" if simulated else "surveyed"
    return survey_frame([parse_survey(data, name)], origins={name: origin})


def request_for(inputs: dict[str, pl.DataFrame], uri: str) -> PrepareRequest:
    """Write the inputs as Parquet below a folder or prefix, and ask to prepare them there."""
    store = ObjectStore(uri)
    for name, frame in inputs.items():
        store.write(f"inputs/{name}.parquet", to_parquet(frame))
    return PrepareRequest(
        inputs=tuple(store.uri_of(f"inputs/{name}.parquet") for name in inputs),
        merged=store.uri_of("merged_dataset/data.parquet"),
        splits={name: store.uri_of(f"{name}/data.parquet") for name in SPLITS},
    )


class Prepared:
    """The outputs of a preparation of some frames."""

    def __init__(self, folder: Path | str, *frames: pl.DataFrame) -> None:
        inputs = {f"{number:03}": frame for number, frame in enumerate(frames)}
        request = request_for(inputs, str(folder))
        self.report: PrepareReport = prepare(request)
        self.merged = pl.read_parquet(request.merged)
        self.splits = {name: pl.read_parquet(uri) for name, uri in request.splits.items()}


def renamed(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The same rows from another file."""
    return frame.with_columns(source_file=pl.lit(name))

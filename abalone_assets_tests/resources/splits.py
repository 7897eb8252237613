"""Splits of the base survey in a store, and a request to evaluate a model on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from abalone_assets.ingest.frames import to_parquet
from abalone_assets.resources.ml_platform import EvaluationRequest
from abalone_assets.sample_data import base_survey
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import COLUMNS

if TYPE_CHECKING:
    from abalone_assets.resources.ml_platform import TrainingReport

SPLITS = ("train", "validation", "test")


def split_frames(train: int, validation: int, test: int) -> dict[str, pl.DataFrame]:
    """So many rows of the base survey each, one after the other."""
    names = [column.name for column in COLUMNS]
    rows = pl.read_csv(base_survey(), has_header=False, new_columns=names)
    starts = (0, train, train + validation)
    lengths = (train, validation, test)
    return {name: rows[at : at + n] for name, at, n in zip(SPLITS, starts, lengths, strict=True)}


def lake_with_splits(uri: str, train: int, validation: int, test: int) -> ObjectStore:
    store = ObjectStore(uri)
    for name, frame in split_frames(train, validation, test).items():
        store.write(f"{name}_split/data.parquet", to_parquet(frame))
    return store


def evaluation_request(store: ObjectStore, training: TrainingReport) -> EvaluationRequest:
    return EvaluationRequest(
        model_sha256=training.card.model_sha256,
        folders={
            "model": training.model_uri,
            **{name: store.uri_of(f"{name}_split/data.parquet") for name in SPLITS},
        },
    )

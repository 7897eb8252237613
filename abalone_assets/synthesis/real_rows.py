"""The real animals: those a synthesizer learns from, and those that it is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from abalone_assets.errors import StorageError
from abalone_assets.modeling.dataset import (
    COLUMN_NAMES,
    concat,
    is_surveyed,
    row_keys,
    rows_sha256,
    take,
)
from abalone_assets.modeling.evaluation.split_integrity import row_buckets
from abalone_assets.survey.splits import buckets_of
from abalone_assets.synthesis import SynthesisError

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from abalone_assets.lake.lake import Lake
    from abalone_assets.modeling.features import Columns

Table = dict[str, "NDArray[Any]"]

MIN_HELD_OUT_ROWS = 10


@dataclass(frozen=True)
class RealRows:
    """Real animals in two parts; each has the nine survey columns.

    Attributes:
        fitted: What a synthesizer may learn from.
        held_out: What it has not seen.
    """

    fitted: Table
    held_out: Table

    @classmethod
    def of(cls, columns: Columns) -> RealRows:
        """Deal rows by the hash that deals the platform's splits; exact repeats count once.

        A synthesizer learns from the rows of ``train_split`` only: what it draws tells a model
        nothing about the animals of the two splits by which the model is judged.

        Args:
            columns: The nine survey columns of all real rows, in any order.

        Raises:
            SynthesisError: Fewer than `MIN_HELD_OUT_ROWS` rows would be held out.
        """
        _, first = np.unique(row_keys(columns), return_index=True)
        unique = take({name: columns[name] for name in COLUMN_NAMES}, first)
        learnt = np.isin(row_buckets(unique), buckets_of("train_split"))
        held_out = int((~learnt).sum())
        if held_out < MIN_HELD_OUT_ROWS:
            raise SynthesisError(
                f"{first.size} real rows are too few to simulate from: {held_out} of them would be "
                f"held out to judge by, at least {MIN_HELD_OUT_ROWS} are needed"
            )
        return cls(take(unique, learnt), take(unique, ~learnt))

    @classmethod
    def of_frame(cls, frame: pl.DataFrame) -> RealRows:
        """Deal the surveyed rows of ``raw_abalone``; simulated ones, if any, do not count.

        Raises:
            SynthesisError: As `of`.
        """
        return cls.of(_surveyed(frame))

    @classmethod
    def of_lake(cls, lake: Lake) -> RealRows:
        """Deal the surveyed rows of the lake's ``raw_abalone``.

        Raises:
            StorageError: It is not there, or cannot be read.
            SynthesisError: As `of`.
        """
        key = lake.key("raw_abalone")
        if lake.store.find(key) is None:
            lake.store.require_bucket()
            raise StorageError(
                f"{lake.store.uri_of(key)}: not there yet; materialize raw_abalone first"
            )
        return cls.of_frame(_frame(lake, key))

    @property
    def all(self) -> Table:
        """Both parts, one after the other."""
        return concat([self.fitted, self.held_out])

    @property
    def sha256(self) -> str:
        """The digest of all rows, whatever their order."""
        return rows_sha256(self.all)


def rows_to_avoid(lake: Lake, real: RealRows) -> Table:
    """The real rows that no simulation may repeat: the given ones and those of the last release.

    Surveys that landed after it are not read, one object a day as they are: a simulation could
    repeat one of their rows. The merge then keeps one row of the two.

    Raises:
        StorageError: The lake cannot be read.
    """
    key = lake.key("merged_dataset")
    if lake.store.find(key) is None:
        return real.all
    return concat([real.all, _surveyed(_frame(lake, key))])


def _frame(lake: Lake, key: str) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(BytesIO(lake.store.read(key)))
    except pl.exceptions.PolarsError as error:
        raise StorageError(
            f"{lake.store.uri_of(key)}: cannot read this Parquet object: {error}; launch the job"
            " `release`, which writes it again"
        ) from error


def _surveyed(frame: pl.DataFrame) -> Table:
    """The nine survey columns of the rows that crews measured."""
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    rows = take(columns, is_surveyed(columns))
    return {name: rows[name] for name in COLUMN_NAMES}

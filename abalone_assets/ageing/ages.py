"""The ages of animals, as rows of ``aged_animals``, and what is counted of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from abalone_assets.ingest.frames import schema_of
from abalone_assets.lake.names import AGED_ANIMALS
from abalone_assets.modeling.inference import ANSWER_DECIMALS, CSV, Predictions
from abalone_assets.modeling.plotting import BLUE, framed, new_figure, to_png
from abalone_assets.modeling.rows import Rows
from abalone_assets.survey import AGE_OFFSET_YEARS, FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.ageing.doubts import Doubter

AGED_SCHEMA: Final = schema_of(AGED_ANIMALS)
PREVIEW_ROWS: Final = 5
_AGES: Final = np.arange(0.0, 41.0)
"""Edges, in years, of what is counted for the picture; what is older counts as the oldest."""


@dataclass(frozen=True)
class AnimalBlock:
    """Some animals of one file, whose ages are asked for.

    Attributes:
        day: Their day, an ISO date.
        frame: Their rows of ``unaged_animals``.
    """

    day: str
    frame: pl.DataFrame

    @property
    def file(self) -> str:
        """Their file's name."""
        name: str = self.frame["source_file"][0]
        return name

    @property
    def rows(self) -> Rows:
        """As a model is asked about them."""
        columns: list[Any] = [self.frame[name].to_numpy() for name in FEATURES]
        return Rows(columns, CSV)

    @property
    def csv(self) -> str:
        """As an endpoint is asked about them."""
        return self.frame.select(FEATURES).write_csv(include_header=False)


def aged_rows(
    block: AnimalBlock, predictions: Predictions, version: int, doubter: Doubter
) -> pl.DataFrame:
    """The rows of ``aged_animals``: numbers as an endpoint answers them."""
    told = {
        "rings": predictions.rings,
        "rings_low": predictions.low,
        "rings_high": predictions.high,
        "age_years": np.add(np.round(predictions.rings, ANSWER_DECIMALS), AGE_OFFSET_YEARS),
    }
    columns = [_answer(name, values) for name, values in told.items()]
    frame = block.frame.with_columns(*columns, pl.lit(version, pl.Int64).alias("model_version"))
    return frame.with_columns(doubter.doubts).select(
        pl.col(name).cast(kind) for name, kind in AGED_SCHEMA.items()
    )


def _answer(name: str, values: NDArray[np.float64] | None) -> pl.Series | pl.Expr:
    if values is None:
        return pl.lit(None, pl.Float64).alias(name)
    return pl.Series(name, np.round(values, ANSWER_DECIMALS))


@dataclass
class Counted:
    """What is counted of ages as they are written.

    Attributes:
        rows: Animals.
        doubtful: Those whose age is not to be trusted.
        disordered: Those whose rings are not within their interval.
        versions: The model versions that told the ages.
        preview: The first rows.
    """

    rows: int = 0
    doubtful: int = 0
    disordered: int = 0
    versions: set[int] = field(default_factory=set)
    preview: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=AGED_SCHEMA))
    _ages: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_AGES.size - 1, np.int64))

    def add(self, frame: pl.DataFrame) -> None:
        """Count some rows."""
        self.rows += len(frame)
        within = pl.col("rings").is_between("rings_low", "rings_high")
        doubtful, disordered = frame.select(
            pl.col("doubts").is_not_null().sum(), (~within).fill_null(value=False).sum().alias("d")
        ).row(0)
        self.doubtful += doubtful
        self.disordered += disordered
        self.versions.update(frame["model_version"].unique())
        if len(self.preview) < PREVIEW_ROWS:
            self.preview = pl.concat([self.preview, frame]).head(PREVIEW_ROWS)
        years = np.clip(frame["age_years"].to_numpy(), _AGES[0], _AGES[-1])
        self._ages += np.histogram(years, _AGES)[0]

    def merge(self, other: Counted) -> None:
        """Count what another has counted."""
        self.rows += other.rows
        self.doubtful += other.doubtful
        self.disordered += other.disordered
        self.versions |= other.versions
        self.preview = pl.concat([self.preview, other.preview]).head(PREVIEW_ROWS)
        self._ages += other._ages

    def picture(self) -> bytes:
        """How old the animals are, PNG."""
        figure = new_figure(7, 3, layout="constrained")
        axes: Any = framed(figure.subplots(), f"ages of {self.rows:,} animals")
        axes.bar(_AGES[:-1], self._ages, width=1.0, align="edge", color=BLUE, edgecolor="white")
        last = int(np.flatnonzero(self._ages)[-1]) + 2 if self._ages.any() else 1
        axes.set_xlim(0, last)
        axes.set_xlabel("years")
        axes.set_ylabel("animals")
        return to_png(figure)

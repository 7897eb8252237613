"""The errors seen since: animals that the endpoint was asked about and a crew surveyed later.

An animal is known by its sex and its seven measurements. Only files that a crew named after the
answer count: what the model may have learnt from before it was asked proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.modeling.evaluation.bootstrap import percentile_interval, resampled_sums
from abalone_assets.survey import FEATURES, MEASUREMENT_DECIMALS, MEASUREMENTS, TARGET
from abalone_assets.survey.file_names import survey_time
from abalone_assets.survey.origin import SYNTHETIC

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

LEVEL: Final = 0.998
"""Of the interval of the live error: a look a day must not ring by chance."""

TOLERANCE: Final = 0.1
"""How much worse than expected, as a share, is no alarm yet."""

MIN_ANIMALS: Final = 30


@dataclass(frozen=True)
class LiveErrors:
    """The errors on animals whose rings were counted after the endpoint told them, in rings.

    Attributes:
        animals: How many there are.
        rmse: Root mean squared error.
        low: Lower end of its interval, of probability `LEVEL`.
        high: Its upper end.
        mae: Mean absolute error.
        bias: Mean of predicted less counted.
        coverage: Share of counted rings in their prediction interval; None without intervals.
        expected: RMSE of the versions that answered, on rows they had not learnt from, weighted by
            their answers; None when it is known of none.
    """

    animals: int
    rmse: float
    low: float
    high: float
    mae: float
    bias: float
    coverage: float | None
    expected: float | None

    @property
    def alarming(self) -> bool:
        """Whether the error is larger than expected by more than tolerance and chance."""
        enough = self.animals >= MIN_ANIMALS
        return enough and self.expected is not None and self.low > (1 + TOLERANCE) * self.expected


def counted_later(requests: pl.DataFrame, surveys: pl.DataFrame) -> pl.DataFrame:
    """The animals of both, with the last answer before their rings were counted.

    Args:
        requests: Captured requests, as the table has them.
        surveys: Rows of survey days.

    Returns:
        ``asked_at``, ``model_version``, ``rings``, ``rings_low``, ``rings_high``, ``counted`` and
        ``source_file`` of each animal. Animals alike in everything but their rings are left out.
    """
    import polars as pl

    files = surveys["source_file"].unique()
    named = pl.DataFrame(
        {"source_file": files, "counted_at": [survey_time(name) for name in files]},
        schema={"source_file": pl.String(), "counted_at": pl.Datetime("us", "UTC")},
    )
    keys = [
        pl.col("sex"),
        *(
            (pl.col(name) * 10**MEASUREMENT_DECIMALS).round().cast(pl.Int64)
            for name in MEASUREMENTS
        ),
    ]
    counted = (
        surveys.filter(pl.col("origin") != SYNTHETIC)
        .join(named, on="source_file")
        .with_columns(keys)
        .group_by(FEATURES)
        .agg(
            pl.col("counted_at").min(),
            pl.col("source_file").sort_by("counted_at").first(),
            pl.col(TARGET).first().alias("counted"),
            pl.col(TARGET).n_unique().alias("kinds"),
        )
        .filter(pl.col("kinds") == 1)
    )
    return (
        requests.filter(pl.col("problem").is_null())
        .with_columns(keys)
        .join(counted, on=FEATURES)
        .filter(pl.col("asked_at") < pl.col("counted_at"))
        .sort("asked_at", "event_id", "row")
        .unique(FEATURES, keep="last", maintain_order=True)
        .select(
            "asked_at",
            "model_version",
            "rings",
            "rings_low",
            "rings_high",
            "counted",
            "source_file",
        )
    )


def live_errors(animals: pl.DataFrame, expected: dict[int, float]) -> LiveErrors | None:
    """The errors on the animals of `counted_later`, or None when there are none.

    Args:
        animals: As it gives them.
        expected: Out-of-fold RMSE by model version, in rings.
    """
    if animals.is_empty():
        return None
    errors = (animals["rings"] - animals["counted"]).to_numpy()
    rmse = float(np.sqrt(np.mean(errors**2)))
    low, high = _interval(errors)
    told = animals.filter(animals["rings_low"].is_not_null() & animals["rings_high"].is_not_null())
    held = (told["rings_low"] <= told["counted"]) & (told["counted"] <= told["rings_high"])
    squares = [expected[each] ** 2 for each in animals["model_version"] if each in expected]
    return LiveErrors(
        animals=len(animals),
        rmse=rmse,
        low=low,
        high=high,
        mae=float(np.mean(np.abs(errors))),
        bias=float(np.mean(errors)),
        coverage=None if told.is_empty() else float(np.mean(held.to_numpy())),
        expected=float(np.sqrt(np.mean(squares))) if squares else None,
    )


def _interval(errors: NDArray[np.float64]) -> tuple[float, float]:
    sums = resampled_sums((errors**2)[:, np.newaxis])[:, 0]
    return percentile_interval(np.sqrt(sums / errors.size), LEVEL)

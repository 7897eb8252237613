"""The drift report: requests of the last days against the training split, as numbers and a page."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.monitoring import plots
from abalone_assets.monitoring.capture_lines import OUTSIDE
from abalone_assets.monitoring.drift import (
    LEVEL,
    MIN_ANIMALS,
    MODERATE_PSI,
    FeatureDrift,
    compare,
)
from abalone_assets.survey import FEATURES

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from abalone_assets.monitoring.drift import Reference

WINDOW: Final = timedelta(days=7)
"""Requests that one report looks at, up to the last day that has any."""

TREND: Final = timedelta(days=90)

_REASON: Final = rf"^{OUTSIDE} \(([a-z_ ]+)\)"


@dataclass(frozen=True)
class DriftReport:
    """What a look came to.

    Attributes:
        first: First day of the requests that were compared.
        last: Last day.
        lines: Captured lines of these days.
        outside_contract: Those of them that were refused, or should have been: their request is
            outside the contract.
        reasons: How many of these for what, in a few fixed words, the most frequent first.
        unreadable: Those of them that are damaged.
        animals: Animals that were asked about, each counted once.
        outside: Share of these with a measurement that no training animal reached.
        features: Each comparison; none with too few animals.
        psi_by_day: For each feature the days that had enough animals, with the index.
        pictures: PNG by name.
    """

    first: date
    last: date
    lines: int
    outside_contract: int
    reasons: dict[str, int]
    unreadable: int
    animals: int
    outside: float | None
    features: list[FeatureDrift]
    psi_by_day: dict[str, list[tuple[date, float]]]
    pictures: dict[str, bytes]

    @property
    def drifted(self) -> list[str]:
        """Names of what has drifted."""
        return [each.feature for each in self.features if each.drifted]

    @property
    def outside_contract_share(self) -> float:
        """Share of the requests that were outside the contract; of those that can be read."""
        readable = self.lines - self.unreadable
        return self.outside_contract / readable if readable else 0.0

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        if not self.features:
            return f"Too few to tell: {self.animals} animals, and {MIN_ANIMALS} are needed"
        if not self.drifted:
            return f"{self.animals} animals look like those that the model learnt from"
        names = ", ".join(name.replace("_", " ") for name in self.drifted)
        return f"{self.animals} animals differ from those that the model learnt from: {names}"

    def to_document(self) -> dict[str, Any]:
        """The numbers as a JSON document."""
        document = asdict(self)
        del document["pictures"]
        trend = {
            name: [[day.isoformat(), psi] for day, psi in points]
            for name, points in self.psi_by_day.items()
        }
        days = {"first": self.first.isoformat(), "last": self.last.isoformat()}
        more = {
            "outside_contract_share": self.outside_contract_share,
            "p_limit": LEVEL,
            "psi_limit": MODERATE_PSI,
        }
        return {**document, **days, **more, "psi_by_day": trend, "verdict": self.verdict}

    def to_html(self) -> str:
        """One page without references to anything else."""
        from jinja2 import Environment, StrictUndefined

        pages = Environment(
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        template = files(__package__).joinpath("drift.html.jinja").read_text("utf-8")
        return pages.from_string(template).render(
            report=self,
            level=LEVEL,
            moderate=MODERATE_PSI,
            pictures={name: base64.b64encode(png).decode() for name, png in self.pictures.items()},
        )


def drift_report(requests: pl.DataFrame, reference: Reference) -> DriftReport | None:
    """Compare the last days' requests with the reference; None when there are none at all.

    Args:
        requests: Captured requests of the days up to `TREND` back, as the table has them, each
            line that holds no animal too.
        reference: What the model learnt from.
    """
    import polars as pl

    told = requests.filter(pl.col("asked_at").is_not_null())
    if told.is_empty():
        return None
    dated = told.with_columns(pl.col("asked_at").dt.date().alias("day"))
    last = dated["day"].max()
    assert isinstance(last, date)  # noqa: S101 - of a column of dates
    first = last - WINDOW + timedelta(days=1)
    window = dated.filter(pl.col("day") >= first)
    columns, predicted = _animals(window)
    reasons = reasons_of(window)
    outside_contract = sum(reasons.values())
    features = compare(reference, columns, predicted)
    by_day = _by_day(dated, reference)
    drifted = frozenset(each.feature for each in features if each.drifted)
    pictures = {}
    if features:
        pictures["distributions"] = plots.distributions(reference, columns, predicted, drifted)
    if by_day:
        pictures["by_day"] = plots.by_day(by_day)
    return DriftReport(
        first=first,
        last=last,
        lines=window["source_file", "line"].n_unique(),
        outside_contract=outside_contract,
        reasons=reasons,
        unreadable=int(window["problem"].is_not_null().sum()) - outside_contract,
        animals=int(predicted.size),
        outside=float(reference.outside(columns).mean()) if predicted.size else None,
        features=features,
        psi_by_day=by_day,
        pictures=pictures,
    )


def reasons_of(requests: pl.DataFrame) -> dict[str, int]:
    """How many requests were outside the contract for what, the most frequent first.

    Args:
        requests: Captured requests, as the table has them.
    """
    import polars as pl

    problems = requests["problem"].drop_nulls()
    reasons = problems.filter(problems.str.starts_with(OUTSIDE)).str.extract(_REASON)
    counted = reasons.fill_null("unknown").alias("reason").value_counts(name="requests")
    ordered = counted.sort(pl.col("requests"), pl.col("reason"), descending=[True, False])
    return {reason: int(count) for reason, count in ordered.iter_rows()}


def _animals(requests: pl.DataFrame) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Each animal once: a program that asks about the same one all day is no drift."""
    import polars as pl

    known = (
        requests.filter(pl.col("problem").is_null())
        .sort("asked_at")
        .unique(FEATURES, keep="last", maintain_order=True)
    )
    return {name: known[name].to_numpy() for name in FEATURES}, known["rings"].to_numpy()


def _by_day(requests: pl.DataFrame, reference: Reference) -> dict[str, list[tuple[date, float]]]:
    found: dict[str, list[tuple[date, float]]] = {}
    for (day,), rows in requests.sort("day").group_by("day", maintain_order=True):
        assert isinstance(day, date)  # noqa: S101 - of a column of dates
        for each in compare(reference, *_animals(rows)):
            found.setdefault(each.feature, []).append((day, each.psi))
    return found

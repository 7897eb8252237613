"""What the endpoint was asked lately, as monitoring wrote it into the lake, for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final, TypeVar

from abalone_assets.lake.names import CAPTURED_REQUESTS, DRIFT_REPORT, LIVE_PERFORMANCE
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake

REPORT_KEY: Final = f"{DRIFT_REPORT}/_report.html"
"""The last report as a page of its own."""

DAYS_KEY: Final = f"{CAPTURED_REQUESTS}/_days.json"

PAGE_PATH: Final = "/drift"
"""Where an endpoint server shows all of it."""

_Record = TypeVar("_Record")


@dataclass(frozen=True)
class FeatureNumbers:
    """How one feature of the requests, or the prediction, compares with the training split.

    Reports of earlier releases lack what has a default.

    Attributes:
        feature: Its name.
        psi: Population stability index.
        drifted: Whether chance is ruled out and the shift matters.
        test: The test's name.
        statistic: Its statistic.
        p_value: How likely that much or more is, were both from one population.
        reference: Mean of the training split; of the sex, the share of infants.
        requests: The same of the requests.
        bins: Share of the requests in each tenth of the training split, by size; or of each sex.
        expected: The training split's own shares.
    """

    feature: str
    psi: float
    drifted: bool
    test: str = ""
    statistic: float | None = None
    p_value: float | None = None
    reference: float | None = None
    requests: float | None = None
    bins: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()


@dataclass(frozen=True)
class DriftNumbers:
    """The last drift report. Those of earlier releases lack what has a default.

    Attributes:
        last: The last day of requests that it looked at.
        animals: How many animals it compared, each counted once.
        features: Each comparison.
        first: The first day.
        verdict: The answer in one sentence.
        lines: Requests of these days.
        unreadable: Captured lines that are damaged.
        outside: Share of the animals with a measurement that no training animal reached.
        outside_contract: Requests that were outside the contract; None where nobody counted.
        outside_contract_share: Their share.
        reasons: How many of them for what.
        psi_by_day: For each feature the days that had enough animals, with the index.
        p_limit: What p is under where chance is ruled out.
        psi_limit: The least index that matters.
    """

    last: date
    animals: int
    features: tuple[FeatureNumbers, ...]
    first: date | None = None
    verdict: str = ""
    lines: int | None = None
    unreadable: int = 0
    outside: float | None = None
    outside_contract: int | None = None
    outside_contract_share: float | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    psi_by_day: dict[str, list[tuple[date, float]]] = field(default_factory=dict)
    p_limit: float | None = None
    psi_limit: float | None = None

    @property
    def drifted(self) -> list[str]:
        """Names of what has drifted, as people say them."""
        return [each.feature.replace("_", " ") for each in self.features if each.drifted]

    @property
    def shares(self) -> dict[str, float | None]:
        """The shares of what was outside: the contract, and what the model has learnt."""
        return {"outside_contract": self.outside_contract_share, "outside_range": self.outside}


@dataclass(frozen=True)
class LiveNumbers:
    """The errors on animals that the endpoint was asked about and a crew surveyed later, in rings.

    Attributes:
        animals: How many there are.
        rmse: Root mean squared error.
        low: Lower end of its interval.
        high: Its upper end.
        mae: Mean absolute error.
        bias: Mean of predicted less counted.
        coverage: Share of counted rings in their prediction interval; None without intervals.
        expected: RMSE of the versions that answered on rows they had not learnt from, if known.
    """

    animals: int
    rmse: float
    low: float
    high: float
    mae: float
    bias: float
    coverage: float | None = None
    expected: float | None = None


@dataclass(frozen=True)
class ReadDays:
    """The days of captured requests in the lake.

    Attributes:
        files: Number of capture files that were read of each day, by ISO date.
    """

    files: dict[str, int]


@dataclass(frozen=True)
class LastDrift:
    """What monitoring last wrote into a lake."""

    lake: Lake

    def numbers(self) -> DriftNumbers | None:
        """The numbers of the last drift report; None while there is none.

        Raises:
            StorageError: The lake refuses, or the report is damaged.
        """
        return self._read(DriftNumbers, self.lake.key(DRIFT_REPORT, suffix="json"), DRIFT_REPORT)

    def live(self) -> LiveNumbers | None:
        """The errors seen since; None while no animal that was asked about was surveyed.

        Raises:
            StorageError: The lake refuses, or the document is damaged.
        """
        key = self.lake.key(LIVE_PERFORMANCE, suffix="json")
        return self._read(LiveNumbers, key, LIVE_PERFORMANCE)

    def days(self) -> ReadDays:
        """The days whose captured requests were read.

        Raises:
            StorageError: The lake refuses, or the record is damaged.
        """
        document = self.lake.store.read_json(DAYS_KEY)
        if document is None:
            return ReadDays({})
        return record_of(ReadDays, document, self.lake.store.uri_of(DAYS_KEY), remedy="delete it")

    def kept_days(self) -> dict[str, int]:
        """Of the days with captured requests in the lake the number of capture files, in order.

        Not those without a request, nor those that are gone since, as old ones are.

        Raises:
            StorageError: As `days`.
        """
        there = {stored.key for stored in self.lake.store.list(f"{CAPTURED_REQUESTS}/")}
        return {
            day: files
            for day, files in sorted(self.days().files.items())
            if files and self.lake.key(CAPTURED_REQUESTS, day) in there
        }

    def has_report(self) -> bool:
        """Whether there is a report to open.

        Raises:
            StorageError: The lake refuses.
        """
        return self.lake.store.find(REPORT_KEY) is not None

    def report(self) -> bytes | None:
        """The last report as an HTML page; None while there is none.

        Raises:
            StorageError: The lake refuses.
        """
        return self.lake.store.read(REPORT_KEY) if self.has_report() else None

    def _read(self, kind: type[_Record], key: str, asset: str) -> _Record | None:
        document = self.lake.store.read_json(key)
        if document is None:
            return None
        place = self.lake.store.uri_of(key)
        return record_of(kind, document, place, remedy=f"materialize {asset} again")

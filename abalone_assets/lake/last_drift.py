"""The numbers of the last drift report, for whoever watches the endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abalone_assets.lake.names import DRIFT_REPORT
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake


@dataclass(frozen=True)
class FeatureNumbers:
    """How one feature of the requests, or the prediction, compares with the training split.

    Attributes:
        feature: Its name.
        psi: Population stability index.
        drifted: Whether chance is ruled out and the shift matters.
    """

    feature: str
    psi: float
    drifted: bool


@dataclass(frozen=True)
class DriftNumbers:
    """The last drift report.

    Attributes:
        last: The last day of requests that it looked at, ISO 8601.
        animals: How many animals it compared.
        features: Each comparison.
    """

    last: str
    animals: int
    features: tuple[FeatureNumbers, ...]


@dataclass(frozen=True)
class LastDrift:
    """The last drift report of a lake."""

    lake: Lake

    def numbers(self) -> DriftNumbers | None:
        """Its numbers; None while there is none.

        Raises:
            StorageError: The lake refuses, or the report is damaged.
        """
        key = self.lake.key(DRIFT_REPORT, suffix="json")
        document = self.lake.store.read_json(key)
        if document is None:
            return None
        place = self.lake.store.uri_of(key)
        return record_of(DriftNumbers, document, place, remedy=f"materialize {DRIFT_REPORT} again")

"""One thing that the records tell of an asset, as an event of Dagster's with the time of then."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

RESTORED_TAG: Final = "abalone/restored"
"""On a materialization that was restored: by which record, so that none is restored twice."""

RESTORED: Final = "Restored from the lake's records"


@dataclass(frozen=True)
class Materialized:
    """That an asset, or a partition of it, was materialized.

    Attributes:
        asset: Its name.
        at: When, with its time zone.
        source: The record that tells, which is no other materialization's of the asset.
        partition: Its partition, if it has any.
        metadata: What the asset shows, as far as the record has it.
        data_version: What was materialized, if the record tells.
    """

    asset: str
    at: datetime
    source: str
    partition: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    data_version: str | None = None

    @property
    def mark(self) -> str:
        """The source, as a tag's value may hold it: a few letters and digits."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]

    def event(self) -> dg.AssetMaterialization:
        """As Dagster stores it."""
        version = {DATA_VERSION_TAG: self.data_version} if self.data_version else {}
        return dg.AssetMaterialization(
            self.asset,
            description=f"{RESTORED}.",
            partition=self.partition,
            metadata={name: each for name, each in self.metadata.items() if each is not None},
            tags={RESTORED_TAG: self.mark, **version},
        )


@dataclass(frozen=True)
class Checked:
    """That a check of an asset came to a result.

    Attributes:
        asset: The asset's name.
        check: The check's.
        at: When, with its time zone.
        source: The record that tells, which is no other result's of the check.
        passed: The result.
        metadata: What the check shows.
        severity: How bad a failure is.
    """

    asset: str
    check: str
    at: datetime
    source: str
    passed: bool
    metadata: Mapping[str, Any] = field(default_factory=dict)
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN

    @property
    def description(self) -> str:
        """What Dagster shows of the result; it tells the source, for results have no tags."""
        return f"{RESTORED}: {self.source}."

    def event(self) -> dg.AssetCheckEvaluation:
        """As Dagster stores it."""
        return dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(self.asset),
            check_name=self.check,
            passed=self.passed,
            metadata={
                name: dg.MetadataValue.text(str(each)) if isinstance(each, list | dict) else each
                for name, each in self.metadata.items()
                if each is not None
            },
            severity=self.severity,
            description=self.description,
        )


Told = Materialized | Checked

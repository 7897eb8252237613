"""Where the preparation runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.resources.jobs import JobReport

if TYPE_CHECKING:
    from abalone_assets.etl.request import PrepareReport, PrepareRequest


@dataclass(frozen=True)
class Prepared:
    """A finished preparation: what it did, and the job that did it."""

    report: PrepareReport
    job: JobReport


class EtlEngine(dg.ConfigurableResource[None], ABC):
    """Runs the preparation: URIs in, counts and schemas out; no frame crosses this line."""

    @abstractmethod
    def prepare(self, request: PrepareRequest, context: dg.AssetExecutionContext) -> Prepared:
        """Merge the inputs, remove exact repeats and split.

        Args:
            request: What to read and where to write.
            context: Of the asset that asks; a job of its own is bound to its run.

        Raises:
            StorageError: An input cannot be read or an output cannot be written.
        """


class PolarsEngine(EtlEngine):
    """Polars in this process, lazy and streaming."""

    def prepare(self, request: PrepareRequest, context: dg.AssetExecutionContext) -> Prepared:  # noqa: ARG002 - runs here
        """Run it here."""
        from abalone_assets.etl import polars_engine

        report = polars_engine.prepare(request)
        return Prepared(report, JobReport(report.seconds))

"""Where the preparation runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from abalone_assets.etl.request import PrepareReport, PrepareRequest


class EtlEngine(dg.ConfigurableResource[None], ABC):
    """Runs the preparation: URIs in, counts and schemas out; no frame crosses this line."""

    @abstractmethod
    def prepare(self, request: PrepareRequest) -> PrepareReport:
        """Merge the inputs, remove exact repeats and split.

        Raises:
            StorageError: An input cannot be read or an output cannot be written.
        """


class PolarsEngine(EtlEngine):
    """Polars in this process, lazy and streaming."""

    def prepare(self, request: PrepareRequest) -> PrepareReport:
        """Run it here."""
        from abalone_assets.etl import polars_engine

        return polars_engine.prepare(request)

"""The source of the base survey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    from abalone_assets.ingest.base_survey import BaseSurvey


class BaseSurveySource(dg.ConfigurableResource[None]):
    """Where ``raw_abalone`` comes from."""

    uri: str = Field(description="Path, file://, s3:// or https:// URI of a survey or a ZIP of it.")
    sha256: str = Field(description="SHA-256 that it must have; empty when none is known.")
    fallback: bool = Field(description="Use the bundled survey when the network refuses.")

    def fetch(self) -> BaseSurvey:
        """Read and verify it.

        Raises:
            StorageError: It cannot be read, or is not the file that the checksum says.
        """
        from abalone_assets.ingest.base_survey import fetch_base_survey

        return fetch_base_survey(self.uri, sha256=self.sha256, fallback=self.fallback)

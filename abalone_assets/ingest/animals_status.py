"""What became of each file of animals without rings, as `file_status` tells of surveys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Self

from abalone_assets.ingest.file_status import FileStatus, LandedFiles
from abalone_assets.ingest.landed_names import LandedNames
from abalone_assets.ingest.memory import Patience
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.animals import AgedDay, Animals
from abalone_assets.lake.lake import Lake
from abalone_assets.survey import ANIMALS

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings


class AnimalsFiles(LandedFiles[Animals]):
    """What became of a landing zone's files of animals without rings, as it is at this moment."""

    @classmethod
    def of(cls, settings: Settings, names: LandedNames | None = None) -> Self:
        """Those of the landing zone and the lake that the settings name.

        Raises:
            SettingsError: An SSM parameter is missing or cannot be read.
        """
        zone = names.zone if names else open_landing_zone(settings.landing_zone_uri)
        patience = Patience(**settings.patience)
        animals = Animals(Lake(settings.lake_uri))
        return cls(zone, animals, settings.first_survey_day, patience, names, kind=ANIMALS)

    @cached_property
    def aged(self) -> Mapping[str, AgedDay]:
        """The days whose animals were aged.

        Raises:
            StorageError: The lake refuses.
        """
        return self.lake.aged()

    def ages_of(self, file: FileStatus) -> AgedDay | None:
        """How the animals of a file's day were aged, if those of its present content were."""
        if file.day is None or not file.rows:
            return None
        aged, summary = self.aged.get(file.day), self.manifest.summaries.get(file.day)
        return aged if aged and summary and aged.digest == summary.content else None

"""What became of each file of animals without rings, as `landed_files` tells of surveys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from abalone_assets.ingest.landed_files import LandedFiles
from abalone_assets.lake.animals import AgedDay, Animals
from abalone_assets.survey import ANIMALS

if TYPE_CHECKING:
    from abalone_assets.ingest.file_status import FileStatus


class AnimalsFiles(LandedFiles[Animals]):
    """What became of a landing zone's files of animals without rings, as it is at this moment."""

    kind = ANIMALS

    @cached_property
    def holder(self) -> Animals:
        """The lake's records of animals."""
        return Animals(self.lake)

    @cached_property
    def aged(self) -> Mapping[str, AgedDay]:
        """The days whose animals were aged.

        Raises:
            StorageError: The lake refuses.
        """
        return self.holder.aged()

    def ages_of(self, file: FileStatus) -> AgedDay | None:
        """How the animals of a file's day were aged, if those of its present content were."""
        if file.day is None or not file.rows:
            return None
        aged, summary = self.aged.get(file.day), self.manifest.summaries.get(file.day)
        return aged if aged and summary and aged.digest == summary.content else None

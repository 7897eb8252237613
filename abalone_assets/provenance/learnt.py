"""What a version learnt from: its base survey, and the survey files of its release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from abalone_assets.lake.kept_inputs import days_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.lake.kept_inputs import Inputs
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedFile, IngestedRaw


@dataclass(frozen=True)
class Learnt:
    """The files whose rows a version learnt from, as they were then.

    Attributes:
        raw: The base survey; None where there was none.
        days: How many survey days had rows.
        files: The files that had some, each with its survey day, by name.
    """

    raw: IngestedRaw | None
    days: int
    files: Mapping[str, tuple[str, IngestedFile]]

    @classmethod
    def of(cls, lake: Lake, inputs: Inputs) -> Self:
        """Read what the lake keeps of a release.

        Raises:
            StorageError: It is gone or damaged.
        """
        days = days_of(lake.store, inputs)
        files = [(day, file) for day, each in days.items() for file in each.files if file.rows]
        return cls(inputs.raw, len(days), {file.name: (day, file) for day, file in files})

    @property
    def rows(self) -> int:
        """Of the base survey and all files."""
        surveyed = sum(file.rows for _, file in self.files.values())
        return (self.raw.rows if self.raw else 0) + surveyed

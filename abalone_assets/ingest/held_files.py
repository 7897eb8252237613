"""Against which profile survey files are judged, and when they are judged again.

What is held must not depend on the order in which things were ingested. So files are judged against
the base survey, never against each other; and when another base survey comes, or the first one, it
judges the files that are in the lake already.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from abalone_assets.errors import StorageError
from abalone_assets.ingest.accepted_files import accepted_files
from abalone_assets.ingest.plausibility.profile import SCALE_RULES, Profile, Verdict
from abalone_assets.ingest.plausibility.shipped_profile import UCI_PROFILE
from abalone_assets.lake.manifest import BEING_WRITTEN, IngestedDay, IngestedFile
from abalone_assets.lake.manifest_store import read_manifest
from abalone_assets.survey.origin import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import polars as pl

    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedRaw, Manifest
    from abalone_assets.survey import ParsedSurvey

MIN_BASE_ROWS: Final = 1000
"""A base survey of fewer rows makes no profile: the shipped one judges."""

SHIPPED: Final = "UCI"


@dataclass(frozen=True)
class Judge:
    """Judges survey files.

    Attributes:
        name: What the profile was made from: the base survey's digest, or ``UCI``, as shipped.
        profile: What files are compared with.
        accepted: SHA-256 of the files that a person has accepted.
    """

    name: str = SHIPPED
    profile: Profile = UCI_PROFILE
    accepted: Collection[str] = frozenset()

    @classmethod
    def of(cls, lake: Lake) -> Self:
        """The judge of the base survey that the lake holds now.

        Raises:
            StorageError: The base survey or the ledger of accepted files cannot be read.
        """
        accepted, raw = accepted_files(lake.store).keys(), lake.manifest().raw
        if judge_name(raw) == SHIPPED or raw is None:
            return cls(accepted=accepted)
        return cls.on(_read(lake.uri("raw_abalone")), raw.digest, accepted)

    @classmethod
    def on(cls, rows: pl.DataFrame, digest: str, accepted: Collection[str] = frozenset()) -> Self:
        """The judge that a base survey of these rows and this digest makes."""
        if len(rows) < MIN_BASE_ROWS:
            return cls(accepted=accepted)
        return cls(digest, Profile.of(rows.to_dict(as_series=False)), accepted)

    def judge(self, survey: ParsedSurvey, file: IngestedFile) -> IngestedFile:
        """The manifest's entry of a parsed file: with its rows, or held.

        Simulated files are exempt: they have a check of their own, and judge no model.
        """
        rows, quarantined = survey.row_count, len(survey.quarantined)
        parsed = replace(file, rows=rows, quarantined=quarantined)
        if file.origin == SYNTHETIC:
            return parsed
        beyond = sum(row.rule in SCALE_RULES for row in survey.quarantined)
        verdict = self.profile.judge(survey.columns, beyond)
        parsed = replace(parsed, odd_animals=verdict.odd_animals)
        if verdict.held is None or file.sha256 in self.accepted:
            return parsed
        return replace(parsed, rows=0, held=verdict.held, held_rows=rows)

    def verdict(self, survey: ParsedSurvey, data: bytes) -> str | None:
        """Why a surveyed file of these bytes, parsed, will be held; None when it will not be."""
        sha256 = hashlib.sha256(data).hexdigest()
        return self.judge(survey, IngestedFile(survey.file, len(data), "", sha256)).held

    def judge_again(self, lake: Lake) -> Callable[[Manifest], Mapping[str, IngestedDay]]:
        """Judge the ingested days of another profile, for the commit of the base survey.

        A day whose files are held, or not, as before is only marked as judged. Others are revoked,
        so that they are due; also those with a held file, as the lake does not have its rows.

        Raises:
            StorageError: A day's rows cannot be read.
        """
        shown = lake.manifest().summaries
        judged = {
            day: (entry, (self._judged if day in shown else self._judged_early)(lake, day, entry))
            for day, entry in read_manifest(lake.store).days.items()
            if self._judged_otherwise(entry)
        }

        def days(manifest: Manifest) -> Mapping[str, IngestedDay]:
            again = {}
            for day, entry in manifest.days.items():
                if self._judged_otherwise(entry):
                    before, after = judged.get(day, (None, BEING_WRITTEN))
                    again[day] = after if entry == before else BEING_WRITTEN
            return again

        return days

    def _judged_otherwise(self, day: IngestedDay) -> bool:
        return bool(day.digest and day.files) and day.judged_by != self.name

    def _judged(self, lake: Lake, day: str, entry: IngestedDay) -> IngestedDay:
        marked = replace(entry, judged_by=self.name)
        if entry.held_files:
            return BEING_WRITTEN
        if not entry.rows:
            return marked
        rows = _read(lake.uri("new_surveys", day)).partition_by("source_file", as_dict=True)
        for file in entry.files:
            if file.rows and file.origin != SYNTHETIC and file.sha256 not in self.accepted:
                found = rows.get((file.name,))
                if found is None or self._verdict(found).held:
                    return BEING_WRITTEN
        return marked

    def _judged_early(self, lake: Lake, day: str, entry: IngestedDay) -> IngestedDay:
        """The same of a day before the first survey day, which nobody can have ingested again."""
        try:
            return self._judged(lake, day, entry)
        except StorageError:
            return entry

    def _verdict(self, rows: pl.DataFrame) -> Verdict:
        return self.profile.judge(rows.to_dict(as_series=False))


def judge_name(raw: IngestedRaw | None) -> str:
    """The name of the judge that this base survey makes."""
    return raw.digest if raw and raw.rows >= MIN_BASE_ROWS else SHIPPED


def _read(uri: str) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.scan_parquet(uri, glob=False, hive_partitioning=False).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(f"{uri}: cannot be read; materialize it again: {error}") from error

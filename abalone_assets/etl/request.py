"""What every preparation engine is asked and answers: URIs in, counts out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from abalone_assets.survey.splits import SPLIT_PERCENT

MERGED: Final = "merged_dataset"

__all__ = ["MERGED", "SPLIT_PERCENT", "PrepareReport", "PrepareRequest"]


@dataclass(frozen=True)
class PrepareRequest:
    """One preparation.

    Attributes:
        inputs: URIs of Parquet files with the survey columns, ``source_file`` and ``origin``; one
            without ``origin`` was ingested before there were simulations: it is surveyed.
        merged: URI to write ``merged_dataset`` to.
        splits: URI to write each split to, by its name.
        digest: Names the content of the inputs, whose URIs stay when they are written again.
        newest: URIs of more inputs, those of the newest surveys: their rows come last in each
            output, so that what comes before stays as it is when only these change.
        older: Names the content of ``inputs`` alone: an engine may keep what it made of it before.
            Empty when nothing is to be kept.
        rows: About how many rows all inputs have; 0 when that is not known, and then they are few.
        writes: Names the writes of the inputs: another once one was written again, be it with the
            content that it had. So a job that read what was there before is not taken for this one.
    """

    inputs: tuple[str, ...]
    merged: str
    splits: dict[str, str]
    digest: str = ""
    newest: tuple[str, ...] = ()
    older: str = ""
    rows: int = 0
    writes: str = ""

    @property
    def all_inputs(self) -> tuple[str, ...]:
        """Those of the newest surveys and all others."""
        return (*self.inputs, *self.newest)

    @property
    def outputs(self) -> dict[str, str]:
        """URI of each output by its name, ``merged_dataset`` first."""
        return {MERGED: self.merged, **self.splits}

    @property
    def staging(self) -> str:
        """Folder or prefix for what is not finished, which a killed preparation leaves behind.

        It is beside the folder of ``merged``, in no folder of an output.
        """
        folder = self.merged.rpartition("/")[0]
        return f"{folder.rpartition('/')[0]}/_staged"


@dataclass(frozen=True)
class PrepareReport:
    """What a preparation did.

    Attributes:
        engine: Name and version of the engine that ran it.
        rows_in: Rows read from all inputs.
        repeats: Rows of the inputs that repeat an earlier one, counted on the inputs themselves.
        rows: Rows written to each output, ``merged_dataset`` included.
        synthetic_rows: Simulated ones among those of ``merged_dataset``.
        seconds: Wall time.
        sha256: Of the bytes of each split; none where the engine does not see them.
    """

    engine: str
    rows_in: int
    repeats: int
    rows: dict[str, int]
    synthetic_rows: int
    seconds: float
    sha256: dict[str, str] = field(default_factory=dict)

    @property
    def synthetic_share(self) -> float:
        """Share of ``merged_dataset`` that is simulated, 0 to 1; 0 of no rows at all."""
        rows = self.rows["merged_dataset"]
        return self.synthetic_rows / rows if rows else 0.0

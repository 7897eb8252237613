"""What every preparation engine is asked and answers: URIs in, counts and schemas out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SPLIT_PERCENT: Final = {"train_split": 80, "validation_split": 15, "test_split": 5}
"""Share of the rows in each split, in percent; the order assigns the hash buckets 0 to 99."""


@dataclass(frozen=True)
class PrepareRequest:
    """One preparation.

    Attributes:
        inputs: URIs of Parquet files with the survey columns and ``source_file``.
        merged: URI to write ``merged_dataset`` to.
        splits: URI to write each split to, by its name.
        digest: Names the content of the inputs, whose URIs stay when they are written again.
    """

    inputs: tuple[str, ...]
    merged: str
    splits: dict[str, str]
    digest: str = ""

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
        schema: Data type of each column of ``merged_dataset``, in the engine's spelling.
        seconds: Wall time.
    """

    engine: str
    rows_in: int
    repeats: int
    rows: dict[str, int]
    schema: dict[str, str]
    seconds: float

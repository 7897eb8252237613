"""What outputs hold of all but the newest surveys, kept from one preparation to the next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.etl.parquet_output import is_local
from abalone_assets.etl.preparation import SPLIT_COLUMNS
from abalone_assets.etl.request import MERGED
from abalone_assets.etl.row_keys import VERSION as KEYS_VERSION
from abalone_assets.etl.row_keys import keys_of, places_of, read_keys
from abalone_assets.lake.kept_rows import KeptRows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from abalone_assets.etl.request import PrepareRequest

VERSION: Final = 1
"""Of what outputs hold, and in which order: those of another version are made anew."""


@dataclass(frozen=True)
class Note:
    """What is noted of the kept rows, in each output.

    Attributes:
        older: Names the content that they are made of.
        rows_in: Rows of these inputs.
        repeats: Rows that were removed from them.
        synthetic_rows: Simulated rows among those of ``merged_dataset``.
        version: `VERSION`.
    """

    older: str
    rows_in: int
    repeats: int
    synthetic_rows: int
    version: int = VERSION


def keeps(request: PrepareRequest) -> bool:
    """Whether rows are to be kept, and there is a file system to keep them on."""
    return bool(request.older) and all(map(is_local, request.outputs.values()))


def keys_file(merged: str, older: str) -> Path:
    """Where the keys of the kept rows lie: named by the content that these are made of."""
    return Path(merged).with_name(f"_keys.{KEYS_VERSION}-{older}.npy")


def forget_keys(request: PrepareRequest, *, but: Path | None) -> None:
    """Remove the keys of rows that are kept no more."""
    if is_local(request.merged):
        for found in Path(request.merged).parent.glob("_keys.*.npy"):
            if found != but:
                found.unlink(missing_ok=True)


@dataclass(frozen=True)
class KeptOutputs:
    """The kept rows of all outputs.

    Attributes:
        rows: Of each output, by its name.
        keys: Of the rows of ``merged_dataset``, ``(2, n)``.
        note: What was noted of them.
    """

    rows: dict[str, KeptRows]
    keys: NDArray[np.uint32]
    note: Note

    @classmethod
    def of(cls, request: PrepareRequest) -> KeptOutputs | None:
        """What is made of the request's ``older``; None unless all of it is there."""
        found = cls.at(request.outputs) if keeps(request) else None
        return found if found is not None and found.note.older == request.older else None

    @classmethod
    def at(cls, outputs: Mapping[str, str]) -> KeptOutputs | None:
        """What is kept in outputs, given by name and URI; None unless all of it is there."""
        from pyarrow import ArrowException

        if not all(map(is_local, outputs.values())):
            return None
        with suppress(OSError, ArrowException, LookupError, TypeError, ValueError):
            found = {name: KeptRows.of(Path(uri)) for name, uri in outputs.items()}
            rows = {name: each for name, each in found.items() if each is not None}
            notes = {Note(**each.note) for each in rows.values()}
            if len(rows) == len(outputs) and len(notes) == 1:
                (note,) = notes
                keys = read_keys(keys_file(outputs[MERGED], note.older), rows[MERGED].rows)
                if keys is not None and note.version == VERSION:
                    return cls(rows, keys, note)
        return None

    def same_as(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The kept rows that equal one of these hashed rows in the nine survey columns."""
        places = places_of(keys_of(rows), self.keys)
        if not len(places):
            return rows.clear().select(SPLIT_COLUMNS)
        return self.rows[MERGED].take(places).select(SPLIT_COLUMNS)

"""A study in the lake: the rows it reads, the trials it keeps, and what it came to.

::

    hyperparameter_study/data.parquet   a row a trial
    hyperparameter_study/_study.json    the proposal, and what it rests on
"""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.modeling.dataset import rows_sha256
from abalone_assets.search.study import library_versions
from abalone_assets.search.trials import trials_frame, trials_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from abalone_assets.lake.lake import Lake
    from abalone_assets.modeling.features import Columns
    from abalone_assets.search.study import Study
    from abalone_assets.search.trials import Trial

ASSET: Final = "hyperparameter_study"
STUDY_KEY: Final = f"{ASSET}/_study.json"


def training_rows(lake: Lake) -> tuple[Columns, str]:
    """Read the training split, once: its columns, and the digest that it was prepared from.

    Raises:
        StorageError: There is none yet, it cannot be read, or it is being written anew just now.
    """
    digest = lake.preparation().digest
    remedy = "materialize train_split again: launch the job `release`"
    frame = _read(lake, "train_split", remedy=remedy)
    if lake.preparation().digest != digest:
        raise StorageError("train_split was written anew while it was read: run this again")
    return {name: frame[name].to_numpy() for name in frame.columns}, digest


class StudyRecords:
    """What the lake holds of one study, which is known by its key: see `study.study_key`."""

    def __init__(self, lake: Lake, study: str) -> None:
        self._lake = lake
        self._study = study

    def trials(self) -> list[Trial]:
        """Its trials so far; none when the lake holds another study's.

        Raises:
            StorageError: What lies there is no table of trials.
        """
        if self._lake.store.find(self._lake.key(ASSET)) is None:
            return []
        frame = _read(self._lake, ASSET, remedy="delete it to search anew")
        return trials_of(frame, self._study)

    def keep(self, trials: Sequence[Trial]) -> None:
        """Replace what the lake holds by these trials."""
        self._lake.store.write(self._lake.key(ASSET), to_parquet(trials_frame(trials, self._study)))

    def conclude(self, study: Study, columns: Columns, digest: str) -> None:
        """Keep what the study came to, and the training rows that it rests on."""
        document = {
            "study": self._study,
            "proposal": asdict(study.proposal),
            "plan": asdict(study.plan),
            "trials": len(study.trials),
            "rows": study.rows,
            "train_rows_sha256": rows_sha256(columns),
            "release_digest": digest,
            "versions": library_versions(),
        }
        self._lake.store.write_json(STUDY_KEY, document)


def _read(lake: Lake, asset: str, *, remedy: str) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(lake.store.read(lake.key(asset))))
    except pl.exceptions.PolarsError as error:
        raise StorageError(f"{lake.uri(asset)}: no Parquet file; {remedy}: {error}") from error

"""Any two versions on the same rows, which neither has learnt: as the gate compares two."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import rows_written
from abalone_assets.registry.version_facts import VersionFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.lake.lake import Lake
    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.evaluation.champion import ChampionScores
    from abalone_assets.modeling.evaluation.paired import Comparison
    from abalone_assets.registry.registry import ModelRegistry

SPLITS: Final = ("train_split", "validation_split", "test_split")

MOST_ROWS: Final = 1_000_000
"""Rows of the splits that are compared on, in the server that answers predictions, too."""


@dataclass(frozen=True)
class VersionComparison:
    """Two versions on the lake's rows of today; errors in rings.

    Attributes:
        newer: The version of the larger number: in ``scores`` the model.
        older: The other: in ``scores`` the champion. Differences are the newer's error minus the
            older's, so below 0 where the newer is better.
        scores: By sex and age on all rows that neither had learnt, and on the test rows alone.
        absolute: The mean absolute errors on the test rows, in place of the RMSE.
    """

    newer: VersionFacts
    older: VersionFacts
    scores: ChampionScores
    absolute: Comparison


def compare_versions(
    registry: ModelRegistry, lake: Lake, one: int, other: int
) -> VersionComparison:
    """Compare two versions.

    Test rows are learnt by no version, as a row keeps its split for ever. Of the other rows those
    count that the newer version has an out-of-fold prediction for; see `champion.champion_scores`.

    Raises:
        UnknownVersionError: There is no such version.
        StorageError: They are the same, or the lake has no splits yet.
        ModelArchiveError: An archive was lost, altered or is damaged.
    """
    from abalone_assets.modeling.dataset import concat, is_surveyed, read_split, take, target
    from abalone_assets.modeling.evaluation.champion import Champion, champion_scores
    from abalone_assets.modeling.evaluation.paired import paired_mae
    from abalone_assets.modeling.models.model import predict_rings

    if one == other:
        raise StorageError(f"version {one} cannot be compared with itself: choose another")
    newer, older = registry.get(max(one, other)), registry.get(min(one, other))
    model, champion = (_archived(registry, each.version) for each in (newer, older))
    with _splits(lake) as folders:
        splits = [read_split(folders[name], name) for name in SPLITS]
    train, validation, test = (take(split, is_surveyed(split)) for split in splits)
    learnt = concat([train, validation])
    if not len(test["sex"]):
        raise StorageError("the test split has no surveyed row to compare on; land a survey")
    predicted, answered = (predict_rings(each.model, test) for each in (model, champion))
    rings = target(test)
    return VersionComparison(
        VersionFacts.of(newer),
        VersionFacts.of(older),
        champion_scores(model, Champion(str(older.version), champion), test, predicted, learnt),
        paired_mae(abs(predicted - rings), abs(answered - rings)),
    )


def splits_token(lake: Lake) -> str:
    """What changes when the splits are written again.

    Raises:
        StorageError: The lake refuses.
    """
    found = (lake.store.find(lake.key(name)) for name in SPLITS)
    return "/".join(each.e_tag if each else "" for each in found)


def _archived(registry: ModelRegistry, version: int) -> ArchivedModel:
    from abalone_assets.modeling.archive import ARCHIVE_NAME, read_archived

    with TemporaryDirectory(prefix="abalone-compared-") as folder:
        path = Path(folder, ARCHIVE_NAME)
        path.write_bytes(registry.read_model(version))
        return read_archived(path)


@contextmanager
def _splits(lake: Lake) -> Iterator[dict[str, Path]]:
    """A folder of each split on this machine.

    Raises:
        StorageError: There is none yet.
    """
    missing = [name for name in SPLITS if lake.store.find(lake.key(name)) is None]
    if missing:
        raise StorageError(
            f"{lake.uri(missing[0])} is not there yet: versions are compared on the rows of a "
            "release; `abalone dev` makes one"
        )
    with TemporaryDirectory(prefix="abalone-splits-") as scratch:
        rows = rows_written(*map(lake.uri, SPLITS))
        if rows > MOST_ROWS:
            raise StorageError(
                f"the splits have {rows:,} rows, and versions are compared here on {MOST_ROWS:,} "
                "at most: the page of each has what it was evaluated by"
            )
        folders = {name: Path(scratch, name) for name in SPLITS}
        for name, folder in folders.items():
            folder.mkdir()
            (folder / "data.parquet").write_bytes(lake.store.read(lake.key(name)))
        yield folders

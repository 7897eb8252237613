"""Trials survive in the lake, and only the study they belong to goes on from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.preparation import Preparation
from abalone_assets.search.records import StudyRecords, training_rows
from abalone_assets_tests.search.support import BOOSTER, rows, trial

TRIALS = [
    trial("booster", 0, 2.0123456789012345, **BOOSTER),
    trial("kernel", 0, 2.1, length_scale=8.0, noise=0.6),
    replace(trial("kernel", 1, 2.2, length_scale=0.1 + 0.2, noise=0.7), state="pruned"),
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def test_trials_are_read_back_as_they_were(lake: Lake) -> None:
    StudyRecords(lake, "a").keep(TRIALS)
    kept = StudyRecords(lake, "a").trials()
    assert kept == TRIALS
    assert isinstance(kept[0].hyperparameters["max_depth"], int)


def test_another_study_does_not_go_on_from_them(lake: Lake) -> None:
    assert StudyRecords(lake, "a").trials() == []
    StudyRecords(lake, "a").keep(TRIALS)
    assert StudyRecords(lake, "b").trials() == []


@pytest.mark.parametrize("content", [b"no table", to_parquet(pl.DataFrame({"study": ["a"]}))])
def test_what_is_no_table_of_trials_says_what_to_do(lake: Lake, content: bytes) -> None:
    lake.store.write(lake.key("hyperparameter_study"), content)
    with pytest.raises(StorageError, match="delete it to search anew"):
        StudyRecords(lake, "a").trials()


def prepare(lake: Lake, digest: str = "d1") -> None:
    lake.store.write(lake.key("train_split"), to_parquet(pl.DataFrame(rows(30))))
    lake.record_preparation(Preparation(digest, 30, 30, 0))


def test_training_rows_come_with_what_they_were_prepared_from(lake: Lake) -> None:
    prepare(lake)
    columns, digest = training_rows(lake)
    assert digest == "d1"
    assert {name: [*values] for name, values in columns.items()} == {
        name: values.tolist() for name, values in rows(30).items()
    }


def test_there_is_nothing_to_search_before_a_preparation(lake: Lake) -> None:
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        training_rows(lake)


def test_rows_written_anew_while_they_are_read_are_refused(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(lake)
    read = lake.store.read

    def overtaken(key: str) -> bytes:
        prepare(lake, "d2")
        return read(key)

    monkeypatch.setattr(lake.store, "read", overtaken)
    with pytest.raises(StorageError, match="written anew while it was read"):
        training_rows(lake)

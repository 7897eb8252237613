"""Any two versions on the same rows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.lake.lake import Lake
from abalone_assets.modeling.archive import read_archived
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.registry.comparison import compare_versions, splits_token
from abalone_assets.registry.versions import UnknownVersionError
from abalone_assets_tests.registry.compared import (
    SIZES,
    archive_of,
    parts,
    register_two,
    write_splits,
)
from abalone_assets_tests.serving.support import new_registry, register

if TYPE_CHECKING:
    from abalone_assets.registry.folder import FolderRegistry


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("compared") / "lake"))
    write_splits(lake)
    return lake


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> FolderRegistry:
    registry = new_registry(tmp_path_factory.mktemp("versions"))
    register_two(registry)
    return registry


def errors_on_test_rows(registry: FolderRegistry, version: int) -> np.ndarray:
    """What a version is off by, worked out by hand."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.tar.gz")
        path.write_bytes(registry.read_model(version))
        model = read_archived(path).model
    test = parts()["test_split"]
    columns = {str(name): test[name].to_numpy() for name in test}
    return np.asarray(predict_rings(model, columns) - columns["rings"])


def test_two_versions_are_scored_on_the_same_test_rows(
    registry: FolderRegistry, lake: Lake
) -> None:
    compared = compare_versions(registry, lake, 1, 2)
    own, older = (errors_on_test_rows(registry, version) for version in (2, 1))
    tested = compared.scores["paired"]["test"]
    assert tested["rows"] == compared.absolute["rows"] == SIZES["test_split"]
    assert tested["rmse"] == pytest.approx(np.sqrt(np.mean(own**2)))
    assert tested["champion_rmse"] == pytest.approx(np.sqrt(np.mean(older**2)))
    assert compared.absolute["rmse"] == pytest.approx(np.abs(own).mean())
    assert compared.absolute["difference"] == pytest.approx(
        np.abs(own).mean() - np.abs(older).mean()
    )


def test_the_better_one_is_found_by_sex_and_age_on_all_rows_that_neither_had_learnt(
    registry: FolderRegistry, lake: Lake
) -> None:
    compared = compare_versions(registry, lake, 2, 1)
    paired = compared.scores["paired"]
    assert compared.scores["test_rows_alone"] is None
    assert paired["overall"]["rows"] == sum(SIZES.values())
    assert paired["overall"]["high"] < 0
    assert [each["value"] for each in paired["slices"]["sex"]] == ["M", "F", "I"]
    assert sum(each["rows"] for each in paired["slices"]["age_band"]) == sum(SIZES.values())


def test_the_order_in_which_they_are_named_does_not_matter(
    registry: FolderRegistry, lake: Lake
) -> None:
    one, other = compare_versions(registry, lake, 1, 2), compare_versions(registry, lake, 2, 1)
    assert one == other
    assert (one.newer.version, one.older.version) == (2, 1)


def test_without_out_of_fold_predictions_the_test_rows_must_do(tmp_path: Path, lake: Lake) -> None:
    registry = new_registry(tmp_path)
    register(registry, archive_of(1, folds=0))
    register(registry, archive_of(3, folds=0))
    compared = compare_versions(registry, lake, 1, 2)
    assert compared.scores["test_rows_alone"] is not None
    assert compared.scores["paired"]["overall"]["rows"] == SIZES["test_split"]


def test_simulated_rows_judge_nobody(registry: FolderRegistry, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write_splits(lake)
    uri = lake.uri("test_split")
    test = pd.read_parquet(uri)
    test.loc[:49, "origin"] = "synthetic"
    test.to_parquet(uri, index=False)
    compared = compare_versions(registry, lake, 1, 2)
    assert compared.scores["paired"]["test"]["rows"] == SIZES["test_split"] - 50
    test.assign(origin="synthetic").to_parquet(uri, index=False)
    with pytest.raises(StorageError, match="no surveyed row"):
        compare_versions(registry, lake, 1, 2)


def test_what_cannot_be_compared_is_one_clear_error(
    registry: FolderRegistry, lake: Lake, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="cannot be compared with itself"):
        compare_versions(registry, lake, 2, 2)
    with pytest.raises(UnknownVersionError, match="no model version 9"):
        compare_versions(registry, lake, 2, 9)
    with pytest.raises(StorageError, match="is not there yet"):
        compare_versions(registry, Lake(str(tmp_path / "new")), 1, 2)
    broken = new_registry(tmp_path)
    for archive in (b"one", b"two"):
        register(broken, archive)
    with pytest.raises(ModelArchiveError, match="cannot be read"):
        compare_versions(broken, lake, 1, 2)


def test_the_splits_token_changes_when_one_is_written_again(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert splits_token(lake) == "//"
    write_splits(lake)
    before = splits_token(lake)
    assert splits_token(lake) == before
    lake.store.write(lake.key("validation_split"), b"other")
    assert splits_token(lake) != before

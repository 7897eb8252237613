import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.dataset import concat, take
from abalone_assets.modeling.features import BOOSTER_FEATURES, FEATURE_NAMES, design_matrix
from abalone_assets.modeling.hyperparameters import BlendHyperparameters
from abalone_assets.modeling.models.blend import BlendModel, read_blend
from abalone_assets.modeling.training.cross_fitting import cross_fit, out_of_fold_scores
from abalone_assets.modeling.training.learners import learner_by
from abalone_assets.modeling.training.train import fit
from abalone_assets.modeling.training.train_kernel import fit_kernel
from abalone_assets_tests.modeling.support import (
    QUICK_BLEND,
    quick_blend,
    quick_model,
    resaved,
    splits,
)

FIT = """
import sys
import numpy as np
from abalone_assets.modeling.hyperparameters import BlendHyperparameters
from abalone_assets.modeling.training.train import fit
columns = dict(np.load(sys.argv[1]))
columns["sex"] = columns["sex"].astype(object)
chosen = BlendHyperparameters(num_boost_round=5, landmarks=500, folds=0)
print(fit("blend", columns, columns, chosen).card.model_sha256)
"""


def blend() -> BlendModel:
    return read_blend(quick_blend().files["blend.npz"], Path("blend.npz"))


def test_is_the_weighted_mean_of_its_parts() -> None:
    matrix, model = design_matrix(splits()["test"], FEATURE_NAMES), blend()
    assert model.features == FEATURE_NAMES
    parts = [
        part.predict(design_matrix(splits()["test"], part.features))
        for part in (model.booster, model.kernel)
    ]
    assert model.predict(matrix) == pytest.approx((parts[0] + parts[1]) / 2)
    trees = BlendModel(model.booster, model.kernel, 1.0)
    assert trees.predict(matrix) == pytest.approx(parts[0])


def test_errs_less_than_either_part_out_of_fold() -> None:
    together = concat([splits()["train"], splits()["validation"]])
    kernel = cross_fit(learner_by(fit_kernel, QUICK_BLEND), together, QUICK_BLEND.folds)
    trees, both = quick_model().out_of_fold, quick_blend().out_of_fold
    assert trees is not None
    assert both is not None
    blended, *parts = (out_of_fold_scores(each, together)["rmse"] for each in (both, trees, kernel))
    assert blended < min(parts)


def test_its_trees_are_those_of_the_framework_xgboost() -> None:
    assert blend().booster.to_ubj() == quick_model().files["model.ubj"]


def test_tells_of_each_feature_what_its_trees_make_of_it() -> None:
    model, columns = blend(), take(splits()["test"], np.arange(20))
    parts = model.contributions(design_matrix(columns, model.features))
    assert parts.shape == (20, len(FEATURE_NAMES) + 1)
    trees = model.booster.predict(design_matrix(columns, BOOSTER_FEATURES))
    assert parts.sum(axis=1) == pytest.approx(np.log(trees), rel=1e-4)
    assert not parts[:, [FEATURE_NAMES.index("log_length")]].any()
    assert set(model.importance()) == set(BOOSTER_FEATURES)


@pytest.mark.service
@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_same_data_and_seed_give_the_same_file_in_any_process_with_any_number_of_threads(
    tmp_path: Path, threads: str
) -> None:
    """One thread once rounded otherwise than several, where landmarks were no multiple of 8."""
    columns = take(splits()["train"], np.arange(600))
    plain: dict[str, Any] = {
        name: values.astype(str if name == "sex" else float) for name, values in columns.items()
    }
    np.savez(tmp_path / "rows.npz", allow_pickle=False, **plain)
    chosen = BlendHyperparameters(num_boost_round=5, landmarks=500, folds=0)
    here = fit("blend", columns, columns, chosen).card.model_sha256
    there = subprocess.run(
        [sys.executable, "-c", FIT, str(tmp_path / "rows.npz")],
        env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here


def test_survives_the_round_trip() -> None:
    assert blend().to_npz() == quick_blend().files["blend.npz"]


@pytest.mark.parametrize(
    "changes",
    [
        {"booster": None},
        {"booster": np.frombuffer(b"no trees", dtype=np.uint8)},
        {"booster_share": np.asarray(1.5)},
        {"booster_share": np.asarray("half")},
        {"kernel_weights": None},
        {"kernel_weights": np.zeros(3)},
        {"kernel_mean": np.asarray([print] * 21, dtype=object)},
    ],
    ids=[
        *("no trees", "other trees", "share above 1", "share in words"),
        *("no weights", "other weights", "a pickle"),
    ],
)
def test_refuses_what_is_no_blend(changes: dict[str, object]) -> None:
    with pytest.raises(ModelArchiveError, match=r"blend\.npz: not a"):
        read_blend(resaved(quick_blend().files["blend.npz"], **changes), Path("blend.npz"))

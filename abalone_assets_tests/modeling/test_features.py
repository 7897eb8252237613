import math
from typing import Any

import numpy as np
import pytest

from abalone_assets import survey
from abalone_assets.modeling.dataset import concat, take
from abalone_assets.modeling.features import (
    BOOSTER_FEATURES,
    CATALOGUE,
    FEATURE_NAMES,
    KERNEL_FEATURES,
    FeatureError,
    design_matrix,
)
from abalone_assets_tests.modeling.support import one_animal, splits


def features_of(**changes: object) -> dict[str, float]:
    row = design_matrix(one_animal(**changes))[0]
    return dict(zip(FEATURE_NAMES, map(float, row), strict=True))


def test_has_a_finite_float32_value_for_every_animal_of_the_real_survey() -> None:
    matrix = design_matrix(splits()["train"])
    assert matrix.shape == (3340, len(FEATURE_NAMES))
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert np.isfinite(matrix).all()
    nobody = take(one_animal(), np.arange(0))
    assert design_matrix(nobody).shape == (0, len(FEATURE_NAMES))


@pytest.mark.parametrize("sex", ["M", "F", "I"])
def test_marks_a_sex_in_the_column_of_its_name(sex: str) -> None:
    marks = {name: value for name, value in features_of(sex=sex).items() if "sex" in name}
    assert marks == {f"sex_{each}": float(each == sex) for each in "MFI"}


def test_marks_a_sex_alike_whichever_other_sexes_occur() -> None:
    alone = one_animal(sex="I")
    two = concat([one_animal(sex="M"), alone])
    assert np.array_equal(design_matrix(two)[1], design_matrix(alone)[0])


def test_computes_ratios_and_logarithms_from_their_parts() -> None:
    features = features_of()
    expected = {
        "log_shucked_share": math.log(0.2245 / 0.514),
        "log_density": math.log(0.514 / (0.455 * 0.365 * 0.095)),
        "log_shell_thickness": math.log(0.15 / (0.455 * 0.365)),
        "log_tallness": math.log(0.095 / 0.455),
        "water_loss": 1 - (0.2245 + 0.101 + 0.15) / 0.514,
        "log_length": math.log(0.455),
        "log_shell_weight": math.log(0.15),
    }
    assert {name: features[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_replaces_an_implausible_height_by_what_the_diameter_suggests() -> None:
    assert features_of(height=1.13)["height"] == pytest.approx(0.34 * 0.365)
    assert features_of(height=1.13)["log_height"] == pytest.approx(math.log(0.34 * 0.365))
    assert features_of(height=0.3)["height"] == pytest.approx(0.3)


def test_gives_the_wanted_features_in_the_wanted_order() -> None:
    wanted = ["water_loss", "length"]
    matrix = design_matrix(one_animal(), wanted)
    assert matrix[0].tolist() == [np.float32(features_of()[name]) for name in wanted]


def test_takes_lists_and_ignores_further_columns() -> None:
    lists = {name: column.tolist() for name, column in one_animal().items()} | {"split": ["train"]}
    assert np.array_equal(design_matrix(lists), design_matrix(one_animal()))


def test_trees_see_sizes_and_a_kernel_their_logarithms_and_both_the_ratios() -> None:
    ratios = {*BOOSTER_FEATURES} & {*KERNEL_FEATURES}
    assert len(ratios) == 3 + 11
    assert {*BOOSTER_FEATURES} - ratios == {*survey.MEASUREMENTS}
    assert {*KERNEL_FEATURES} - ratios == {f"log_{name}" for name in survey.MEASUREMENTS}


def test_describes_every_feature_with_its_unit() -> None:
    assert len(set(FEATURE_NAMES)) == len(CATALOGUE)
    assert all(feature.unit and feature.description for feature in CATALOGUE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sex": ["m"]}, "row 1: sex is none of M, F, I"),
        ({"length": [0.0]}, "row 1: length is not a positive finite number"),
        ({"length": [math.nan]}, "row 1: length is not a positive finite number"),
        ({"shell_weight": ["heavy"]}, "column shell_weight does not hold numbers"),
        ({"height": [0.1, 0.2]}, "columns differ in length"),
    ],
)
def test_refuses_impossible_columns(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        design_matrix(one_animal() | changes)


def test_names_a_column_that_is_missing_and_a_feature_it_cannot_compute() -> None:
    columns = one_animal()
    with pytest.raises(FeatureError, match="cannot compute colour"):
        design_matrix(columns, ["length", "colour"])
    del columns["diameter"]
    with pytest.raises(FeatureError, match="missing column diameter"):
        design_matrix(columns)


def test_row_number_in_an_error_is_that_of_the_first_offender() -> None:
    frame = splits()["test"]
    columns = dict(frame) | {"height": np.where(np.arange(len(frame["height"])) >= 7, -1.0, 0.1)}
    with pytest.raises(FeatureError, match="row 8: height"):
        design_matrix(columns)

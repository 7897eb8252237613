from dataclasses import replace

import numpy as np
import pytest

from abalone_assets.modeling.archive import ArchivedModel
from abalone_assets.modeling.dataset import concat, row_keys
from abalone_assets.modeling.evaluation.champion import Champion, KnownFiles
from abalone_assets.modeling.evaluation.document import Examples
from abalone_assets.modeling.evaluation.evaluate import Splits, evaluate_model
from abalone_assets.modeling.evaluation.paired import Comparison
from abalone_assets.modeling.evaluation.report.charts import wilson
from abalone_assets.modeling.evaluation.report.words import (
    of_champion,
    of_curve,
    of_integrity,
    of_known_files,
    of_old_animals,
    of_reference,
    of_synthetic,
)
from abalone_assets.modeling.evaluation.split_integrity import split_integrity
from abalone_assets.modeling.evaluation.study import study_model
from abalone_assets_tests.modeling.support import (
    card,
    judged,
    out_of_fold,
    rows,
    small_splits,
)


def rings(compared: Comparison) -> str:
    """A difference as it is told."""
    return f"{compared['difference']:+.3f}".replace("-", "\N{MINUS SIGN}")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.03, -0.01, "It beats version 3"),
        (0.01, 0.03, "It is worse than version 3"),
        (-0.01, 0.02, "It cannot be told from version 3"),
    ],
)
def test_a_comparison_ends_in_what_its_interval_allows_to_say(
    low: float, high: float, verdict: str
) -> None:
    compared: Comparison = {
        "value": "overall",
        "rows": 4177,
        "rmse": 2.031,
        "champion_rmse": 2.04,
        "difference": (low + high) / 2,
        "low": low,
        "high": high,
    }
    sentence = of_champion(compared, "3", 0.041)
    assert sentence.startswith(f"{verdict}: on 4,177 rows that neither had learnt")
    assert sentence.endswith("The gate allows the upper end +0.041.")
    assert "-" not in sentence
    assert "gate" not in of_champion(compared, "3", None)


def test_the_reference_is_told_of_where_it_is_another_than_the_champion() -> None:
    older = Champion("3", judged(0.5))
    document = evaluate_model(judged(), small_splits(), reference=older).document
    sentence = of_reference(document["reference"])
    assert sentence.startswith(" It must hold against the last version approved as more than just")
    assert document["reference"] is not None
    told = rings(document["reference"]["paired"]["overall"])
    assert f"from version 3 it differs by {told} rings (90 % interval " in sentence
    assert sentence.endswith("no gain counts as one over it.")
    assert of_reference(None) == ""


def test_a_gain_on_new_files_is_told_as_that() -> None:
    small = small_splits()
    learnt = concat([small.train, small.validation])
    knows_all = judged(0.5, learnt_rows=row_keys(learnt))
    knows_none = judged(0.5, learnt_rows=row_keys(small.test))

    def compared(rival: ArchivedModel, splits: Splits) -> KnownFiles:
        beside = evaluate_model(judged(), splits, champion=Champion("3", rival)).document
        assert beside["champion"] is not None
        return beside["champion"]["known_files"]

    def told(rival: ArchivedModel, splits: Splits) -> str:
        return of_known_files(compared(rival, splits), "3")

    assert told(knows_all, small) == " Version 3 knew the survey files of all these rows."
    assert told(judged(out_of_fold=out_of_fold(learnt, learnt["rings"])), small).endswith(
        "rows (as its out-of-fold predictions tell)."
    )
    assert told(knows_none, small) == " Version 3 knew none of their survey files: abalone.data."
    new = rows(580, 600, "abalone.20250301120000")
    files = compared(knows_all, replace(small, test=concat([small.test, new])))
    assert files["paired"] is not None
    assert files["new"] is not None
    known, others = rings(files["paired"]["overall"]), rings(files["new"])
    assert known != others
    mixed = of_known_files(files, "3")
    begin = f" On the 200 rows of survey files that version 3 knew, the difference is {known} rings"
    assert mixed.startswith(begin)
    assert f"and on the 20 others, of abalone.20250301120000, {others} rings" in mixed


def test_a_split_is_believed_only_when_everything_was_counted() -> None:
    intact = split_integrity(**vars(small_splits()), missing=0, foreign=0)
    intact |= {"misplaced": 0, "leaked": 0, "near_twins": 9}
    assert of_integrity(intact).startswith("Yes: ")
    assert of_integrity({**intact, "foreign": None}).startswith("As far as")
    assert of_integrity({**intact, "foreign": 1}).startswith("No: ")


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(1.0, 5)[1] == 1.0
    assert wilson(0.0, 5)[0] == 0.0


def test_the_last_step_of_a_curve_is_told() -> None:
    deciding = evaluate_model(judged(), small_splits()).document
    document = study_model(judged(), small_splits(), deciding).document
    assert of_curve(document).startswith("The step from 225 to 300 rows (the base survey)")
    document["learning_curve"] = document["learning_curve"][:1]
    assert "too few" in of_curve(document)


def test_old_animals_are_warned_of_where_the_model_is_far_off() -> None:
    test = rows(380, 580)
    test["rings"] = np.where(np.arange(200) < 30, 24, np.minimum(test["rings"], 15))
    network = judged(card=card("tensorflow"))
    far_off = evaluate_model(network, replace(small_splits(), test=test)).document
    assert "for the 30 animals of 16 rings and more" in of_old_animals(far_off)
    assert of_old_animals(far_off).endswith("years too young. Do not rely on it there.")
    test["rings"] = np.minimum(test["rings"], 15)
    none = evaluate_model(network, replace(small_splits(), test=test)).document
    assert of_old_animals(none).endswith("holds no animal of 16 rings or more.")


def test_example_rows_are_not_told_to_be_real_animals() -> None:
    assert of_synthetic(None).endswith("everything here is of real animals.")
    counted: Examples = {
        "train_rows": 3_852,
        "test_rows": 33,
        "all_train_rows": 3_852,
        "all_test_rows": 248,
    }
    said = of_synthetic(None, counted)
    assert said.startswith("All 3,852 training rows and 33 of the 248 test rows are example data")
    assert "not how well the model tells the age of real animals" in said
    assert "real animals." in said
    assert "everything here" not in said

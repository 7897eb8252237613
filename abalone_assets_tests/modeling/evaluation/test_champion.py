from dataclasses import replace

import numpy as np
import pytest

from abalone_assets.modeling.archive import ArchivedModel
from abalone_assets.modeling.dataset import concat, row_keys, take
from abalone_assets.modeling.evaluation.champion import (
    NEW_FILES,
    Champion,
    ChampionScores,
    champion_scores,
)
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.models.out_of_fold import OutOfFold
from abalone_assets_tests.modeling.support import ShellModel, Table, card, judged, out_of_fold, rows

TEST, LEARNT = rows(380, 580), rows(0, 380)


def compared(challenger: ArchivedModel, champion: ArchivedModel) -> ChampionScores:
    predicted = predict_rings(challenger.model, TEST)
    return champion_scores(challenger, Champion("7", champion), TEST, predicted, LEARNT)


def table(columns: Table, shift: float, folds: int = 5) -> OutOfFold:
    return replace(out_of_fold(columns, columns["rings"] + shift), folds=folds)


@pytest.mark.parametrize(
    ("own", "theirs", "why"),
    [
        (None, table(LEARNT, 1), "one of both has no out-of-fold predictions"),
        (table(LEARNT, 1), None, "one of both has no out-of-fold predictions"),
        (table(LEARNT, 0), table(LEARNT, 1, folds=2), "predictions are of 5 folds and of 2"),
        (table(rows(600, 610), 0), table(LEARNT, 1), "predictions are of other rows"),
    ],
)
def test_test_rows_alone_count_without_out_of_fold_tables_to_compare(
    own: OutOfFold | None, theirs: OutOfFold | None, why: str
) -> None:
    champion = judged(0.5, out_of_fold=theirs, card=card(digest="c" * 64))
    scored = compared(judged(out_of_fold=own), champion)
    assert scored["paired"]["overall"] == {**scored["paired"]["test"], "value": "overall"}
    assert scored["paired"]["test"]["rows"] == 200
    assert (scored["test_rows_alone"] or "").endswith(why)
    assert scored["model_sha256"] == "c" * 64
    assert scored["rmse"] == pytest.approx(scored["paired"]["test"]["champion_rmse"])


def test_rows_that_both_learnt_count_by_their_out_of_fold_predictions() -> None:
    challenger = judged(out_of_fold=table(LEARNT, 1.0))
    champion = judged(out_of_fold=table(LEARNT, 2.0))
    paired = compared(challenger, champion)["paired"]
    assert paired["test"]["difference"] == 0  # they answer alike
    assert compared(challenger, champion)["test_rows_alone"] is None
    overall = paired["overall"]
    assert overall["rows"] == 580
    own = (200 * paired["test"]["rmse"] ** 2 + 380 * 1.0**2) / 580
    theirs = (200 * paired["test"]["rmse"] ** 2 + 380 * 2.0**2) / 580
    assert overall["rmse"] == pytest.approx(own**0.5)
    assert overall["champion_rmse"] == pytest.approx(theirs**0.5)
    assert overall["low"] < overall["difference"] < overall["high"] < 0
    for kind in ("sex", "age_band"):
        assert sum(each["rows"] for each in paired["slices"][kind]) == 580


def test_a_champion_answers_plainly_for_rows_that_it_never_saw() -> None:
    old, new = take(LEARNT, np.arange(300)), take(LEARNT, np.arange(300, 380))
    challenger = judged(out_of_fold=table(LEARNT, 0.0))
    champion = judged(2.5, out_of_fold=table(old, 0.0))
    overall = compared(challenger, champion)["paired"]["overall"]
    plainly = concat([TEST, new])
    errors = predict_rings(ShellModel(2.5), plainly) - plainly["rings"]
    assert overall["rows"] == 580
    assert overall["champion_rmse"] == pytest.approx(((errors**2).sum() / 580) ** 0.5)


def test_rows_that_the_challenger_cannot_answer_honestly_do_not_count() -> None:
    some = take(LEARNT, np.arange(50))
    challenger = judged(out_of_fold=table(some, 0.0))
    champion = judged(out_of_fold=table(LEARNT, 0.0))
    assert compared(challenger, champion)["paired"]["overall"]["rows"] == 250


OLD, NEW = rows(0, 300), rows(300, 380, "abalone.20250301120000")
TWO_FILES = concat([OLD, NEW])


def test_tells_the_rows_that_the_champion_knew_from_those_of_new_files() -> None:
    challenger = judged(out_of_fold=table(TWO_FILES, 1.0))
    champion = judged(out_of_fold=table(OLD, 2.0), learnt_rows=row_keys(OLD))
    test = concat([TEST, rows(600, 610, "abalone.20250301120000")])
    predicted = predict_rings(challenger.model, test)
    scored = champion_scores(challenger, Champion("7", champion), test, predicted, TWO_FILES)
    files, paired = scored["known_files"], scored["known_files"]["paired"]
    assert paired is not None
    assert files["new"] is not None
    assert paired["test"] is not None
    assert files["told_by"] == "learnt_rows"
    assert (paired["overall"]["rows"], paired["test"]["rows"], files["new"]["rows"]) == (
        500,
        200,
        90,
    )
    assert scored["paired"]["overall"]["rows"] == 590
    alone = paired["test"]["rmse"] ** 2 * 200
    assert paired["overall"]["rmse"] == pytest.approx(((alone + 300 * 1.0**2) / 500) ** 0.5)
    assert paired["overall"]["champion_rmse"] == pytest.approx(((alone + 300 * 4.0) / 500) ** 0.5)
    assert sum(each["rows"] for each in paired["slices"]["sex"]) == 500
    (new,) = files["new_files"]
    assert new == {**files["new"], "value": "abalone.20250301120000"}


def test_on_rows_that_it_all_knew_the_champion_is_compared_once() -> None:
    challenger = judged(out_of_fold=table(LEARNT, 1.0))
    scored = compared(challenger, judged(out_of_fold=table(LEARNT, 2.0)))
    assert scored["known_files"] == {
        "told_by": "out_of_fold",
        "paired": scored["paired"],
        "new": None,
        "new_files": [],
    }


def test_a_champion_that_knew_none_of_the_rows_is_not_compared_on_known_ones() -> None:
    champion = judged(learnt_rows=row_keys(rows(600, 700)))
    files = compared(judged(), champion)["known_files"]
    assert files["paired"] is None
    assert files["new"] is not None
    assert files["new"]["rows"] == 200


def test_the_new_files_with_the_most_rows_are_told_one_by_one() -> None:
    many = concat([rows(n, n + 1 + n % 3, f"abalone.2025030112{n:02}00") for n in range(15)])
    challenger = judged(out_of_fold=table(many, 1.0))
    champion = judged(out_of_fold=table(OLD, 2.0), learnt_rows=row_keys(rows(600, 700)))
    scored = champion_scores(
        challenger, Champion("7", champion), TEST, predict_rings(challenger.model, TEST), many
    )
    told = scored["known_files"]["new_files"]
    assert len(told) == NEW_FILES
    assert [each["rows"] for each in told] == [200, *[3] * 5, *[2] * 4]

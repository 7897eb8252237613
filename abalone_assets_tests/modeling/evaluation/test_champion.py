from dataclasses import replace

import numpy as np
import pytest

from abalone_assets.modeling.archive import ArchivedModel
from abalone_assets.modeling.dataset import concat, take
from abalone_assets.modeling.evaluation.champion import Champion, ChampionScores, champion_scores
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

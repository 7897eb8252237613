import numpy as np
import pytest

from abalone_assets.modeling.dataset import concat, row_keys, take
from abalone_assets.modeling.evaluation.known_rows import known_rows
from abalone_assets_tests.modeling.support import Table, judged, out_of_fold, rows

BASE, NEW = rows(0, 300), rows(300, 400, "abalone.20250301120000")
TEST = concat([rows(400, 440), rows(440, 450, "abalone.20250301120000")])
KNOWS_BASE = judged(learnt_rows=row_keys(BASE))


def renamed(columns: Table, file: str) -> Table:
    return {**columns, "source_file": np.full(columns["sex"].size, file, dtype=object)}


def edited(columns: Table, count: int) -> Table:
    """The same file landed again, its first rows with other rings."""
    rings = np.where(np.arange(columns["rings"].size) < count, 29, columns["rings"])
    return {**columns, "rings": rings}


def test_rows_are_known_one_by_one_and_test_rows_by_their_file() -> None:
    known = known_rows(KNOWS_BASE, concat([BASE, NEW]), TEST)
    assert known.told_by == "learnt_rows"
    assert known.learnt.tolist() == [True] * 300 + [False] * 100
    assert known.test.tolist() == [True] * 40 + [False] * 10


def test_an_archive_of_an_older_release_tells_by_its_out_of_fold_predictions() -> None:
    older = judged(out_of_fold=out_of_fold(BASE, BASE["rings"]))
    known = known_rows(older, concat([BASE, NEW]), TEST)
    assert known.told_by == "out_of_fold"
    assert known.learnt.sum() == 300
    assert known.test.sum() == 40


def test_without_either_nothing_is_known() -> None:
    known = known_rows(judged(), BASE, TEST)
    assert known.told_by is None
    assert not known.learnt.any()
    assert not known.test.any()


def test_a_file_is_known_by_its_rows_whatever_its_name() -> None:
    known = known_rows(KNOWS_BASE, renamed(BASE, "abalone.1"), renamed(rows(400, 440), "abalone.1"))
    assert known.learnt.all()
    assert known.test.all()


@pytest.mark.parametrize(("count", "still"), [(0, 40), (3, 40), (4, 0), (300, 0)])
def test_a_file_with_other_rows_under_its_old_name_is_a_new_one(count: int, still: int) -> None:
    known = known_rows(KNOWS_BASE, edited(BASE, count), rows(400, 440))
    assert known.learnt.sum() == 300 - count
    assert known.test.sum() == still


def test_rows_appended_to_a_known_file_are_new_and_so_are_its_test_rows() -> None:
    known = known_rows(KNOWS_BASE, concat([BASE, renamed(NEW, "abalone.data")]), rows(400, 440))
    assert known.learnt.sum() == 300
    assert not known.test.any()


def test_files_that_are_gone_do_not_matter() -> None:
    knows_more = judged(learnt_rows=row_keys(concat([BASE, NEW])))
    known = known_rows(knows_more, BASE, rows(400, 440))
    assert known.learnt.all()
    assert known.test.all()


def test_splits_that_do_not_tell_files_are_one_file() -> None:
    bare = {name: values for name, values in BASE.items() if name != "source_file"}
    known = known_rows(KNOWS_BASE, bare, take(bare, np.arange(5)))
    assert known.learnt.all()
    assert known.test.all()

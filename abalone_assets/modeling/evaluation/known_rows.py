"""What another model already knew of the rows that it is compared on.

A model is at a disadvantage on rows of survey files that came after it. Are these wrong, with
weights in another unit, a challenger that learnt them looks far better, and is no better at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.modeling.dataset import row_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.features import Columns

KNOWN_FILE_SHARE: Final = 0.99
"""Share of a file's rows that a model must have learnt to know the file.

Its test rows, which nobody learns, count by that. So a correction of a few rows makes no new file
of a survey, and rows appended to it, or put in their place, do.
"""


@dataclass(frozen=True)
class KnownRows:
    """Which rows a model knew.

    Attributes:
        told_by: What tells: ``learnt_rows``, or ``out_of_fold`` in archives without these; None
            where neither is there, and no row counts as known.
        learnt: For each row of training and validation, whether the model learnt it too, ``(n,)``.
        test: For each test row, whether its file is one that the model knew, ``(m,)``.
    """

    told_by: str | None
    learnt: NDArray[np.bool_]
    test: NDArray[np.bool_]


def known_rows(model: ArchivedModel, learnt: Columns, test: Columns) -> KnownRows:
    """Which of today's rows a model knew when it was trained.

    A row is known by its content, whatever file it is in: a file that was landed again under its
    old name with other values is a new one, and one that was only renamed is not.

    Args:
        model: The champion or the reference.
        learnt: Today's surveyed rows of training and validation, with ``source_file``.
        test: Today's surveyed test rows, likewise.
    """
    keys, told_by = model.learnt_rows, "learnt_rows"
    if keys is None and model.out_of_fold is not None:
        keys, told_by = model.out_of_fold.keys, "out_of_fold"
    if keys is None:
        nothing = (np.zeros(source_files(part).size, dtype=np.bool_) for part in (learnt, test))
        return KnownRows(None, *nothing)
    known = np.isin(row_keys(learnt), keys)
    files, file_of = np.unique(source_files(learnt), return_inverse=True)
    share = np.bincount(file_of, known, files.size) / np.bincount(file_of, minlength=files.size)
    return KnownRows(told_by, known, np.isin(source_files(test), files[share >= KNOWN_FILE_SHARE]))


def source_files(columns: Columns) -> NDArray[np.str_]:
    """The name of each row's file, ``(n,)``; empty where splits do not tell."""
    count = len(next(iter(columns.values())))
    return np.asarray(columns.get("source_file", [""] * count), dtype=np.str_)

"""A model as its archive holds it: what answers, and what was recorded of it in training."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from abalone_assets.modeling.archive import extract, read_card
from abalone_assets.modeling.models.model import load_intervals, load_model, load_out_of_fold

if TYPE_CHECKING:
    from abalone_assets.modeling.card import ModelCard
    from abalone_assets.modeling.models.intervals import Intervals
    from abalone_assets.modeling.models.model import Model
    from abalone_assets.modeling.models.out_of_fold import OutOfFold


@dataclass(frozen=True)
class ArchivedModel:
    """A model with its papers.

    Attributes:
        model: What answers.
        card: Where it comes from.
        intervals: Its prediction intervals, where it has any.
        out_of_fold: What models like it predicted for rows that they had not learnt from, where it
            has that table.
    """

    model: Model
    card: ModelCard
    intervals: Intervals | None = None
    out_of_fold: OutOfFold | None = None


def read_archived(archive: Path) -> ArchivedModel:
    """Read ``model.tar.gz``.

    Raises:
        ModelArchiveError: It is missing, damaged, or of a kind that this version does not know.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        extract(archive, folder)
        return ArchivedModel(
            load_model(folder), read_card(archive), load_intervals(folder), load_out_of_fold(folder)
        )

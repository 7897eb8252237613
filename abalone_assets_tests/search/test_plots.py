"""Pictures of a study are pictures, also of one that has hardly begun."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from matplotlib.image import imread

from abalone_assets.search import SPACES, Proposal, Study, StudyPlan, Trial
from abalone_assets.search.report import study_plots
from abalone_assets.search.spaces import searched_of
from abalone_assets.search.trials import suggest
from abalone_assets_tests.search.support import TODAY, trial

PROPOSAL = Proposal("blend", {}, 2.0, 2.0, 0.0, 0.0, 0.0, recommended=False)


def studied(count: int) -> Study:
    ran: list[Trial] = []
    for part in ("booster", "kernel"):
        of_part = [trial(part, 0, 2.3, **searched_of(TODAY, part))]
        for number in range(1, count):
            chosen = suggest(SPACES[part], of_part, seed=0)
            of_part.append(trial(part, number, 2 + 0.1 * (number % 7), **chosen))
        if count > 5:
            of_part[5] = replace(of_part[5], state="pruned")
        ran += of_part
    return Study(StudyPlan(), 100, tuple(ran), PROPOSAL)


@pytest.mark.parametrize("count", [1, 12])
def test_draws_the_history_the_importances_and_a_slice_of_each_part(count: int) -> None:
    pictures = study_plots(studied(count))
    assert list(pictures) == ["history", "importances", "booster_slices", "kernel_slices"]
    for picture in pictures.values():
        assert imread(io.BytesIO(picture), format="png").shape[0] > 200
        assert len(picture) < 80_000

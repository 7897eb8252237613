"""What is searched follows from the hyperparameters, and is what it was."""

import pytest

from abalone_assets.search import PARTS, SPACES, SearchError, searched_framework
from abalone_assets.search.spaces import Dimension


def test_spaces_are_those_by_which_studies_are_known() -> None:
    """Another one would begin every study anew, also one that was cut short."""
    assert PARTS["blend"] == ("booster", "kernel")
    assert PARTS["xgboost"] == ("booster",)
    assert {
        "booster": (
            Dimension("eta", 0.01, 0.3, log=True),
            Dimension("max_depth", 2, 6),
            Dimension("subsample", 0.4, 1.0),
            Dimension("colsample_bytree", 0.3, 1.0),
            Dimension("min_child_weight", 1.0, 100.0, log=True),
            Dimension("reg_lambda", 0.1, 100.0, log=True),
            Dimension("num_boost_round", 50, 800, step=10),
        ),
        "kernel": (
            Dimension("length_scale", 2.0, 40.0, log=True),
            Dimension("noise", 0.03, 5.0, log=True),
        ),
    } == {part: SPACES[part] for part in PARTS["blend"]}


def test_what_is_not_searched_says_what_is() -> None:
    assert searched_framework("xgboost") == "xgboost"
    with pytest.raises(SearchError, match="tensorflow, which is not searched: choose blend or xgb"):
        searched_framework("tensorflow")

"""Made-up evaluations for the gate to judge, and comparisons in them."""

from typing import Any, get_args

from abalone_assets.modeling.evaluation.gate_rules import Approving

TOUCHED = ("misplaced", "leaked", "missing", "foreign")
INTACT = {**dict.fromkeys(TOUCHED, 0), "near_twins": 0, "surveyed": 4177}
APPROVING = get_args(Approving)


def comparison(difference: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    """A model against a champion with an RMSE of 2 rings on the same 4,177 rows."""
    numbers = {"rmse": 2 + difference, "champion_rmse": 2.0, "difference": difference}
    return {"value": "all", "rows": 4177, **numbers, "low": low, "high": high, **changes}


EQUAL = comparison(0.0, -0.01, 0.01)
BETTER = comparison(-0.012, -0.020, -0.004)


def champion(overall: Any = EQUAL, test: Any = EQUAL, **slices: Any) -> dict[str, Any]:
    groups = {"sex": [EQUAL], "age_band": [EQUAL], **slices}
    paired = {"overall": overall, "test": test, "slices": groups}
    return {"version": "3", "rmse": 2.1, "model_sha256": "old", "paired": paired}


def reference(overall: Any = EQUAL) -> dict[str, Any]:
    """An older version that the model is held against as well."""
    return {**champion(overall), "version": "2"}


def part(difference: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    """A champion that the model holds against but for one sex."""
    return champion(sex=[comparison(difference, low, high, value="F", **changes)])


FIRST: dict[str, Any] = {
    "rmse": 2.1,
    "rows": 209,
    "split": INTACT,
    "trained_on_train_split": True,
    "model_sha256": "new",
    "champion": None,
    "reference": None,
}


def folds(low: object, **changes: Any) -> dict[str, Any]:
    """An RMSE of 2 rings out of fold, and a low end of its interval on the test split."""
    told = {"out_of_fold": {"rows": 3968, "folds": 5, "rmse": 2.0}, "rmse": 2.45}
    return {**told, "confidence": {"rmse": [low, 2.6]}, **changes}

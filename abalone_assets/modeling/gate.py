"""The gate: whether an evaluated model may replace the champion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from abalone_assets.errors import AbaloneError

MAX_RMSE: Final = 2.5
"""In rings; predicting the mean scores about 3.2, so this asks for a model that has learnt."""

CHAMPION_TOLERANCE: Final = 0.02
"""How much worse, as a share of the champion's RMSE, counts as equal on a small test split."""


class GateError(AbaloneError):
    """The gate's own limits make no sense."""


@dataclass(frozen=True)
class Decision:
    """What the gate decided, and why.

    Attributes:
        approved: Whether the model may answer requests.
        reason: One sentence with the numbers.
        rule: The rule that decided: ``unusable_rmse``, ``above_max_rmse``,
            ``unusable_champion_rmse`` or ``worse_than_champion`` against the model; ``unchanged``,
            ``first_model`` or ``holds_against_champion`` in its favour.
    """

    approved: bool
    reason: str
    rule: str


def decide(
    evaluation: Mapping[str, Any],
    *,
    max_rmse: float = MAX_RMSE,
    champion_tolerance: float = CHAMPION_TOLERANCE,
) -> Decision:
    """Approve a model that is good enough and holds against the champion.

    That is: its RMSE is at most ``max_rmse``, and at most ``1 + champion_tolerance`` times the
    champion's RMSE on the same test rows. A number that is missing, negative or
    not finite never approves. The champion itself, trained again, is approved as unchanged.

    Args:
        evaluation: As `evaluation.evaluate_model` returns it.
        max_rmse: In rings.
        champion_tolerance: A share, 0 for none.

    Raises:
        GateError: A limit is negative or not finite.
    """
    if not (_usable(max_rmse) and _usable(champion_tolerance)):
        raise GateError(
            f"the gate needs limits of 0 or more, not {max_rmse=}, {champion_tolerance=}"
        )
    score = evaluation.get("rmse")
    if not _usable(score):
        return _rejected(f"the evaluation's RMSE is {score}", "unusable_rmse")
    if score > max_rmse:
        return _rejected(f"RMSE {score:.3f} is above the limit of {max_rmse:g}", "above_max_rmse")
    within = f"RMSE {score:.3f} is within the limit of {max_rmse:g}"
    champion = evaluation.get("champion")
    if champion is None:
        return _approved(f"{within} and there is no champion yet", "first_model")
    return _against(champion, evaluation, within, champion_tolerance)


def _against(
    champion: Mapping[str, Any], evaluation: Mapping[str, Any], within: str, tolerance: float
) -> Decision:
    name, score, best = (
        f"version {champion.get('version')}",
        evaluation["rmse"],
        champion.get("rmse"),
    )
    if not _usable(best):
        return _rejected(f"the RMSE of champion {name} is {best}", "unusable_champion_rmse")
    digest = evaluation.get("model_sha256")
    if digest and digest == champion.get("model_sha256"):
        return _approved(f"{within} and the model is champion {name}, unchanged", "unchanged")
    bar = best * (1 + tolerance)
    numbers = f"{bar:.3f} (champion {name} {best:.3f} plus {tolerance:.1%})"
    if score > bar:
        return _rejected(f"RMSE {score:.3f} is above {numbers}", "worse_than_champion")
    return _approved(f"{within} and not above {numbers}", "holds_against_champion")


def _approved(why: str, rule: str) -> Decision:
    return Decision(approved=True, reason=f"Approved: {why}.", rule=rule)


def _rejected(why: str, rule: str) -> Decision:
    return Decision(approved=False, reason=f"Rejected: {why}.", rule=rule)


def _usable(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value >= 0

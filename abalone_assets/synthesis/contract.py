"""Simulated surveys that obey the survey contract: read off instruments, judged, drawn again.

What a synthesizer draws is rounded to the instruments' steps, as every reading is. Values that fall
off the range of an instrument are clipped to it, and rows that break a rule are drawn again; both
are counted by reason, so that a bad synthesizer cannot hide behind its filter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.dataset import COLUMN_NAMES, concat, row_keys, take
from abalone_assets.synthesis import SynthesisError
from abalone_assets.synthesis.representation import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.synthesis.synthesizer import Synthesizer

MAX_DRAWS_PER_ROW: Final = 20
"""A synthesizer of whose rows fewer than one in twenty obeys the contract has learnt nothing."""

_SPARE_DRAWS: Final = 1000
_MIN_DRAW: Final = 64


@dataclass(frozen=True)
class SimulatedRows:
    """Rows that obey the contract, and what it took to get them.

    Attributes:
        columns: The nine survey columns, canonical as `survey.parse_survey` would read them.
        drawn: Rows that were drawn, the rejected included.
        rejected: Rows that were drawn again, by the first rule they broke.
        repaired: Rows among all drawn with a value that was clipped, by what was clipped.
    """

    columns: dict[str, NDArray[Any]]
    drawn: int
    rejected: Mapping[str, int]
    repaired: Mapping[str, int]

    @property
    def rows(self) -> int:
        """How many obey the contract."""
        return len(self.columns["sex"])

    @property
    def rejected_share(self) -> float:
        """Of the rows drawn."""
        return sum(self.rejected.values()) / self.drawn

    @property
    def repaired_share(self) -> float:
        """Clipped values per row drawn."""
        return sum(self.repaired.values()) / self.drawn


def simulate(
    synthesizer: Synthesizer, rows: int, rng: np.random.Generator, real: Columns
) -> SimulatedRows:
    """Draw rows until as many as wanted obey the contract; none repeats a real one.

    Raises:
        SynthesisError: Too few of the rows drawn obey the contract, or none are wanted.
    """
    if rows < 1:
        raise SynthesisError(f"cannot simulate {rows} rows: ask for 1 at least")
    taken = np.unique(row_keys(real))
    kept: list[dict[str, NDArray[Any]]] = []
    rejected, repaired = Counter[str](), Counter[str]()
    drawn = missing = 0
    while (missing := rows - sum(len(part["sex"]) for part in kept)) > 0:
        if drawn > MAX_DRAWS_PER_ROW * rows + _SPARE_DRAWS:
            raise SynthesisError(_exhausted(synthesizer, rows, drawn, missing, rejected))
        size = max(_MIN_DRAW, missing + missing // 8)
        read, clipped = read_off(synthesizer.sample(size, rng))
        verdicts, keys = judge(read, taken)
        accepted = np.flatnonzero(verdicts == "")[:missing]
        # Rows behind the last one that is needed were never asked for.
        looked_at = size if accepted.size < missing else int(accepted[-1]) + 1
        drawn += looked_at
        rejected.update(str(rule) for rule in verdicts[:looked_at] if rule)
        repaired.update({name: int(mask[:looked_at].sum()) for name, mask in clipped.items()})
        taken = np.union1d(taken, keys[accepted])
        kept.append(take(read, accepted))
    return SimulatedRows(
        concat(kept), drawn, dict(rejected), {k: v for k, v in repaired.items() if v}
    )


def read_off(
    columns: Columns,
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.bool_]]]:
    """Animals as the instruments show them, and which rows had a value clipped, by column.

    Measurements are rounded to their step, rings to whole ones. Nothing measurable is below one
    step, so less is clipped to that; rings are clipped to 1 to ``survey.MAX_RINGS``.
    """
    read: dict[str, NDArray[Any]] = {"sex": np.asarray(columns["sex"], dtype=object)}
    clipped: dict[str, NDArray[np.bool_]] = {}
    for name, step in STEPS.items():
        steps = np.rint(np.asarray(columns[name], dtype=np.float64) / step)
        clipped[f"{name}_below_one_step"] = steps < 1
        read[name] = np.round(np.maximum(steps, 1) * step, survey.MEASUREMENT_DECIMALS)
    rings = np.rint(np.asarray(columns[survey.TARGET], dtype=np.float64))
    within = np.clip(rings, 1, survey.MAX_RINGS)
    clipped["rings_out_of_range"] = within != rings
    read[survey.TARGET] = within.astype(np.int64)
    return {name: read[name] for name in COLUMN_NAMES}, clipped


def judge(
    columns: Columns, taken: NDArray[np.uint64]
) -> tuple[NDArray[np.object_], NDArray[np.uint64]]:
    """The first rule that each row breaks, ``""`` for none, and the rows' keys.

    The soft rules of the contract count here as hard ones: a simulation has no excuse. They leave
    parts alone that outweigh the whole by up to 5 %, as do those of 1 in 27 real animals.

    Args:
        columns: Rows as `read_off` gives them.
        taken: Sorted keys of the rows that may not occur again.
    """
    keys = row_keys(columns)
    verdicts = np.full(keys.size, "", dtype=object)
    for column in survey.COLUMNS:
        if column.name in survey.MEASUREMENTS and column.maximum is not None:
            values = np.asarray(columns[column.name], dtype=np.float64)
            # Put so that a value that is no number is above it as well.
            _tell(verdicts, ~(values <= column.maximum), f"{column.name}_above_maximum")
    for rule in survey.SOFT_RULES:
        _tell(verdicts, np.asarray(rule.is_violated(columns)), rule.name)
    _tell(verdicts, np.isin(keys, taken), "repeats_a_row")
    repeats = np.ones(keys.size, dtype=bool)
    repeats[np.unique(keys, return_index=True)[1]] = False
    _tell(verdicts, repeats, "repeats_a_row")
    return verdicts, keys


def _tell(verdicts: NDArray[np.object_], broken: NDArray[np.bool_], rule: str) -> None:
    verdicts[broken & (verdicts == "")] = rule


def _exhausted(
    synthesizer: Synthesizer, rows: int, drawn: int, missing: int, rejected: Counter[str]
) -> str:
    reasons = ", ".join(f"{rule} {count:,}" for rule, count in rejected.most_common(3))
    return (
        f"after {drawn:,} draws {missing:,} of {rows:,} rows are still missing (rejected: {reasons}"
        f"): this {synthesizer.facts.recipe} has not learnt what an abalone is; fit it with more "
        "epochs or another seed, use the recipe copula, or ask for fewer rows"
    )

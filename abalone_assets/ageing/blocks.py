"""Some records of a file of animals, as they are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from abalone_assets.survey import QuarantinedRow


@dataclass(frozen=True)
class Block:
    """Some records of a file, in their order.

    Attributes:
        columns: Sex and the seven measurements, canonical, ``n`` values each.
        lines: The physical line, from 1, where each of the ``n`` rows starts.
        bad: The records that broke a rule.
    """

    columns: Sequence[Sequence[Any]]
    lines: NDArray[np.int64]
    bad: Sequence[QuarantinedRow] = ()


def one_block(blocks: Sequence[Block]) -> Block:
    """All rows and bad records of some blocks, at least one, in the order of their lines."""
    bad = [row for each in blocks for row in each.bad]
    filled = [each for each in blocks if len(each.lines)] or blocks[:1]
    if len(filled) == 1:
        return replace(filled[0], bad=bad)
    sexes: NDArray[Any] = np.array(
        [sex for each in filled for sex in each.columns[0]], dtype=object
    )
    columns: list[NDArray[Any]] = [sexes]
    columns += (
        np.concatenate([np.asarray(each.columns[at], dtype=np.float64) for each in filled])
        for at in range(1, len(filled[0].columns))
    )
    lines = np.concatenate([each.lines for each in filled])
    order = np.argsort(lines, kind="stable")
    ordered: list[Any] = [column[order] for column in columns]
    return Block(ordered, lines[order], bad)

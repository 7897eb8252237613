"""Boosted trees as arrays: a few rows are answered by NumPy in a tenth of XGBoost's time.

XGBoost answers thousands of rows faster, but a single one costs it a quarter of a millisecond
before it looks at a tree. Both give the same bits.
"""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from xgboost import Booster

OBJECTIVE: Final = "count:poisson"
"""Rings are a count whose spread grows with its mean, and a prediction must be positive.

The answer is the exponential of what the trees add up to."""

PROBES: Final = 64
"""Rows on which arrays and XGBoost must agree, each bit, before the arrays are used."""


@dataclass(frozen=True)
class Trees:
    """Trees whose leaves add up to a logarithm; all nodes of all trees in one numbering.

    Attributes:
        roots: Of each tree, ``(trees,)``.
        depth: Steps from a root to the deepest leaf.
        children: Left and right child of each node, ``(2 * nodes,)``; a leaf's is itself.
        feature: The column that an inner node looks at, ``(nodes,)``.
        value: Below it an inner node goes left; what a leaf adds; ``(nodes,)``.
        start: What leaves are added to.
    """

    roots: NDArray[np.intp]
    depth: int
    children: NDArray[np.intp]
    feature: NDArray[np.intp]
    value: NDArray[np.float32]
    start: np.float32

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the trees make of each row of a design matrix, ``(n,)``."""
        rows = np.arange(len(matrix))[:, np.newaxis]
        node = np.broadcast_to(self.roots, (len(matrix), self.roots.size))
        for _ in range(self.depth):
            right = matrix[rows, self.feature[node]] >= self.value[node]
            node = self.children[2 * node + right]
        parts = np.empty((len(matrix), self.roots.size + 1), dtype=np.float32)
        parts[:, 0], parts[:, 1:] = self.start, self.value[node]
        # One after the other as XGBoost does; `sum` would add pairs, and round otherwise.
        logs = np.add.accumulate(parts, axis=1)[:, -1]
        return np.asarray([*map(_expf(), logs.tolist())], dtype=np.float32)


def compiled(booster: Booster) -> Trees | None:
    """The booster's trees as arrays; None when these do not answer as the booster does.

    Such as when it has another objective or categories, or a release of XGBoost describes trees or
    adds them up otherwise.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    try:
        if learner["objective"]["name"] != OBJECTIVE:
            return None
        parts = [_nodes(tree) for tree in learner["gradient_booster"]["model"]["trees"]]
        told = json.loads(learner["learner_model_param"]["base_score"])
        start = np.float32(np.log(told[0] if isinstance(told, list) else told))
        trees = _joined(parts, start)
        probes = _probes(trees, booster.num_features())
        answers = trees.predict(probes)
    except (LookupError, TypeError, ValueError, AttributeError, OSError):
        return None
    return trees if np.array_equal(answers, booster.inplace_predict(probes)) else None


@cache
def _expf() -> Callable[[float], float]:
    """The C library's exponential of single precision, which XGBoost calls; NumPy's rounds else."""
    function = ctypes.CDLL(None).expf
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return function


def _nodes(tree: dict[str, Any]) -> tuple[NDArray[Any], ...]:
    """Left child, right child, feature and value of each node."""
    names = ("left_children", "right_children", "split_indices", "split_conditions")
    return tuple(np.asarray(tree[name]) for name in names)


def _joined(parts: Sequence[tuple[NDArray[Any], ...]], start: np.float32) -> Trees:
    sizes = [part[0].size for part in parts]
    roots = np.cumsum([0, *sizes[:-1]])
    left, right, feature, value = map(np.concatenate, zip(*parts, strict=True))
    leaf, own, root = left < 0, np.arange(left.size), np.repeat(roots, sizes)
    children = np.column_stack([np.where(leaf, own, side + root) for side in (left, right)])
    node, depth = roots, 0
    while not leaf[node].all():
        node, depth = children[node[~leaf[node]]].ravel(), depth + 1
    return Trees(
        roots=roots,
        depth=depth,
        children=children.ravel(),
        feature=np.where(leaf, 0, feature),
        value=value.astype(np.float32),
        start=start,
    )


def _probes(trees: Trees, features: int) -> NDArray[np.float32]:
    """Rows of thresholds, so that as many as can be are met, passed and missed by a hair."""
    random = np.random.default_rng(0)
    probes = random.standard_normal((PROBES, features)).astype(np.float32)
    inner = trees.children[::2] != np.arange(trees.value.size)
    for feature in range(features):
        known = trees.value[inner & (trees.feature == feature)]
        if known.size:
            drawn = random.choice(known, PROBES)
            ways = [drawn, np.nextafter(drawn, np.float32(-np.inf)), np.nextafter(drawn, 1e9)]
            probes[:, feature] = np.choose(random.integers(3, size=PROBES), ways)
    return probes

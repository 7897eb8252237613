"""The mean of boosted trees and a kernel regression, which err in different places.

Trees cut at thresholds and cannot slope; a kernel slopes and cannot cut. On the UCI survey their
mean has a cross-validated RMSE of 2.03 rings, where either alone has 2.04.

This module needs NumPy and XGBoost only and travels inside every model archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.modeling.features import FEATURE_NAMES
from abalone_assets.modeling.models.booster import BoosterModel, read_booster
from abalone_assets.modeling.models.kernel import KernelModel, kernel_from
from abalone_assets.modeling.models.npz import read_npz, to_npz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

BLEND_FILE: Final = "blend.npz"
"""Its file in an archive."""


@dataclass(frozen=True)
class BlendModel:
    """A weighted mean of two models' rings; see `model.Model`.

    Attributes:
        booster: The trees.
        kernel: The kernel regression.
        booster_share: Weight of the trees in the mean, 0 to 1.
    """

    booster: BoosterModel
    kernel: KernelModel
    booster_share: float

    @cached_property
    def features(self) -> tuple[str, ...]:
        """What either part was trained on."""
        wanted = {*self.booster.features, *self.kernel.features}
        known = [name for name in FEATURE_NAMES if name in wanted]
        return (*known, *sorted(wanted.difference(known)))

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The rings predicted for each row of a design matrix of its features."""
        trees = self.booster.predict(self._columns_of(self.booster, matrix))
        likeness = self.kernel.predict(self._columns_of(self.kernel, matrix))
        return self.booster_share * trees + (1 - self.booster_share) * likeness

    def importance(self) -> dict[str, float]:
        """Mean gain of the trees' splits on each feature that they see."""
        return self.booster.importance()

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to ``ln(rings)`` in the trees, as `BoosterModel` tells.

        A feature that only the kernel regression sees has 0.
        """
        own = self.booster.contributions(self._columns_of(self.booster, matrix))
        everywhere = np.zeros((len(matrix), len(self.features) + 1))
        everywhere[:, [*self._places[self.booster.features], -1]] = own
        return everywhere

    def to_npz(self) -> bytes:
        """Its file: NumPy's ``.npz`` without pickles, the same bytes for the same blend."""
        kernel = {f"kernel_{name}": array for name, array in self.kernel.arrays().items()}
        booster = np.frombuffer(self.booster.to_ubj(), dtype=np.uint8)
        return to_npz({"booster": booster, "booster_share": self.booster_share, **kernel})

    def _columns_of(
        self, part: BoosterModel | KernelModel, matrix: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        return np.ascontiguousarray(matrix[:, self._places[part.features]])

    @cached_property
    def _places(self) -> dict[tuple[str, ...], list[int]]:
        """Where the features of either part are in a matrix of all."""
        places = {name: place for place, name in enumerate(self.features)}
        return {
            part.features: [places[name] for name in part.features]
            for part in (self.booster, self.kernel)
        }


def read_blend(data: bytes, path: Path) -> BlendModel:
    """A blend from the file that `BlendModel.to_npz` wrote.

    Args:
        data: The file's content, known to be undamaged.
        path: The file, for errors.

    Raises:
        ModelArchiveError: It is no such file, or its arrays do not fit together.
    """
    with read_npz(data, f"{path}: not a blend") as arrays:
        of_kernel = [name for name in arrays if name.startswith("kernel_")]
        kernel = {name.removeprefix("kernel_"): arrays[name] for name in of_kernel}
        share = float(arrays["booster_share"])
        if not 0 <= share <= 1:
            raise ValueError(f"the share of its trees is {share}")
        booster = read_booster(arrays["booster"].tobytes(), path)
        return BlendModel(booster, kernel_from(kernel), share)

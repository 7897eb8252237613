"""The mean of boosted trees and a kernel regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.framework import ModelFramework, Part
from abalone_assets.modeling.hyperparameters import BoosterHyperparameters, KernelHyperparameters
from abalone_assets.modeling.models.blend import BLEND_FILE, read_blend
from abalone_assets.modeling.models.trees import OBJECTIVE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import BlendHyperparameters
    from abalone_assets.modeling.learnt import Learnt
    from abalone_assets.modeling.models.blend import BlendModel


class Blend(ModelFramework):
    """Both, and their mean; see `training.train_blend`."""

    file = BLEND_FILE
    objective = f"{OBJECTIVE} and squared error of ln(rings)"
    log_every = 50

    @property
    def parts(self) -> Mapping[str, Part]:
        """Trees and kernel, each by itself."""
        from abalone_assets.modeling.training.train_booster import fit_booster
        from abalone_assets.modeling.training.train_kernel import fit_kernel

        return {
            "booster": Part(BoosterHyperparameters, fit_booster),
            "kernel": Part(KernelHyperparameters, fit_kernel),
        }

    def fit(
        self, columns: Columns, weights: NDArray[np.float64], chosen: BlendHyperparameters
    ) -> BlendModel:
        """Fit both parts, without watching."""
        from abalone_assets.modeling.training.train_blend import fit_blend

        return fit_blend(columns, weights, chosen)

    def learn(self, *arguments: Any) -> Learnt:  # noqa: ANN401 - as they are
        """Fit both parts, and watch the trees."""
        from abalone_assets.modeling.training.train_blend import learn

        return learn(*arguments)

    def to_bytes(self, model: BlendModel) -> bytes:
        """NumPy's ``.npz``."""
        return model.to_npz()

    def read(self, data: bytes, path: Path) -> BlendModel:
        """A blend from its file."""
        return read_blend(data, path)

    def versions(self) -> dict[str, str]:
        """``{"xgboost": version}``."""
        from abalone_assets.modeling.training.train_booster import booster_versions

        return booster_versions()


FRAMEWORK: Final = Blend()

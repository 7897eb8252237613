"""XGBoost's boosted trees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.framework import ModelFramework, Part
from abalone_assets.modeling.models.booster import BOOSTER_FILE, read_booster
from abalone_assets.modeling.models.trees import OBJECTIVE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import BoosterHyperparameters
    from abalone_assets.modeling.learnt import Learnt
    from abalone_assets.modeling.models.booster import BoosterModel


class XGBoost(ModelFramework):
    """Boosted trees; see `training.train_booster`."""

    file = BOOSTER_FILE
    objective = OBJECTIVE
    log_every = 50

    @property
    def parts(self) -> Mapping[str, Part]:
        """The trees."""
        return {"booster": Part(self.hyperparameters, self.fit)}

    def fit(
        self, columns: Columns, weights: NDArray[np.float64], chosen: BoosterHyperparameters
    ) -> BoosterModel:
        """Boost without watching."""
        from abalone_assets.modeling.training.train_booster import fit_booster

        return fit_booster(columns, weights, chosen)

    def learn(self, *arguments: Any) -> Learnt:  # noqa: ANN401 - as they are
        """Boost, and watch every round."""
        from abalone_assets.modeling.training.train_booster import learn

        return learn(*arguments)

    def to_bytes(self, model: BoosterModel) -> bytes:
        """XGBoost's UBJSON."""
        return model.to_ubj()

    def read(self, data: bytes, path: Path) -> BoosterModel:
        """A model from XGBoost's UBJSON."""
        return read_booster(data, path)

    def versions(self) -> dict[str, str]:
        """``{"xgboost": version}``."""
        from abalone_assets.modeling.training.train_booster import booster_versions

        return booster_versions()


FRAMEWORK: Final = XGBoost()

"""A dense network in Keras 3, for any backend; named as SageMaker's container that trains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.framework import ModelFramework
from abalone_assets.modeling.models.network import NETWORK_FILE, read_network

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import NetworkHyperparameters
    from abalone_assets.modeling.learnt import Learnt
    from abalone_assets.modeling.models.model import Model
    from abalone_assets.modeling.models.network import NetworkModel


class Network(ModelFramework):
    """Keras learns, NumPy answers; see `training.train_network`."""

    file = NETWORK_FILE
    objective = "mean_squared_error"
    container = "tensorflow"
    extra = "keras"
    log_every = 10
    fits_side_by_side = False  # Keras has one state for all
    refits = False

    def fit(
        self, columns: Columns, weights: NDArray[np.float64], chosen: NetworkHyperparameters
    ) -> Model:
        """The network that `learn` makes of the same rows."""
        from abalone_assets.modeling.training.train_network import fit_network

        return fit_network(columns, weights, chosen)

    def learn(self, *arguments: Any) -> Learnt:  # noqa: ANN401 - as they are
        """Learn, watch every epoch, and keep Keras' own file, too."""
        from abalone_assets.modeling.training.train_network import learn

        return learn(*arguments)

    def to_bytes(self, model: NetworkModel) -> bytes:
        """NumPy's ``.npz``."""
        return model.to_npz()

    def read(self, data: bytes, path: Path) -> NetworkModel:
        """A network from its file."""
        return read_network(data, path)

    def versions(self) -> dict[str, str]:
        """Of Keras and of its backend."""
        from abalone_assets.modeling.training.train_network import network_versions

        return network_versions()


FRAMEWORK: Final = Network()

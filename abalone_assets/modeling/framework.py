"""What the platform asks of a framework: how it fits, what it keeps, how that answers again.

Each is the ``FRAMEWORK`` of a module of `modeling.frameworks` that is called like it, and loads
when it is asked for. The modules travel inside every model archive: at import they need NumPy only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from abalone_assets.modeling.hyperparameters import HYPERPARAMETERS, HyperparameterError, is_tried

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import CommonHyperparameters, Framework
    from abalone_assets.modeling.learnt import Learnt, Progress
    from abalone_assets.modeling.models.model import Model

Fit = Callable[..., Any]
"""``fit(columns, weights, chosen)``, as `ModelFramework.fit`."""


@dataclass(frozen=True)
class Part:
    """What a search for hyperparameters tunes by itself, as if it stood alone.

    Attributes:
        hyperparameters: Its own; those that are tried say so.
        fit: How it is fitted alone.
    """

    hyperparameters: type[CommonHyperparameters]
    fit: Fit


class ModelFramework(ABC):
    """A framework.

    Attributes:
        file: The file of an archive that answers requests.
        objective: The loss it minimises, in its own terms.
        container: Whose container of SageMaker trains with it: ``xgboost`` has NumPy, SciPy, pandas
            and XGBoost, ``tensorflow`` has Keras.
        extra: The extra of this package that it needs, if any.
        log_every: Rounds or epochs between two lines of progress.
        fits_side_by_side: Whether threads may fit at the same time.
        refits: Whether studies may fit it a dozen times more: it takes seconds.
    """

    file: ClassVar[str]
    objective: ClassVar[str]
    container: ClassVar[str] = "xgboost"
    extra: ClassVar[str] = ""
    log_every: ClassVar[int] = 1
    fits_side_by_side: ClassVar[bool] = True
    refits: ClassVar[bool] = True

    @property
    def name(self) -> Framework:
        """Its name: its module's."""
        return cast("Framework", type(self).__module__.rpartition(".")[2])

    @property
    def hyperparameters(self) -> type[CommonHyperparameters]:
        """What can be chosen about it."""
        return HYPERPARAMETERS[self.name]

    @property
    def parts(self) -> Mapping[str, Part]:
        """What a search tunes, by name; nothing when no hyperparameter says what is to be tried."""
        own = self.hyperparameters
        return {self.name: Part(own, self.fit)} if any(map(is_tried, fields(own))) else {}

    @abstractmethod
    def fit(self, columns: Columns, weights: NDArray[np.float64], chosen: Any) -> Model:  # noqa: ANN401 - its own hyperparameters
        """Fit a model; same data, seed and versions give the same one.

        Args:
            columns: The nine survey columns by name, ``n`` values each, at least one row.
            weights: How much each row counts, ``(n,)``, above 0.
            chosen: Its hyperparameters.

        Raises:
            FeatureError: A column is missing or holds an impossible value.
            DatasetError: There are no usable rings.
            HyperparameterError: The hyperparameters do not fit the data.
        """

    @abstractmethod
    def to_bytes(self, model: Any) -> bytes:  # noqa: ANN401 - its own model
        """The file that answers requests: no pickle, the same bytes for the same model."""

    @abstractmethod
    def read(self, data: bytes, path: Path) -> Model:
        """The model of such a file; the archive's code calls it, with NumPy and little else.

        Args:
            data: The file's content, known to be undamaged.
            path: The file, for errors.

        Raises:
            ModelArchiveError: It is no such file, or its parts do not fit together.
        """

    def versions(self) -> dict[str, str]:
        """Versions of the libraries beside NumPy that shape the model, by name.

        Raises:
            AbaloneError: One is not installed; the message says what to do.
        """
        return {}

    def learn(
        self,
        train: Columns,
        weights: NDArray[np.float64],
        validation: Columns,
        chosen: Any,  # noqa: ANN401 - its own hyperparameters
        on_progress: Progress | None = None,
    ) -> Learnt:
        """Fit for a release, and score both splits: in one round here; some watch many.

        Args:
            train: What is learnt from.
            weights: How much each row counts.
            validation: What is scored, and not learnt from.
            chosen: Its hyperparameters.
            on_progress: See `Progress`.

        Raises:
            AbaloneError: As `fit`.
        """
        from abalone_assets.modeling.learnt import Learnt, score_splits

        model = self.fit(train, weights, chosen)
        scores = score_splits(model, {"train": train, "validation": validation})
        errors = {split: each["rmse"] for split, each in scores.items()}
        if on_progress:
            on_progress(1, errors)
        return Learnt(
            model=model,
            files={self.file: self.to_bytes(model)},
            versions=self.versions(),
            objective=self.objective,
            best_iteration=0,
            history={split: [error] for split, error in errors.items()},
        )


def framework_named(name: str) -> ModelFramework:
    """The framework of that name.

    Raises:
        HyperparameterError: There is none.
    """
    if name not in HYPERPARAMETERS:
        raise HyperparameterError(f"framework must be {' or '.join(HYPERPARAMETERS)}, not {name!r}")
    module = import_module(f"{_FRAMEWORKS}.{name}")
    found: ModelFramework = module.FRAMEWORK
    return found


_FRAMEWORKS: Final = f"{__name__}s"

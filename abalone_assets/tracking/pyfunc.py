"""A version as MLflow's pyfunc: this file is the model's code there, and needs none of ours.

MLflow executes it wherever a model is loaded. What answers is the code in the model's archive, the
same that answers in SageMaker's container: neither this platform nor Dagster is installed there.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

PACKAGE = "abalone_assets"


@contextmanager
def code_of(folder: Path) -> Iterator[None]:
    """Import the archive's code, whatever of the same name is installed, and leave that alone.

    So two versions answer side by side, each by the code that it was trained with.
    """
    installed = {name: sys.modules.pop(name) for name in _ours()}
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in _ours():
            del sys.modules[name]
        sys.modules.update(installed)


def _ours() -> list[str]:
    return [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]


class AbaloneModel(PythonModel):
    """Sex and measurements of abalones in, the endpoint's answer out."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401 - MLflow's own
        """Load the model of the archive's folder."""
        archive = Path(context.artifacts["archive"])
        with code_of(archive / "code"):
            self.inference = import_module(f"{PACKAGE}.modeling.inference")
            self.columns = import_module(f"{PACKAGE}.survey").FEATURES
            self.predictor = self.inference.model_fn(archive)
            example = pd.DataFrame([dict(zip(self.columns, EXAMPLE, strict=True))])
            self.predict(context, example)  # type: ignore[no-untyped-call]  # so that all code is imported by now

    # Without annotations: MLflow takes those for the schema, and the signature is that.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002
        """``rings``, ``age_years`` and, of a calibrated model, ``rings_low`` and ``rings_high``.

        An impossible animal is refused as the endpoint refuses it, by row and column.
        """
        text = model_input[[*self.columns]].to_csv(header=False, index=False)
        rows = self.inference.input_fn(text, "text/csv")
        answer, _ = self.inference.output_fn(
            self.inference.predict_fn(rows, self.predictor), "application/json"
        )
        return pd.DataFrame(json.loads(answer)["predictions"])


EXAMPLE = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15)

set_model(AbaloneModel())

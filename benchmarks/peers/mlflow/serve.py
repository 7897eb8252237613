"""``serve.py MODEL_FOLDER PORT``: an extracted archive's model behind MLflow's scoring server."""

import sys
import tempfile
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import uvicorn
from mlflow.pyfunc.scoring_server import init

folder, port = sys.argv[1:]
sys.path.insert(0, f"{folder}/code")
from abalone_assets.modeling.inference import model_fn, predict_fn  # noqa: E402 - the archive's own


class Abalone(mlflow.pyfunc.PythonModel):
    """The archive's model as a pyfunc."""

    def __init__(self) -> None:
        self.predictor = model_fn(folder)

    def predict(self, context: object, model_input: pd.DataFrame) -> list[float]:  # noqa: ARG002
        """Rings of a frame's rows."""
        rows = list(model_input.itertuples(index=False, name=None))
        return list(predict_fn(rows, self.predictor).rings)


path = Path(tempfile.mkdtemp()) / "model"
mlflow.pyfunc.save_model(path, python_model=Abalone())
uvicorn.run(
    init(mlflow.pyfunc.load_model(str(path))), port=int(port), log_level="warning", access_log=False
)

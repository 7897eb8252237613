"""``serve.py MODEL_FOLDER PORT``: the model of an extracted archive behind FastAPI and pandas."""

import io
import sys

import pandas as pd
import uvicorn
from fastapi import FastAPI, Request

folder, port = sys.argv[1:]
sys.path.insert(0, f"{folder}/code")
from abalone_assets.modeling.inference import model_fn, predict_fn  # noqa: E402 - the archive's own
from abalone_assets.survey import FEATURES  # noqa: E402

predictor = model_fn(folder)
app = FastAPI()


@app.post("/invocations")
async def invocations(request: Request) -> dict[str, list[float]]:
    """Rings of CSV rows."""
    frame = pd.read_csv(io.BytesIO(await request.body()), header=None, names=list(FEATURES))
    rows = list(frame.itertuples(index=False, name=None))
    return {"predictions": predict_fn(rows, predictor).rings.tolist()}


uvicorn.run(app, port=int(port), log_level="warning", access_log=False)

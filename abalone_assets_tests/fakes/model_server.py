"""A program: answer requests with a model archive's own code, by SageMaker's inference contract.

``python model_server.py MODEL_FOLDER``: imports ``code/inference.py`` below the folder, loads the
model, and says ``{"ready": true}``; then answers one JSON document a line on stdin by one a line on
stdout. Only the archive's code and installed packages can be imported, not this project.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any


def main() -> None:
    # What the model's code prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder = Path(sys.argv[1])
    installed = (sys.prefix, sys.base_prefix)
    sys.path[:] = [str(folder / "code"), *(each for each in sys.path if each.startswith(installed))]
    code = importlib.import_module(os.environ.get("SAGEMAKER_PROGRAM", "inference.py")[:-3])
    model = code.model_fn(str(folder))
    _say(answers, {"ready": True})
    for line in sys.stdin:
        _say(answers, _answer(code, model, json.loads(line)))


def _answer(code: Any, model: Any, request: dict[str, str]) -> dict[str, Any]:
    try:
        body = base64.b64decode(request["body"])
        prediction = code.predict_fn(code.input_fn(body, request["content_type"]), model)
        answer = code.output_fn(prediction, _accepted(request["accept"]))
    except Exception as error:  # noqa: BLE001 - the caller is told whatever went wrong
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    text, content_type = answer if isinstance(answer, tuple) else (answer, request["accept"])
    data = text.encode() if isinstance(text, str) else bytes(text)
    return {"body": base64.b64encode(data).decode(), "content_type": content_type}


def _accepted(header: str) -> str:
    """What the inference toolkit makes of an ``Accept`` header that asks for nothing."""
    default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "application/json")
    return default if header in {"", "*/*"} else header


def _say(answers: Any, document: dict[str, Any]) -> None:
    answers.write(json.dumps(document) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()

"""What the image ``sagemaker-xgboost:3.2-0`` has beside its toolkits, for script mode.

``python xgboost_image.py serve`` and ``python xgboost_image.py train``: the toolkit installs the
user's code by pip, then serves or trains with it. Wired as in ``serving.py`` and ``training.py`` of
https://github.com/aws/sagemaker-xgboost-container, without the defaults for functions that user
code leaves out, and without nginx, which only passes requests on.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from sagemaker_containers.beta.framework import (
    env,
    modules,
    server,
    trainer,
    training_env,
    transformer,
    worker,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MODULE = "xgboost_image"


def main(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The WSGI application."""
    answer: Iterable[bytes] = _application()(environ, start_response)
    return answer


@cache
def _application() -> Any:
    """A worker's application, made at the first request, be it a ping: it loads the model."""
    name = env.ServingEnv().module_name
    code = importlib.import_module(name)
    answering = _transformer(code)
    answering.initialize()
    return worker.Worker(transform_fn=answering.transform, module_name=name)


def _transformer(code: Any) -> Any:
    names = ("input_fn", "predict_fn", "output_fn")
    functions = {name: getattr(code, name) for name in names if hasattr(code, name)}
    if hasattr(code, "transform_fn"):
        if functions:
            raise ValueError(f"transform_fn beside {', '.join(functions)}")
        functions = {"transform_fn": code.transform_fn}
    return transformer.Transformer(model_fn=code.model_fn, **functions)


def train() -> None:
    """Run the user's script; what the toolkit imports and calls."""
    training = training_env()
    modules.run_module(
        training.module_dir,
        training.to_cmd_args(),
        training.to_env_vars(),
        training.module_name,
        capture_error=False,
    )


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        server.start(f"{MODULE}:main")
    else:
        os.environ["SAGEMAKER_TRAINING_MODULE"] = f"{MODULE}:train"
        trainer.train()

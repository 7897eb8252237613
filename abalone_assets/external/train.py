"""Train a model of XGBoost by SageMaker's training contract.

As a process: ``python -m abalone_assets.external.train --eta 0.05``.
"""

from __future__ import annotations

from typing import Final

from abalone_assets.external.training import Trainer

TRAINER: Final = Trainer("abalone_assets.external.train", "xgboost", log_every=50)
main: Final = TRAINER.run

if __name__ == "__main__":
    TRAINER.run_as_script()

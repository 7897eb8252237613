"""Train the blend of boosted trees and a kernel regression by SageMaker's training contract.

As a process: ``python -m abalone_assets.external.train_blend --noise 0.5``. It needs NumPy and
XGBoost, so SageMaker's XGBoost container runs it.
"""

from __future__ import annotations

from typing import Final

from abalone_assets.external.training import Trainer

TRAINER: Final = Trainer("abalone_assets.external.train_blend", "blend", log_every=50)
main: Final = TRAINER.run

if __name__ == "__main__":
    TRAINER.run_as_script()

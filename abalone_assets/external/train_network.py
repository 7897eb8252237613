"""Train the dense network by SageMaker's training contract.

As a process: ``python -m abalone_assets.external.train_network --epochs 50``. It needs Keras 3 with
the backend that ``KERAS_BACKEND`` names: ``tensorflow`` in SageMaker's container.
"""

from __future__ import annotations

from typing import Final

from abalone_assets.external.training import Trainer

TRAINER: Final = Trainer("abalone_assets.external.train_network", "tensorflow", log_every=10)
main: Final = TRAINER.run

if __name__ == "__main__":
    TRAINER.run_as_script()

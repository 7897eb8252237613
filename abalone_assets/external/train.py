"""Train a model by SageMaker's training contract.

As a process: ``python -m abalone_assets.external.train --framework blend --eta 0.05``. It needs
NumPy and what the framework does, so its container runs it.
"""

from __future__ import annotations

from abalone_assets.external.training import main, run

__all__ = ["main"]

if __name__ == "__main__":
    run()

"""Train the blend of boosted trees and a kernel regression by SageMaker's training contract.

As a process: ``python -m abalone_assets.external.train_blend --noise 0.5``. It needs NumPy and
XGBoost, so SageMaker's XGBoost container runs it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from abalone_assets.external.entry import run_as_script
from abalone_assets.external.training import FAILURE_FILE, Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.external.reporting import Reporter

TRAINER: Final = Trainer("abalone_assets.external.train_blend", "blend", log_every=50)


def main(
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    reporter: Reporter | None = None,
) -> None:
    """Read the channels, fit, and write the archive's members; arguments as `Trainer.run`'s."""
    TRAINER.run(argv, environ, reporter)


def _reported() -> None:
    from abalone_assets.external.reporting import reporting

    with reporting() as reporter:
        main(reporter=reporter)


if __name__ == "__main__":
    run_as_script(_reported, FAILURE_FILE)

"""Train the dense network by SageMaker's training contract.

As a process: ``python -m abalone_assets.external.train_network --epochs 50``. It needs Keras 3 with
the backend that ``KERAS_BACKEND`` names: ``tensorflow`` in SageMaker's container.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from abalone_assets.external.entry import run_as_script
from abalone_assets.external.training import FAILURE_FILE, Trainer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.external.reporting import Reporter

TRAINER: Final = Trainer("abalone_assets.external.train_network", "tensorflow", log_every=10)


def main(
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    reporter: Reporter | None = None,
) -> None:
    """Read the channels, learn, and write the archive's members; arguments as `Trainer.run`'s.

    Raises:
        KerasMissingError: The extra ``keras`` is not installed.
    """
    TRAINER.run(argv, environ, reporter)


def _reported() -> None:
    from abalone_assets.external.reporting import reporting

    with reporting() as reporter:
        main(reporter=reporter)


if __name__ == "__main__":
    run_as_script(_reported, FAILURE_FILE)

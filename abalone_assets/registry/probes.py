"""What a model archive answers about a few animals, for versions without probes of their own."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ANIMALS: Final = (
    "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15",
    "F,0.61,0.48,0.16,1.1,0.45,0.25,0.32",
    "I,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055",
)
"""Sex and measurements of ordinary animals, one of each sex."""


def ask_archive(archive: bytes) -> list[tuple[str, float]]:
    """The animals as requests, each with the rings that the archive's model answers.

    Args:
        archive: The bytes of ``model.tar.gz``.

    Raises:
        ModelArchiveError: The archive is damaged.
    """
    from abalone_assets.modeling.archive import extract
    from abalone_assets.modeling.inference import input_fn, model_fn, output_fn, predict_fn

    with TemporaryDirectory() as folder:
        unpacked = Path(folder, "model")
        extract(archive, unpacked)
        model = model_fn(unpacked)
    answered = predict_fn(input_fn("\n".join(ANIMALS), "text/csv"), model)
    text, _ = output_fn(answered, "text/csv")
    return list(zip(ANIMALS, map(float, text.split()), strict=True))

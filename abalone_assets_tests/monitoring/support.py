"""Captured requests for tests, as SageMaker's documentation shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from abalone_assets.monitoring.drift import Reference
from abalone_assets.sample_data import base_survey
from abalone_assets.survey import FEATURES, parse_survey

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANIMAL = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15"


def record(
    data: str = ANIMAL,
    answer: str = "9.5",
    *,
    asked_in: str = "text/csv",
    answered_in: str = "text/csv; charset=utf-8",
    encoding: str = "CSV",
    time: str = "2025-03-03T10:00:00Z",
    **about: Any,
) -> str:
    """A line of a capture file."""
    document = {
        "captureData": {
            "endpointInput": {
                "observedContentType": asked_in,
                "mode": "INPUT",
                "data": data,
                "encoding": encoding,
            },
            "endpointOutput": {
                "observedContentType": answered_in,
                "mode": "OUTPUT",
                "data": answer,
                "encoding": "JSON" if "json" in answered_in else "CSV",
            },
        },
        "eventMetadata": {
            "eventId": "feca1ab1-8025-47e3-8f6a-99e3fdd7b8d9",
            "inferenceTime": time,
            **about,
        },
        "eventVersion": "0",
    }
    return json.dumps(document)


def animals(count: int | None = None) -> dict[str, NDArray[Any]]:
    """Animals of the bundled survey, by column, with their rings."""
    parsed = parse_survey(base_survey().read_bytes(), "abalone.data")
    return {name: np.asarray(values)[:count] for name, values in parsed.columns.items()}


def reference(count: int | None = None) -> Reference:
    """The bundled survey as a training split whose predictions are nearly right."""
    columns = animals(count)
    noise = np.random.default_rng(0).normal(0, 1, len(columns["rings"]))
    return Reference({name: columns[name] for name in FEATURES}, columns["rings"] + noise)

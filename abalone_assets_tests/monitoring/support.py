"""Captured requests for tests, as SageMaker's documentation shows them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from abalone_assets.ingest.frames import schema_of, to_parquet
from abalone_assets.lake.last_drift import REPORT_KEY
from abalone_assets.lake.names import CAPTURED_REQUESTS
from abalone_assets.monitoring.captures import Captures
from abalone_assets.monitoring.days import record_days
from abalone_assets.monitoring.drift import Reference
from abalone_assets.monitoring.report import drift_report
from abalone_assets.sample_data import base_survey
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import FEATURES, parse_survey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abalone_assets.lake.lake import Lake

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


def refused(time: str = "2025-03-03T10:00:00Z", **about: Any) -> str:
    """A line of a capture file about a request that this project's server refused."""
    refusal = {"reason": "sex", "status": 400, "mediaType": "text/csv", "bytes": 40, **about}
    metadata = {"eventId": "e", "customAttributes": ["model_version=1"], "inferenceTime": time}
    return json.dumps({"refusal": refusal, "eventMetadata": metadata, "eventVersion": "0"})


def animals(count: int | None = None) -> dict[str, NDArray[Any]]:
    """Animals of the bundled survey, by column, with their rings."""
    parsed = parse_survey(base_survey().read_bytes(), "abalone.data")
    return {name: np.asarray(values)[:count] for name, values in parsed.columns.items()}


def reference(count: int | None = None) -> Reference:
    """The bundled survey as a training split whose predictions are nearly right."""
    columns = animals(count)
    noise = np.random.default_rng(0).normal(0, 1, len(columns["rings"]))
    return Reference({name: columns[name] for name in FEATURES}, columns["rings"] + noise)


def keep_days(lake: Lake, files: Mapping[str, int]) -> None:
    """What a lake has when so many capture files of each day were read, but for their rows."""
    rows = to_parquet(pl.DataFrame(schema=schema_of(CAPTURED_REQUESTS)))
    for day in files:
        if files[day]:
            lake.store.write(lake.key(CAPTURED_REQUESTS, day), rows)
    record_days(lake, files)


def report_on(
    lake: Lake,
    *,
    days: int = 3,
    animals_a_day: int = 60,
    longer_by: float = 0.0,
    refusals: tuple[str, ...] = (),
) -> None:
    """What the assets write into a lake when the bundled animals were asked about day by day.

    Args:
        lake: The lake.
        days: How many days in a row, from 2025-03-03 on.
        animals_a_day: Others each day.
        longer_by: What is added to each length.
        refusals: Reasons for which requests of the last day were refused.
    """
    known, first, learnt = animals(), date(2025, 3, 3), reference()
    captures = Captures(ObjectStore(f"{lake.store.root}-captures"), "abalone")
    for number in range(days):
        day, rows = (
            first + timedelta(days=number),
            slice(number * animals_a_day, (number + 1) * animals_a_day),
        )
        asked = [known[name][rows] for name in FEATURES]
        asked[FEATURES.index("length")] = asked[FEATURES.index("length")] + longer_by
        time = f"{day}T10:00:00Z"
        lines = [
            record(",".join(map(str, animal)), str(rings), time=time)
            for *animal, rings in zip(*asked, learnt.predicted[rows], strict=True)
        ]
        lines += [refused(time, reason=reason) for reason in refusals if number == days - 1]
        key = f"abalone/AllTraffic/{day:%Y/%m/%d}/10/a.jsonl"
        captures.store.write(key, "\n".join(lines).encode())
    read = captures.files_by_day()
    keys = [key for day in read for key in captures.files_of(day)]
    report = drift_report(captures.read(keys), learnt)
    assert report is not None
    lake.store.write_json("drift_report/data.json", report.to_document())
    lake.store.write(REPORT_KEY, report.to_html().encode())
    keep_days(lake, {day.isoformat(): count for day, count in read.items()})

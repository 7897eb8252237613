"""The JSON of many events at once is what Dagster writes of each, and costs less."""

import json
from collections.abc import Sequence
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import (
    AssetMaterializationPlannedData,
    DagsterEvent,
    DagsterEventType,
    StepMaterializationData,
)
from dagster._core.events.log import EventLogEntry
from dagster._serdes import deserialize_value, serialize_value

from abalone_assets.local import event_json
from abalone_assets.local.event_json import serialized

LEFT, RIGHT = dg.AssetKey("left"), dg.AssetKey(["in", "right"])


def entry(data: Any, kind: DagsterEventType, time: float, run: str = "run") -> EventLogEntry:
    event = DagsterEvent(kind.value, "ingest", event_specific_data=data, message="It is ü.")
    return EventLogEntry(None, 10, "", run, time, "step", "ingest", event)  # type: ignore[no-untyped-call]


def materialized(
    partition: str | None, metadata: dict[str, Any], *, key: dg.AssetKey = LEFT, time: float = 0.1
) -> EventLogEntry:
    tags = {"dagster/data_version": "abc", "odd": "tag"}
    made = dg.AssetMaterialization(key, "What it is.", metadata, partition, tags)
    return entry(StepMaterializationData(made), DagsterEventType.ASSET_MATERIALIZATION, time)


def planned(partition: str | None, *, key: dg.AssetKey = LEFT, run: str = "run") -> EventLogEntry:
    data = AssetMaterializationPlannedData(key, partition)
    return entry(data, DagsterEventType.ASSET_MATERIALIZATION_PLANNED, 1795934450.78, run)


def rows(count: int) -> dict[str, Any]:
    shown = [dg.TableRecord({"sex": "M", "length": 0.1})] * count
    return {
        "dagster/row_count": count,
        "preview": dg.MetadataValue.table(shown),
        "kind": "ümlaut",
        "one": 1,
        "yes": True,
        "share": 0.25,
        "place": dg.MetadataValue.path("/lake"),
        "address": dg.MetadataValue.url("/lake"),
        "nothing": None,
        "tree": {"b": [1, None], "a": {"c": float(count)}},
    }


MIXED = [
    *(planned(f"2025-01-0{day}") for day in range(1, 5)),
    *(materialized(f"2025-01-0{day}", rows(day), time=day / 3) for day in range(1, 5)),
    *(materialized(f"2025-01-0{day}", rows(2), key=RIGHT) for day in range(1, 4)),
    materialized("2025-01-04", {}, key=RIGHT),
    materialized(None, rows(1)),
    materialized('"partition": "odd"', rows(1)),
    planned("2025-01-01", run="another"),
    planned("2025-01-02", run="another", key=RIGHT),
    planned(None, run="another"),
    EventLogEntry(None, 10, "a log line", "run", 3.0),  # type: ignore[no-untyped-call]
    planned("2025-01-01"),
]


def test_each_event_is_written_as_dagster_writes_it() -> None:
    assert list(serialized(MIXED)) == [serialize_value(event) for event in MIXED]


def test_dagster_reads_it_back() -> None:
    assert [deserialize_value(text, EventLogEntry) for text in serialized(MIXED)] == MIXED


def test_what_events_share_is_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = list[object]()

    def count(value: Any) -> str:
        packed.append(value)
        return serialize_value(value)

    monkeypatch.setattr(event_json, "serialize_value", count)
    numbers = {"rows": 40, "place": dg.MetadataValue.path("/lake")}
    days = [materialized(f"day {number}", numbers, time=number / 3) for number in range(100)]
    assert len(list(serialized(days))) == len(days)
    assert len(packed) == 4  # the first event whole and as a template, and each of its numbers


def test_with_a_dagster_that_writes_otherwise_nothing_is_put_together_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def otherwise(value: Any) -> str:
        document: dict[str, Any] = json.loads(serialize_value(value))
        if isinstance(value, EventLogEntry):
            document["label of all"] = value.timestamp * 2
        return json.dumps(document)

    monkeypatch.setattr(event_json, "serialize_value", otherwise)
    events: Sequence[EventLogEntry] = [planned(f"day {number}") for number in range(5)]
    assert list(serialized(events)) == [otherwise(event) for event in events]

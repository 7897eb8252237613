"""The JSON of many events that differ in little, equal to what Dagster writes of each.

A run over many partitions stores two events for each of them and asset, which differ in time,
partition and metadata. Dagster packs each anew, object by object: half of the time of such a run.
Here what events share is packed once, and each adds what is its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._serdes import serialize_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dagster._core.definitions.metadata import MetadataValue
    from dagster._core.events.log import EventLogEntry

_TIME: Final = -12345.678
_PARTITION: Final = "\x01partition\x01"
_HOLES: Final = {
    "metadata": '"metadata_entries": []',
    "partition": f'"partition": {json.dumps(_PARTITION)}',
    "timestamp": f'"timestamp": {_TIME!r}',
}
"""What stands in a template where each event has something of its own."""

_OFTEN_THE_SAME: Final = {dg.IntMetadataValue, dg.PathMetadataValue, dg.TextMetadataValue}
"""Kinds of metadata that have nothing but their value, which can be a key."""


@dataclass(frozen=True)
class _Own:
    """What is an event's own."""

    timestamp: float
    partition: str | None
    metadata: Mapping[str, MetadataValue] | None


@dataclass(frozen=True)
class _Template:
    """Events that are equal but for what is each one's own.

    Attributes:
        shared: The event without that.
        parts: Its JSON, split where that belongs.
        holes: What belongs between the parts, in order.
    """

    shared: EventLogEntry
    parts: tuple[str, ...]
    holes: tuple[str, ...]

    @classmethod
    def of(cls, shared: EventLogEntry, own: _Own) -> Self | None:
        """The template; None when its JSON does not show what belongs where."""
        text = serialize_value(shared)
        wanted = [hole for hole in _HOLES if hole != "metadata" or own.metadata is not None]
        if any(text.count(_HOLES[hole]) != 1 for hole in wanted):
            return None
        holes = sorted(wanted, key=lambda hole: text.index(_HOLES[hole]))
        parts = []
        for hole in holes:
            before, _, text = text.partition(_HOLES[hole])
            parts.append(before)
        return cls(shared, (*parts, text), tuple(holes))

    def json(self, own: _Own, entries: _Entries) -> str:
        """The JSON of an event."""
        filled = {
            "metadata": lambda: f'"metadata_entries": [{entries.json(own.metadata or {})}]',
            "partition": lambda: f'"partition": {json.dumps(own.partition)}',
            "timestamp": lambda: f'"timestamp": {json.dumps(own.timestamp)}',
        }
        pieces = [self.parts[0]]
        for hole, part in zip(self.holes, self.parts[1:], strict=True):
            pieces += filled[hole](), part
        return "".join(pieces)


class _Entries:
    """Metadata entries, of which many values are the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, type, object], str] = {}

    def json(self, metadata: Mapping[str, MetadataValue]) -> str:
        return ", ".join(self._entry(*item) for item in metadata.items())

    def _entry(self, label: str, value: MetadataValue) -> str:
        if type(value) not in _OFTEN_THE_SAME:
            return _entry_json(label, value)
        key = (label, type(value), value.value)
        if key not in self._known:
            self._known[key] = _entry_json(label, value)
        return self._known[key]


def _entry_json(label: str, value: MetadataValue) -> str:
    data = serialize_value(value)  # type: ignore[arg-type] # it is registered as packable
    return (
        '{"__class__": "EventMetadataEntry", "description": null, '
        f'"entry_data": {data}, "label": {json.dumps(label)}}}'
    )


def serialized(events: Iterable[EventLogEntry]) -> Iterator[str]:
    """The JSON of each event, as `serialize_value` writes it.

    The first event of each template is written in both ways; unless they are equal, as they may
    not be with another release of Dagster, all others are written in Dagster's own way too.
    """
    template: _Template | None = None
    entries, trusted = _Entries(), True
    for event in events:
        split = _split(event) if trusted else None
        if split is None:
            yield serialize_value(event)
            continue
        shared, own = split
        if template is not None and template.shared == shared:
            yield template.json(own, entries)
            continue
        template, text = _Template.of(shared, own), serialize_value(event)
        trusted = template is not None and template.json(own, entries) == text
        yield text


def _split(event: EventLogEntry) -> tuple[EventLogEntry, _Own] | None:
    """What an event may share with others, and what is its own; None for any other event."""
    dagster_event = event.dagster_event
    data = dagster_event.event_specific_data if dagster_event else None
    metadata = None
    shared: StepMaterializationData | AssetMaterializationPlannedData
    if isinstance(data, StepMaterializationData):
        made = data.materialization
        partition, metadata = made.partition, made.metadata
        shared = data._replace(materialization=made._replace(partition=_PARTITION, metadata={}))
    elif isinstance(data, AssetMaterializationPlannedData):
        partition = data.partition
        shared = data._replace(partition=_PARTITION)
    else:
        return None
    assert dagster_event is not None  # noqa: S101 - its data is there
    without = dagster_event._replace(event_specific_data=shared)
    blank = event._replace(timestamp=_TIME, dagster_event=without)
    return blank, _Own(event.timestamp, partition, metadata)

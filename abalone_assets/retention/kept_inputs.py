"""What the lake keeps of releases' inputs: for as long as a version of theirs has its archive.

Releases and ingestions go on while this looks and removes, and what is lost is lost for good. So
each removal asks anew who needs the thing, and once more when it is gone: who came to need it in
between finds it back. That is enough, since a preparation says what it needs before it writes or
reads it, and who replaces rows keeps them before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.lake.kept_inputs import DAYS, ROWS, Inputs, kept_key, last_inputs, objects_of
from abalone_assets.registry.provenance import provenance_in, provenance_of
from abalone_assets.retention.kind import GRACE, YOUNG, Kind, Thing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.registry import ModelRegistry

NEEDED: Final = "a version that is kept, or the last release, was made from it"
UNKNOWN: Final = "a document that says who needs such rows is gone"
_HANDED_ON: Final = ("trained_model", "evaluation")
"""Assets whose documents name the inputs of a release until its version does."""


class Needs:
    """Which of the kept things somebody needs, asked again while others release.

    Args:
        lake: The lake.
        registry: The versions.
    """

    def __init__(self, lake: Lake, registry: ModelRegistry) -> None:
        self._lake, self._registry = lake, registry
        self._of_versions: dict[int, Inputs | None] = {}

    def reasons(self, versions: Collection[int] | None = None) -> Reasons:
        """Who needs what.

        The lake is asked before the registry: a release hands its inputs on in that direction.

        Args:
            versions: Those that are kept; all that have their archives when None.

        Raises:
            StorageError: A store refuses, or a record is damaged.
        """
        inputs = [*self._in_lake()]
        for version in self._registry.newest_first():
            if version.version in self._of_versions:
                break  # numbers grow, and what was recorded of a version stays
            provenance = provenance_of(version)
            self._of_versions[version.version] = provenance.inputs if provenance else None
        if versions is None:  # a registry that keeps all archives names none of them
            versions = self._registry.archives().keys() or self._of_versions.keys()
        inputs += [found for each in versions if (found := self._of_versions.get(each))]
        return Reasons.of(self._lake, inputs)

    def _in_lake(self) -> Iterator[Inputs]:
        store = self._lake.store
        if (last := last_inputs(self._lake)) is not None:
            yield last
        for asset in _HANDED_ON:
            key = self._lake.key(asset, suffix="json")
            document = store.read_json(key)
            found = provenance_in(document, store.uri_of(key)) if document else None
            if found is not None and found.inputs is not None:
                yield found.inputs


class Reasons:
    """The keys of kept things that are needed.

    Args:
        keys: Of those.
        all_rows: Whether it is not known which rows are needed, so that all are.
    """

    def __init__(self, keys: Collection[str], *, all_rows: bool) -> None:
        self._keys, self._all_rows = frozenset(keys), all_rows

    @classmethod
    def of(cls, lake: Lake, inputs: Iterable[Inputs]) -> Reasons:
        """What these inputs name."""
        keys, all_rows = set[str](), False
        for each in inputs:
            keys.update(month.document for month in each.months.values())
            try:
                keys.update(kept_key(sha256) for _, sha256 in objects_of(lake.store, each))
            except StorageError:
                all_rows = True
        return cls(keys, all_rows=all_rows)

    def why(self, key: str) -> str:
        """Why a thing is needed; empty when it is not."""
        if key in self._keys:
            return NEEDED
        return UNKNOWN if self._all_rows and key.startswith(ROWS) else ""


def kept_inputs(
    lake: Lake, registry: ModelRegistry, versions: Collection[int], now: datetime
) -> Kind:
    """Rows that are no longer current, and the documents that say which of them a release had.

    Args:
        lake: The lake.
        registry: The versions.
        versions: Those that keep their archives.
        now: With its time zone.

    Raises:
        StorageError: A store refuses, or a record is damaged.
    """
    needs = Needs(lake, registry)
    found = [stored for prefix in (ROWS, DAYS) for stored in lake.store.list(prefix)]
    # A registry that keeps all archives names none, and what is removed goes by those.
    reasons = needs.reasons(versions if registry.archives() else None)

    def reason(key: str, written_at: datetime) -> str:
        return reasons.why(key) or (YOUNG if written_at > now - GRACE else "")

    def remove(thing: Thing) -> bool:
        stored = lake.store.find(thing.name)
        if stored is None or stored.last_modified > now - GRACE or needs.reasons().why(thing.name):
            return False
        data = lake.store.read(thing.name)
        lake.store.delete(thing.name)
        if needs.reasons().why(thing.name):
            lake.store.write(thing.name, data)
            return False
        return True

    things = [Thing(each.key, each.size, reason(each.key, each.last_modified)) for each in found]
    return Kind("inputs of releases that are no longer current", things, remove)

"""What versions were trained on against what the lake keeps of it."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from abalone_assets.doctor.finding import Finding, look_at
from abalone_assets.doctor.verify.surveys import PARALLEL, named
from abalone_assets.errors import StorageError
from abalone_assets.lake.kept_inputs import DAYS, RAW, ROWS, kept_key, objects_of, rows_of
from abalone_assets.registry.provenance import provenance_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion

RESTORE: Final = (
    "mend what else is amiss with the lake, or restore them from a copy; without, `abalone"
    " reproduce` cannot make these versions again, which answer as before"
)


def input_findings(lake: Lake, registry: ModelRegistry) -> Iterator[Finding]:
    """Look at what is kept, and at what every version that has its archive was made from."""
    yield look_at("inputs of versions", lambda: _inputs(lake, registry), remedy=RESTORE)


def _inputs(lake: Lake, registry: ModelRegistry) -> str:
    kept = [stored.key for prefix in (DAYS, ROWS) for stored in lake.store.list(prefix)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        wrong = [key for key, sound in zip(kept, pool.map(lambda each: _is_sound(lake, each), kept),
                                           strict=True) if not sound]  # fmt: skip
    if wrong:
        raise StorageError(named(wrong, "kept objects do not have the digest of their name"))
    archived = registry.archives()
    versions = [each for each in registry.versions() if not archived or each.version in archived]
    recorded, missing = _missing(lake, versions, frozenset(kept))
    if missing:
        raise StorageError(named(missing, "inputs of versions are gone"))
    unrecorded = len(versions) - recorded
    others = f"; of {unrecorded} earlier ones it is not recorded" if unrecorded else ""
    return f"{recorded} versions have all that they were made from{others}"


def _missing(
    lake: Lake, versions: list[ModelVersion], kept: frozenset[str]
) -> tuple[int, list[str]]:
    """Of how many versions the inputs are recorded, and which of these are gone."""
    recorded, known = 0, dict[tuple[str, str], bool]()
    missing: list[str] = []
    for version in versions:
        provenance = provenance_of(version)
        if provenance is None or provenance.inputs is None:
            continue
        recorded += 1
        documents = [month.document for month in provenance.inputs.months.values()]
        if lost := [key for key in documents if key not in kept]:
            missing.append(f"{lost[0]} of version {version.version}")
            continue
        for place, sha256 in objects_of(lake.store, provenance.inputs):
            if (place, sha256) not in known:
                known[place, sha256] = rows_of(lake, place, sha256) is not None
            if not known[place, sha256]:
                what = "base survey" if place == RAW else place
                missing.append(f"{what} of version {version.version}")
    return recorded, missing


def _is_sound(lake: Lake, key: str) -> bool:
    sha256 = hashlib.sha256(lake.store.read(key)).hexdigest()
    return key == kept_key(sha256) or (key.startswith(DAYS) and key.endswith(f".{sha256}.json"))

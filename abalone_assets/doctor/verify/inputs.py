"""What versions were trained on against what the lake keeps of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from abalone_assets.doctor.finding import Finding, look_at
from abalone_assets.doctor.verify.surveys import PARALLEL, named
from abalone_assets.errors import StorageError, counted
from abalone_assets.lake.kept_inputs import DAYS, RAW, ROWS, kept_key, objects_of, rows_of
from abalone_assets.registry.provenance import provenance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion

UNKNOWN: Final = "?"
"""In place of a digest that nobody knows."""

RESTORE: Final = (
    "mend what else is amiss with the lake, or restore them from a copy; without, `abalone"
    " reproduce` cannot make these versions again, which answer as before"
)


def input_findings(
    lake: Lake, registry: ModelRegistry, chosen: Callable[[Collection[str]], Sequence[str]]
) -> Iterator[Finding]:
    """Look at what is kept, and at what every version that has its archive was made from.

    Args:
        lake: The lake.
        registry: The versions.
        chosen: Which of these objects are read.
    """
    yield look_at("inputs of versions", lambda: _inputs(lake, registry, chosen), remedy=RESTORE)


def _inputs(
    lake: Lake, registry: ModelRegistry, chosen: Callable[[Collection[str]], Sequence[str]]
) -> str:
    # The versions come first: what is kept of them was written before.
    versions = _with_archives(registry.versions(), registry)
    kept = [stored.key for prefix in (DAYS, ROWS) for stored in lake.store.list(prefix)]
    read = chosen(kept)
    with ThreadPoolExecutor(PARALLEL) as pool:
        sound = pool.map(lambda key: _is_sound(lake, key), read)
        wrong = [key for key, is_sound in zip(read, sound, strict=True) if not is_sound]
    if wrong:
        raise StorageError(named(wrong, "kept object", "other than the digest in its name"))
    recorded, needed, missing = _needed(lake, versions, frozenset(kept))
    looked_at = chosen(needed)
    with ThreadPoolExecutor(PARALLEL) as pool:
        rows = pool.map(lambda each: rows_of(lake, *each.split()) is not None, looked_at)
        gone = [each for each, there in zip(looked_at, rows, strict=True) if not there]
    for each in gone:
        place = each.split()[0]
        what = "base survey" if place == RAW else place
        missing += [(version, what) for version in needed[each]]
    if missing:
        # `retention` may have removed a version's archive meanwhile, and then its inputs.
        still = {each.version for each in _with_archives(versions, registry)}
        lost = [f"{what} of version {version}" for version, what in missing if version in still]
        if lost:
            raise StorageError(named(lost, "input of versions", "gone"))
    unrecorded = len(versions) - recorded
    others = f"; of {unrecorded} earlier ones it is not recorded" if unrecorded else ""
    share = (
        "" if len(looked_at) == len(needed) else f"; {counted(len(looked_at), 'object')} read now"
    )
    return f"all that {counted(recorded, 'version')} learnt from is there{others}{share}"


def _with_archives(versions: list[ModelVersion], registry: ModelRegistry) -> list[ModelVersion]:
    """Those that have their archives now: all of a registry that names none, as it keeps them."""
    archived = registry.archives()
    return [each for each in versions if not archived or each.version in archived]


def _needed(
    lake: Lake, versions: list[ModelVersion], kept: frozenset[str]
) -> tuple[int, dict[str, list[int]], list[tuple[int, str]]]:
    """What versions were made from, as far as that is recorded.

    Returns:
        Of how many versions it is; which of them need what, by place and digest of the rows; which
        documents that say so are gone, each with its version.

    Raises:
        StorageError: A document is damaged.
    """
    recorded, lost = 0, list[tuple[int, str]]()
    needed: dict[str, list[int]] = {}
    for version in versions:
        provenance = provenance_of(version)
        if provenance is None or provenance.inputs is None:
            continue
        recorded += 1
        documents = [month.document for month in provenance.inputs.months.values()]
        gone = [key for key in documents if key not in kept]
        try:
            objects = [] if gone else [*objects_of(lake.store, provenance.inputs)]
        except StorageError:
            gone = [key for key in documents if lake.store.find(key) is None]
            if not gone:
                raise
            objects = []
        lost += [(version.version, key) for key in gone[:1]]
        for place, sha256 in objects:
            needed.setdefault(f"{place} {sha256 or UNKNOWN}", []).append(version.version)
    return recorded, needed, lost


def _is_sound(lake: Lake, key: str) -> bool:
    """Whether an object has the digest of its name; whether one that went is needed, others say."""
    try:
        sha256 = lake.store.sha256(key)
    except StorageError:
        if lake.store.find(key) is None:
            return True
        raise
    return key == kept_key(sha256) or (key.startswith(DAYS) and key.endswith(f".{sha256}.json"))

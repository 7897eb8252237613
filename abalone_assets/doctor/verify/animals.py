"""The lake's records of animals without rings against the objects that they list."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from abalone_assets.doctor.finding import Finding, TroubleError, look_at
from abalone_assets.doctor.verify.surveys import PARALLEL, named, written_since
from abalone_assets.errors import AbaloneError, StorageError, counted
from abalone_assets.ingest.frames import rows_written
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.manifest import day_digest
from abalone_assets.lake.manifest_store import read_manifest_anew
from abalone_assets.lake.names import AGED_ANIMALS, QUARANTINED_ANIMALS, UNAGED_ANIMALS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from abalone_assets.lake.animals import AgedDay
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import Manifest

TAKE_IN_AGAIN = (
    "delete the folder `unaged_animals/survey_day=DAY` of these days from the lake: animals_sensor "
    "then takes them in again from the files in the landing zone"
)
AGE_AGAIN = "delete the folder `aged_animals/survey_day=DAY`: animals_sensor has them aged again"


def animals_findings(
    lake: Lake, chosen: Callable[[Collection[str]], Sequence[str]]
) -> Iterator[Finding]:
    """Look at what was taken in of animals without rings, and at their ages.

    Args:
        lake: The lake.
        chosen: Which of the days are read.
    """
    animals = Animals(lake)
    try:
        read_manifest_anew(animals.records)
        manifest = animals.manifest()
        days = [day for day in manifest.days if not manifest.summaries[day].being_written]
        for day in days:
            manifest.days[day]
    except StorageError as error:
        remedy = f"delete {animals.records.uri}: all animals are taken in again"
        yield Finding("animals without rings", "failed", str(error), remedy)
        return
    yield look_at(
        "animals without rings",
        lambda: _each(
            chosen(days),
            lambda day: _taken_in(lake, manifest, day),
            lambda amiss: written_since(manifest, animals.manifest(), amiss),
            "day of animals",
        ),
        remedy=TAKE_IN_AGAIN,
    )
    yield look_at("ages of animals", lambda: _ages(animals, manifest, chosen), remedy=AGE_AGAIN)


def _each(
    days: Sequence[str],
    look: Callable[[str], str],
    changed: Callable[[Collection[str]], Collection[str]],
    noun: str,
) -> str:
    """Look at days; of what is amiss that counts which nobody has changed meanwhile."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        told = dict(zip(days, pool.map(look, days), strict=True))
    amiss = {day: problem for day, problem in told.items() if problem}
    since = changed(amiss) if amiss else ()
    if wrong := [f"{day}: {amiss[day]}" for day in amiss if day not in since]:
        raise StorageError(named(wrong, noun, "not as recorded"))
    return f"{counted(len(days) - len(since), noun)}, as recorded"


def _taken_in(lake: Lake, manifest: Manifest, day: str) -> str:
    entry = manifest.days[day]
    if day_digest(entry.files) != entry.digest or not manifest.summaries[day].is_of(entry):
        return "the manifest does not agree with itself"
    listed = {UNAGED_ANIMALS: entry.rows, QUARANTINED_ANIMALS: entry.quarantined}
    return ", ".join(filter(None, (_rows(lake, asset, day, n) for asset, n in listed.items())))


def _ages(
    animals: Animals, manifest: Manifest, chosen: Callable[[Collection[str]], Sequence[str]]
) -> str:
    aged = animals.aged()
    told = _each(
        chosen(aged),
        lambda day: _rows(animals.lake, AGED_ANIMALS, day, aged[day].rows),
        lambda amiss: _aged_since(animals, aged, amiss),
        "day of ages",
    )
    if due := animals.days_to_age(manifest):
        remedy = "nothing: animals_sensor has them aged once a model is live"
        raise TroubleError("warning", named(due, "day of animals", "without ages"), remedy)
    return told


def _aged_since(animals: Animals, before: Mapping[str, AgedDay], days: Collection[str]) -> set[str]:
    now = animals.aged()
    return {day for day in days if now.get(day) != before[day]}


def _rows(lake: Lake, asset: str, day: str, listed: int) -> str:
    """What is wrong with an object; empty when it has the rows that are listed."""
    from polars.exceptions import PolarsError

    key = lake.key(asset, day)
    try:
        found = rows_written(lake.uri(asset, day)) if lake.store.find(key) else 0
    except (AbaloneError, OSError, PolarsError) as error:
        return f"{key} cannot be read: {error}"
    return "" if found == listed else f"{key} has {found} of {listed} rows"

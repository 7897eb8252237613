"""The lake's manifest against the objects that it lists, and against the landing zone."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Final

from abalone_assets.doctor.finding import Finding, TroubleError, look_at
from abalone_assets.errors import AbaloneError, StorageError, counted
from abalone_assets.lake.manifest import day_digest
from abalone_assets.lake.manifest_store import read_manifest_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest
    from abalone_assets.settings.platform import Settings

    Days = Mapping[str, IngestedDay]

PARALLEL: Final = 8
"""Objects that are read at once."""

NAMED: Final = 5
"""Problems that one finding tells of."""

SOURCE_FILE: Final = "source_file"
QUARANTINED_BASE: Final = "raw_abalone/_quarantined_rows.parquet"
INGEST_AGAIN: Final = (
    "delete the folder `new_surveys/survey_day=DAY` of these days from the lake: survey_sensor "
    "then ingests them again from the files in the landing zone"
)


def survey_findings(
    lake: Lake, zone: LandingZone, settings: Settings, chosen: Callable[[Days], Sequence[str]]
) -> Iterator[Finding]:
    """Look at manifest, base survey, survey days and the files that they were read from.

    Args:
        lake: The lake.
        zone: Where the files lie.
        settings: The settings in force.
        chosen: Which of the manifest's days are read.
    """
    try:
        read_manifest_anew(lake.store)
        manifest = lake.manifest()
        known = {day: manifest.days[day] for day in manifest.days}
    except StorageError as error:
        remedy = "delete manifest.json: all surveys are ingested again"
        yield Finding("manifest", "failed", str(error), remedy)
        return
    days = {day: known[day] for day in chosen(known)}
    # Days without files stand in it where a run went over a gap: they are no surveys.
    surveyed = sum(bool(entry.files) for entry in known.values())
    share = "" if len(days) == len(known) else f"; {counted(len(days), 'day')} read now"
    told = (
        f"{counted(surveyed, 'survey day')} and the base survey: {counted(manifest.rows, 'row')}, "
        f"all parts there{share}"
    )
    yield Finding("manifest", "ok", told)
    yield look_at(
        "base survey in the lake",
        lambda: _base_survey(lake, manifest),
        remedy="materialize raw_abalone again",
    )
    yield look_at("survey days", lambda: _days(lake, zone, manifest, days), remedy=INGEST_AGAIN)
    yield look_at(
        "landing zone",
        lambda: _landed(zone, days, settings),
        remedy="mend the landing zone: is it mounted, and may it be read?",
    )


def _base_survey(lake: Lake, manifest: Manifest) -> str:
    raw = manifest.raw
    if raw is None:
        remedy = "nothing, while a run writes it; else launch the job `release`"
        raise TroubleError("warning", "there is none yet", remedy)
    counts = {
        "rows": (raw.rows, _rows(lake, lake.key("raw_abalone"))),
        "quarantined rows": (raw.quarantined, _rows(lake, QUARANTINED_BASE)),
    }
    wrong = [f"{found} {what} of {listed}" for what, (listed, found) in counts.items()
             if found != listed]  # fmt: skip
    if wrong and lake.manifest().raw == raw:  # else a release has written it meanwhile
        raise StorageError(f"{lake.uri('raw_abalone')} holds {' and '.join(wrong)}")
    return f"{counted(raw.rows, 'row')}, {raw.quarantined} quarantined, as recorded"


def _days(lake: Lake, zone: LandingZone, manifest: Manifest, days: Days) -> str:
    written = {day: entry for day, entry in days.items() if entry.digest}
    with ThreadPoolExecutor(PARALLEL) as pool:
        looks = pool.map(lambda day: _day(lake, zone, manifest, day), written)
        told = dict(zip(written, looks, strict=True))
    amiss = {day: problem for day, problem in told.items() if problem}
    since = written_since(manifest, lake.manifest(), amiss) if amiss else set()
    if problems := [f"{day}: {amiss[day]}" for day in amiss if day not in since]:
        raise StorageError(named(problems, "survey day", "not as recorded"))
    if due := sorted(days.keys() - written.keys()):
        raise TroubleError(
            "warning",
            named(due, "survey day", "being written, or was when a run was killed"),
            "nothing: survey_sensor has them ingested again",
        )
    surveyed = sum(bool(entry.files) for day, entry in written.items() if day not in since)
    return f"the rows of each file of {counted(surveyed, 'day')} are there"


def written_since(before: Manifest, now: Manifest, days: Iterable[str]) -> set[str]:
    """Those of some days that a run has written or revoked while they were looked at.

    What was amiss with them is no damage: their objects are newer than their entries.
    """
    return {day for day in days if now.summaries.get(day) != before.summaries[day]}


def _day(lake: Lake, zone: LandingZone, manifest: Manifest, day: str) -> str:
    """What is wrong with a day; empty when it is as recorded."""
    entry = manifest.days[day]
    if day_digest(entry.files) != entry.digest:
        return "its files in the manifest do not have the digest that it was committed with"
    if not manifest.summaries[day].is_of(entry):
        return "the manifest's head tells another story than its part"
    try:
        rows = _read(lake, lake.key("new_surveys", day))
        quarantined = _rows(lake, lake.key("quarantined_rows", day))
    except AbaloneError as error:
        return str(error)
    found = _by_file(rows)
    listed = {file.name: file.rows for file in entry.files if file.rows}
    wrong = [
        f"{found.get(name, 0)} of {listed.get(name, 0)} rows of {name}"
        for name in sorted(listed.keys() | found.keys())
        if found.get(name, 0) != listed.get(name, 0)
    ]
    if quarantined != entry.quarantined:
        wrong.append(f"{quarantined} of {entry.quarantined} quarantined rows")
    if not wrong and rows is not None and SOURCE_FILE in rows.columns:
        changed = [file.name for file in entry.files if file.rows and _differs(zone, file, rows)]
        wrong += [f"other rows of {name} than its bytes have" for name in changed]
    return ", ".join(wrong)


def _differs(zone: LandingZone, file: IngestedFile, rows: pl.DataFrame) -> bool:
    """Whether the rows of a file are not those of its bytes, where these still lie there."""
    import polars as pl

    from abalone_assets.ingest.frames import survey_frame
    from abalone_assets.survey import COLUMNS, parse_survey

    try:
        data = zone.read(file.name)
    except StorageError:
        return False
    if hashlib.sha256(data).hexdigest() != file.sha256:
        return False
    columns = [column.name for column in COLUMNS]
    kept = rows.filter(pl.col(SOURCE_FILE) == file.name).select(columns)
    return not kept.equals(survey_frame([parse_survey(data, file.name)]).select(columns))


def _landed(zone: LandingZone, days: Days, settings: Settings) -> str:
    """Whether the bytes that were ingested are still there.

    Raises:
        TroubleError: They are not, or others stand in their place.
    """
    landing = zone.scan(settings.first_survey_day, datetime.now(UTC).date())
    landed = {file.name: file for files in landing.days.values() for file in files}
    ingested = {file.name: file for entry in days.values() for file in entry.files}
    readable = [  # one that was too large to be read, or could not be, has no digest
        file
        for name, file in ingested.items()
        if name in landed and file.e_tag not in {file.sha256, ""}
    ]
    with ThreadPoolExecutor(PARALLEL) as pool:
        digests = pool.map(lambda file: hashlib.sha256(zone.read(file.name)).hexdigest(), readable)
        others = {
            file.name: landed[file.name].e_tag == file.e_tag
            for file, digest in zip(readable, digests, strict=True)
            if digest != file.sha256
        }
    if rotten := sorted(name for name, unwritten in others.items() if unwritten):
        raise TroubleError(
            "failed",
            named(rotten, "file", "of other bytes than were ingested, though nobody wrote them"),
            "bring them back from a copy: the lake has their rows as they were",
        )
    if gone := sorted(ingested.keys() - landed.keys()):
        raise TroubleError(
            "warning",
            named(gone, "ingested file", "not in the landing zone"),
            "bring them back, or say that it is meant: `abalone forget DAY`",
        )
    if others:
        told = named(sorted(others), "file", "written anew since the ingestion")
        raise TroubleError("warning", told, "nothing: survey_sensor has them ingested")
    return f"the bytes of {counted(len(readable), 'file')} are those that were ingested"


def _rows(lake: Lake, key: str) -> int:
    rows = _read(lake, key)
    return 0 if rows is None else len(rows)


def _by_file(rows: pl.DataFrame | None) -> dict[str, int]:
    """How many rows were read from each file; of none where an old lake does not tell."""
    if rows is None:
        return {}
    if SOURCE_FILE not in rows.columns:
        return {"": len(rows)}
    return dict(rows.group_by(SOURCE_FILE).len().iter_rows())


def _read(lake: Lake, key: str) -> pl.DataFrame | None:
    """All of a Parquet object; None when there is none.

    Raises:
        StorageError: It cannot be read.
    """
    import polars as pl

    if lake.store.find(key) is None:
        return None
    data = lake.store.read(key)
    try:
        return pl.read_parquet(BytesIO(data), hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(f"{lake.store.uri_of(key)}: cannot be read: {error}") from error


def named(things: list[str], noun: str, what: str) -> str:
    """How many there are, what they are, and the first of them."""
    verb, more = "is" if len(things) == 1 else "are", ", …" if len(things) > NAMED else ""
    listed = ", ".join(things[:NAMED])
    return f"{counted(len(things), noun)} {verb} {what}: {listed}{more}"

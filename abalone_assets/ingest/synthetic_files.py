"""The ledger of simulated survey files: by which bytes ingestion knows a simulation from a survey.

A file is known by the SHA-256 of its bytes, so it keeps its origin under whatever name it lands. It
is recorded before it becomes visible; what was landed first all the same is ingested again.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest.example_files import example_digests
from abalone_assets.ingest.file_ledger import FileLedger, LedgerDocument, now
from abalone_assets.lake.manifest_store import commit_raw, read_manifest, revoke_days
from abalone_assets.survey import survey_day
from abalone_assets.survey.origin import EXAMPLE, SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from abalone_assets.lake.manifest import IngestedRaw
    from abalone_assets.storage.object_store import ObjectStore

LEDGER_KEY: Final = "synthetic_survey/_files.json"

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SyntheticFile:
    """One simulated survey file.

    Attributes:
        name: The name that it was given first.
        rows: Its rows.
        recipe: How it was simulated, such as ``copula``.
        seed: Of the random numbers.
        data_version: Of the survey that the synthesizer was fitted on.
        made_at: ISO time when it was recorded first, UTC.
    """

    name: str
    rows: int
    recipe: str
    seed: int
    data_version: str
    made_at: str = field(default_factory=now)


_LEDGER: Final = FileLedger(
    LEDGER_KEY, LedgerDocument[SyntheticFile], "simulated rows would count as surveyed"
)


def record_synthetic_file(store: ObjectStore, sha256: str, file: SyntheticFile) -> None:
    """Record that the file with these bytes is a simulation, before anybody can ingest it.

    Recorded again, it keeps its first entry. A day or base survey that took the file for a survey
    becomes due, so that it is ingested again as what it is; until then no release holds its rows.
    So does the day of its name, if a run is writing it, which may have begun before.

    Args:
        store: Of the lake.
        sha256: Hex digest of the file's bytes.
        file: What is known of it.

    Raises:
        StorageError: That is no SHA-256, the ledger or the manifest is damaged, or the store
            refuses.
    """
    if not _SHA256.fullmatch(sha256):
        raise StorageError(f"{sha256!r} is no SHA-256 in lower-case hex: nothing is recorded of it")
    _LEDGER.record(store, sha256, file)
    _ingest_again(store, sha256, file.name)


def synthetic_files(store: ObjectStore) -> Mapping[str, SyntheticFile]:
    """Every simulated survey file that the lake knows of, by the SHA-256 of its bytes.

    Raises:
        StorageError: The ledger is damaged, or the store refuses.
    """
    return _LEDGER.files(store)


def origin_of(sha256: str, synthetic: Collection[str]) -> str:
    """The origin of a file, by its bytes.

    It is ``synthetic`` when the ledger has them, ``example`` when they ship with the platform, and
    else ``surveyed``.
    """
    if sha256 in synthetic:
        return SYNTHETIC
    return EXAMPLE if sha256 in example_digests() else SURVEYED


def is_mistaken(store: ObjectStore, raw: IngestedRaw) -> bool:
    """Whether a base survey that was not taken for a simulation is known as one by now.

    Args:
        store: Of the lake.
        raw: The base survey, committed or about to be.

    Raises:
        StorageError: The ledger is damaged, or the store refuses.
    """
    return raw.origin != SYNTHETIC and raw.digest in synthetic_files(store)


def ingest_simulated_base_again(store: ObjectStore) -> None:
    """Revoke the base survey if it is a simulation that was recorded while it was ingested.

    Args:
        store: Of the lake.

    Raises:
        StorageError: The ledger or the manifest is damaged, or the store refuses.
    """
    raw = read_manifest(store).raw
    if raw and is_mistaken(store, raw):
        commit_raw(store, None)


def _ingest_again(store: ObjectStore, sha256: str, name: str) -> None:
    manifest = read_manifest(store)
    mistaken = {
        day
        for day in manifest.days
        for file in manifest.days[day].files
        if file.sha256 == sha256 and file.origin != SYNTHETIC
    }
    with suppress(SurveyError):  # whatever it is called, its day will be that of where it lands
        named = survey_day(name).isoformat()
        if named in manifest.summaries and manifest.summaries[named].writers:
            mistaken.add(named)
    if mistaken:
        revoke_days(store, sorted(mistaken))
    ingest_simulated_base_again(store)

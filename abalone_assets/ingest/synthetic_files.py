"""The ledger of simulated survey files: by which bytes ingestion knows a simulation from a survey.

A file is known by the SHA-256 of its bytes, so it keeps its origin under whatever name it lands. It
is recorded before it becomes visible; what was landed first all the same is ingested again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.ingest.example_files import example_digests
from abalone_assets.ingest.file_ledger import FileLedger, LedgerDocument, now
from abalone_assets.lake.manifest_store import commit_raw, read_manifest, revoke_days
from abalone_assets.survey.origin import EXAMPLE, SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
    _revoke_mistaken(store, (sha256,))


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


def ingest_simulated_again(store: ObjectStore, days: Collection[str] = ()) -> None:
    """Revoke what took a simulation for a survey that was recorded while it was ingested.

    Args:
        store: Of the lake.
        days: The survey days to look at, beside the base survey; ISO dates.
    """
    simulated = synthetic_files(store).keys()
    if simulated:
        _revoke_mistaken(store, simulated, set(days))


def _revoke_mistaken(
    store: ObjectStore, simulated: Collection[str], days: Collection[str] | None = None
) -> None:
    manifest = read_manifest(store)
    mistaken = [
        day
        for day in manifest.days
        if (days is None or day in days)
        and any(
            file.sha256 in simulated and file.origin != SYNTHETIC
            for file in manifest.days[day].files
        )
    ]
    if mistaken:
        revoke_days(store, mistaken)
    if manifest.raw and manifest.raw.digest in simulated and manifest.raw.origin != SYNTHETIC:
        commit_raw(store, None)

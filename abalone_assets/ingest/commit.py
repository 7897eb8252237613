"""The commit of days as they were parsed, as long as they would be parsed in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.ingest.accepted_files import accepted_files
from abalone_assets.ingest.held_files import judge_name
from abalone_assets.ingest.synthetic_files import synthetic_files
from abalone_assets.lake.kept_inputs import with_rows_digests
from abalone_assets.lake.manifest_store import commit_days
from abalone_assets.survey.origin import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from abalone_assets.ingest.held_files import Judge
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest
    from abalone_assets.lake.writers import Writer


def commit_parsed_days(
    lake: Lake,
    entries: Mapping[str, IngestedDay],
    judge: Judge,
    writer: Writer | None = None,
) -> None:
    """Record that the lake now holds these days as they were parsed.

    A day stays due where another base survey judges by now, or where somebody has accepted one of
    its files, or told of it as a simulation, since the ledgers were read. Whoever does so later
    finds the day written or being written, and has it ingested again.

    Args:
        lake: Holds their rows.
        entries: The manifest's entries of the days.
        judge: That judged their files.
        writer: The run that wrote them.

    Raises:
        SharedDaysError: Others have written some of them since; those stay due.
        StorageError: The store refuses, or a ledger is damaged.
    """

    def doubted(manifest: Manifest) -> Collection[str]:
        if judge_name(manifest.raw) != judge.name:
            return entries.keys()
        accepted, simulated = accepted_files(lake.store), synthetic_files(lake.store)

        def is_another(file: IngestedFile) -> bool:
            if file.held and file.e_tag and file.sha256 in accepted:
                return True  # without a token it could not be read: when it can be, it is accepted
            return file.origin != SYNTHETIC and file.sha256 in simulated

        return [day for day, entry in entries.items() if any(map(is_another, entry.files))]

    commit_days(lake.store, with_rows_digests(lake, entries), doubted=doubted, writer=writer)

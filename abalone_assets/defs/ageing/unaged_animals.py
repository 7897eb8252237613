"""Animals whose rings nobody counted, as crews landed them: good rows and quarantined rows."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.automation.runs import has_ended
from abalone_assets.defs.ageing.checks import (
    INTAKE_CHECKS,
    animals_are_conserved,
    animals_files_are_readable,
)
from abalone_assets.defs.metadata import (
    add_partitions_metadata,
    files_table,
    scanned_preview,
    table_metadata,
)
from abalone_assets.defs.partitions import animals_days, days_of_run
from abalone_assets.defs.subsets import Result, Told, is_selected, partitions_told, told_of_all
from abalone_assets.lake.names import QUARANTINED_ANIMALS, UNAGED_ANIMALS
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.storage import LakeResource, LandingZoneResource
from abalone_assets.settings.platform import load_settings

if TYPE_CHECKING:
    from abalone_assets.ageing.intake import TakenInDay
    from abalone_assets.lake.lake import Lake

SHOWN_DAYS = 31
"""Days of which a run shows rows and files each; of more only what they count."""


@dg.multi_asset(
    name="take_in_animals",
    partitions_def=animals_days,
    backfill_policy=dg.BackfillPolicy.single_run(),
    can_subset=True,  # of what is told; a day's two tables are written together
    specs=[
        dg.AssetSpec(
            UNAGED_ANIMALS,
            deps=["landing_zone"],
            skippable=True,
            group_name="ageing",
            kinds={"polars", "parquet"},
            code_version="1",
            description="The animals of one day whose rings nobody counted: the rows of its files "
            "`animals.YYYYMMDDHHMMSS` that obey the survey contract but for the rings, with file "
            "and line.",
            metadata=table_metadata(UNAGED_ANIMALS),
        ),
        dg.AssetSpec(
            QUARANTINED_ANIMALS,
            deps=[UNAGED_ANIMALS],
            skippable=True,
            group_name="ageing",
            kinds={"polars", "parquet"},
            code_version="1",
            description="The rows of these files that broke the survey contract: file, line, "
            "column, rule and the raw text. Empty is fine.",
            metadata=table_metadata(QUARANTINED_ANIMALS),
        ),
    ],
    check_specs=INTAKE_CHECKS,
)
def take_in_animals(
    context: dg.AssetExecutionContext,
    landing_zone: LandingZoneResource,
    lake: LakeResource,
    catalog: Catalog,
) -> Iterator[Told]:
    """Take in the animals of the run's days, however many, some thousand at a time.

    Whichever of the two tables is selected, both are written: the manifest has one entry a day.
    """
    from abalone_assets.ageing.intake import Intake
    from abalone_assets.lake.animals import Animals
    from abalone_assets.lake.manifest_store import commit_days, writing_days
    from abalone_assets.lake.writers import Writer

    opened, days = lake.open(), days_of_run(context)
    animals = Animals(opened)
    intake = Intake.of(landing_zone.open(), animals, load_settings())
    writer = Writer.this(context.run.run_id)
    ended = partial(has_ended, context.instance)
    with ExitStack() as written:
        writing = writing_days(animals.records, days, writer, ended)
        taken = dict(intake.days(days, lambda: written.enter_context(writing)))
        conserved = animals_are_conserved(taken)
        yield from told_of_all(context, [conserved])
        if not conserved.passed:
            raise dg.Failure("the lake does not hold every record of the files; the days stay due")
        entries = {day: each.entry for day, each in taken.items()}
        commit_days(animals.records, entries, writer=writer)
    yield from told_of_all(context, [animals_files_are_readable(animals.manifest())])
    yield from _told_tables(context, opened, taken)
    catalog.refresh_or_warn(context)


def _told_tables(
    context: dg.AssetExecutionContext, lake: "Lake", taken: dict[str, "TakenInDay"]
) -> Iterator[Told]:
    for asset in (UNAGED_ANIMALS, QUARANTINED_ANIMALS):
        metadata = {
            day: _metadata(lake, asset, day, each, in_full=len(taken) <= SHOWN_DAYS)
            for day, each in taken.items()
        }
        if is_selected(context, asset):
            add_partitions_metadata(context, asset, metadata)
            result: Result = dg.MaterializeResult(asset_key=asset)
            yield result
        else:
            yield from partitions_told(asset, metadata)


def _metadata(
    lake: "Lake", asset: str, day: str, taken: "TakenInDay", *, in_full: bool
) -> dict[str, Any]:
    entry, uri = taken.entry, lake.uri(asset, day)
    counts = {
        "dagster/row_count": taken.written[asset],
        "digest": entry.digest,
        "file_count": len(entry.files),
    }
    if not in_full and not entry.remarked_files:
        return counts
    shown = {"preview": scanned_preview(uri), "files": files_table(entry.files)}
    return {**counts, **shown, "dagster/uri": dg.MetadataValue.path(uri)}

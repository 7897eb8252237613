"""One preparation: everything ingested, merged without repeats, split by a hash of the row."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.defs.metadata import scanned_preview, table_metadata
from abalone_assets.defs.preparation.checks import synthetic_share_is_small
from abalone_assets.defs.subsets import Result, Told, told_of_all
from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.etl_engine import EtlEngine
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.etl.request import PrepareReport
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import Manifest
    from abalone_assets.resources.jobs import JobReport

ATTEMPTS = 3
"""At a preparation of days that are ingested again while they are read."""


def _split_spec(name: str, percent: int) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=["merged_dataset"],
        group_name="preparation",
        kinds={"narwhals", "parquet"},
        code_version="2",
        description=f"{percent} % of `merged_dataset` by a hash of the row: features and target, "
        "file and origin. A row keeps its split for ever.",
        metadata=table_metadata(name, upstream=["merged_dataset"]),
    )


@dg.multi_asset(
    name="prepare",
    specs=[
        dg.AssetSpec(
            "merged_dataset",
            deps=[
                "raw_abalone",
                dg.AssetDep("new_surveys", partition_mapping=dg.AllPartitionMapping()),
            ],
            group_name="preparation",
            kinds={"narwhals", "parquet"},
            code_version="2",
            description="The base survey and every survey day, exact repeats removed. A row that "
            "was simulated once stays `synthetic`.",
            metadata=table_metadata("merged_dataset", upstream=["raw_abalone", "new_surveys"]),
        ),
        *(_split_spec(name, percent) for name, percent in SPLIT_PERCENT.items()),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "synthetic_share_is_small",
            asset="merged_dataset",
            description="At most a third of the rows are simulated.",
        )
    ],
    can_subset=True,  # of what is told; all of it is written
    pool="training",  # whose jobs read what this one rewrites
)
def prepare(
    context: dg.AssetExecutionContext,
    etl_engine: EtlEngine,
    lake: LakeResource,
    catalog: Catalog,
    release_lease: ReleaseLease,
) -> Iterator[Told]:
    """Merge and split what the manifest lists, and record which content that was.

    Whichever of its tables are selected, all are written: splits are of one merged dataset.
    Nothing is recorded while outputs of two contents may lie side by side.
    """
    from abalone_assets.lake.leftovers import remove_leftovers
    from abalone_assets.lake.preparation import Preparation
    from abalone_assets.lake.released_files import record_released_files

    release_lease.hold(context)
    opened = lake.open()
    if opened.store.root is not None:
        remove_leftovers(opened.store.root)
    manifest, report, job = _prepared(context, opened, etl_engine, release_lease)
    splits = {name: report.sha256.get(name, "") for name in SPLIT_PERCENT}
    counts = {"rows_in": report.rows_in, "repeats": report.repeats}
    opened.record_preparation(
        Preparation.of(manifest, **counts, engine=report.engine, splits=opened.written(splits))
    )
    record_released_files(opened.store, manifest)
    context.log.info(
        "%s: %d rows in, %d repeats removed", report.engine, report.rows_in, report.repeats
    )
    yield from told_of_all(context, _results(opened, report, manifest.digest, job))
    catalog.refresh_or_warn(context)


def _prepared(
    context: dg.AssetExecutionContext, lake: "Lake", engine: EtlEngine, lease: ReleaseLease
) -> "tuple[Manifest, PrepareReport, JobReport]":
    """Prepare what a manifest lists; again, when a day of it was ingested again meanwhile.

    Raises:
        StorageError: So it was each time.
    """
    from abalone_assets.errors import StorageError
    from abalone_assets.etl.lake_inputs import lake_request
    from abalone_assets.lake.kept_inputs import changed_since, record_inputs

    for attempts_left in reversed(range(ATTEMPTS)):
        manifest = lake.manifest()
        record_inputs(lake, manifest)
        lake.begin_preparation(manifest.digest, context.run.run_id)
        request = lake_request(lake, manifest)
        report, job = engine.prepare(request, context, lambda: lease.hold(context))
        lease.hold(context)
        changed = changed_since(manifest, lake.manifest())
        if not changed:
            break
        if not attempts_left:
            raise StorageError(
                f"{lake.store.uri}: {changed[0]} and {len(changed) - 1} others were ingested again "
                f"while they were read, {ATTEMPTS} times, so nothing is made of that; "
                "release_sensor releases when ingestion has come to rest"
            )
        context.log.info("%s was ingested again while it was read: once more", changed[0])
    return manifest, report, job


def _results(
    lake: "Lake", report: "PrepareReport", digest: str, job: "JobReport"
) -> Iterator[Result]:
    merged = {
        "repeats_removed": report.repeats,
        "synthetic_rows": report.synthetic_rows,
        "synthetic_share": report.synthetic_share,
    }
    for asset, rows in report.rows.items():
        yield dg.MaterializeResult(
            asset_key=asset,
            metadata={
                "dagster/row_count": rows,
                "dagster/uri": dg.MetadataValue.path(lake.uri(asset)),
                "preview": scanned_preview(lake.uri(asset)),
                "digest": digest,
                "engine": report.engine,
                **job.metadata(),
                **(merged if asset == "merged_dataset" else {}),
            },
        )
    yield synthetic_share_is_small(report)

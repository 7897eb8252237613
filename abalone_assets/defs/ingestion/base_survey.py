"""The base survey that every model is trained on, surveys or none."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.defs.metadata import preview, table_metadata
from abalone_assets.errors import AbaloneError
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.frames import DataFrame
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.storage import BaseSurveySource, LakeResource

if TYPE_CHECKING:
    from abalone_assets.ingest.base_survey import BaseSurvey
    from abalone_assets.lake.lake import Lake
    from abalone_assets.survey import ParsedSurvey

QUARANTINED_KEY = "raw_abalone/_quarantined_rows.parquet"


@dg.asset(
    group_name="ingestion",
    kinds={"polars", "parquet"},
    code_version="2",
    io_manager_key="parquet",
    metadata=table_metadata("raw_abalone"),
    check_specs=[
        dg.AssetCheckSpec(
            "rows_are_conserved",
            asset="raw_abalone",
            blocking=True,
            description="Records in the file = rows kept + rows quarantined.",
        )
    ],
)
def raw_abalone(
    context: dg.AssetExecutionContext,
    base_survey: BaseSurveySource,
    lake: LakeResource,
    catalog: Catalog,
    release_lease: ReleaseLease,
) -> Iterator[dg.MaterializeResult[DataFrame] | dg.AssetCheckResult]:
    """The UCI base survey: validated, verified by checksum, one row an animal.

    Rows that break the survey contract lie beside it in `_quarantined_rows.parquet`.
    """
    from abalone_assets.ingest.accepted_files import accepted_files
    from abalone_assets.ingest.base_survey import REFUSAL_KEY
    from abalone_assets.ingest.frames import quarantine_frame, survey_frame, to_parquet
    from abalone_assets.ingest.held_files import Judge
    from abalone_assets.ingest.synthetic_files import (
        ingest_simulated_base_again,
        is_mistaken,
        origin_of,
        synthetic_files,
    )
    from abalone_assets.lake.kept_inputs import stored_sha256
    from abalone_assets.lake.manifest import IngestedRaw
    from abalone_assets.lake.manifest_store import commit_raw

    release_lease.hold(context)
    opened = lake.open()
    store = opened.store
    source, survey = _fetch_acceptable(base_survey, opened)
    if source.note:
        context.log.warning(source.note)
    # The bundled stand-in, of the origin "example", plays the base survey's role: evaluation, gate
    # and synthesizers treat it as real animals. Only what the ledger lists is synthetic.
    origin = origin_of(source.sha256, synthetic_files(store))
    rows = survey_frame([survey], origins={survey.file: origin})
    quarantined = quarantine_frame([survey])
    commit_raw(store, None)
    store.write(QUARANTINED_KEY, to_parquet(quarantined))
    yield dg.MaterializeResult(
        value=rows,
        metadata={
            "dagster/row_count": len(rows),
            "quarantined": len(quarantined),
            "quarantined_rows": preview(quarantined),
            "source": dg.MetadataValue.url(source.uri),
            "origin": origin,
            **({"note": source.note} if source.note else {}),
            **({"read_as": "; ".join(survey.notes)} if survey.notes else {}),
            "preview": preview(rows),
        },
        data_version=dg.DataVersion(source.sha256),
    )
    conserved = _rows_are_conserved(opened, survey.record_count)
    yield conserved
    if not conserved.passed:
        raise dg.Failure("the lake does not hold every record of the base survey; it stays due")
    judge = Judge.on(rows, source.sha256, accepted_files(store).keys())
    raw = IngestedRaw(
        digest=source.sha256,
        uri=source.uri,
        simulated=source.simulated,
        rows=len(rows),
        quarantined=len(quarantined),
        origin=origin,
        rows_sha256=stored_sha256(store, opened.key("raw_abalone")),
    )
    commit_raw(
        store,
        raw,
        judge_again=judge.judge_again(opened),
        is_doubted=lambda: is_mistaken(store, raw),  # else a run that dies here would lose it
    )
    ingest_simulated_base_again(store)  # who told of it since saw no base survey to revoke
    store.delete(REFUSAL_KEY)
    catalog.refresh_or_warn(context)


def _fetch_acceptable(source: BaseSurveySource, lake: "Lake") -> "tuple[BaseSurvey, ParsedSurvey]":
    """Fetch and parse a base survey that may take the place of the one in force.

    Raises:
        AbaloneError: It may not, or cannot be fetched: nothing was written but the reason.
    """
    from abalone_assets.ingest.base_survey import accept_base_survey, record_refusal

    in_force = lake.manifest().raw
    try:
        fetched = source.fetch()
        return fetched, accept_base_survey(fetched, in_force)
    except AbaloneError as error:
        with suppress(AbaloneError):
            record_refusal(lake.store, source.uri, error)
        raise


def _rows_are_conserved(lake: "Lake", records: int) -> dg.AssetCheckResult:
    from abalone_assets.ingest.frames import rows_written

    written = {
        "rows": rows_written(lake.uri("raw_abalone")),
        "quarantined": rows_written(lake.store.uri_of(QUARANTINED_KEY)),
    }
    return dg.AssetCheckResult(
        passed=records == sum(written.values()), metadata={"records": records, **written}
    )

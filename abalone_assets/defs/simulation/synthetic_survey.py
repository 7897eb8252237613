"""A simulated survey in the landing zone, known as one for ever, if it is good enough."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl
from pydantic import Field

from abalone_assets.metadata import plots_page, preview, records_table
from abalone_assets.resources.storage import LakeResource, LandingZoneResource
from abalone_assets.settings import load_settings
from abalone_assets.synthesis.survey_file import MAX_ROWS, SimulatedSurvey


class SyntheticSurveyConfig(dg.Config):
    """Which survey to simulate."""

    rows: int = Field(200, ge=1, le=MAX_ROWS, description="Animals in it.")
    seed: int | None = Field(
        None,
        ge=0,
        description="The same seed draws the same animals; without one, the survey's time is it.",
    )
    survey_time: str = Field(
        "",
        description="ISO date or time of the survey, UTC unless it says a zone, such as 2025-09-01 "
        "or 2025-09-01T06:15:00; empty for the time when the run was asked for.",
    )
    land: bool = Field(default=True, description="Whether to put it into the landing zone.")


@dg.asset(
    group_name="simulation",
    kinds={"csv"},
    code_version="1",
    io_manager_key="json",
    check_specs=[
        dg.AssetCheckSpec(
            "quality",
            asset="synthetic_survey",
            blocking=True,
            description="Its synthesizer's rows look like real ones, teach nearly as much, are no "
            "copies, and need little repair; else nothing lands.",
        )
    ],
)
def synthetic_survey(
    context: dg.AssetExecutionContext,
    config: SyntheticSurveyConfig,
    survey_synthesizer: dict[str, Any],
    raw_abalone: pl.DataFrame,
    lake: LakeResource,
    landing_zone: LandingZoneResource,
) -> Iterator[dg.MaterializeResult[dict[str, Any]] | dg.AssetCheckResult]:
    """A survey that obeys the contract by construction, in the landing zone as crews' are.

    The lake keeps the SHA-256 of its bytes, by which ingestion knows its rows as simulated. The
    same config and synthesizer write the same file; landing it again changes nothing.
    """
    from abalone_assets.synthesis import SynthesisError, plots
    from abalone_assets.synthesis.fitted import load_fitted, real_rows
    from abalone_assets.synthesis.quality import assess_synthesizer, broken_thresholds
    from abalone_assets.synthesis.survey_file import land, refuse_day, simulate_survey

    time = _survey_time(context, config)
    if config.land:
        refuse_day(time, load_settings().first_survey_day)
    store, real = lake.open().store, real_rows(raw_abalone)
    synthesizer = load_fitted(store, survey_synthesizer["key"])
    sample, quality = assess_synthesizer(synthesizer, real)
    broken = broken_thresholds(quality)
    yield dg.AssetCheckResult(
        passed=not broken, metadata={**quality.numbers, "broken": "; ".join(broken)}
    )
    if broken:
        raise SynthesisError(f"nothing lands: {'; '.join(broken)}")
    made = simulate_survey(synthesizer, config.rows, time, config.seed, real.all)
    outcome = land(made, landing_zone.open(), store) if config.land else "not landed"
    context.log.info("%s: %s", made.name, outcome)
    yield dg.MaterializeResult(
        value=_document(made, outcome),
        metadata={
            **_document(made, outcome),
            "dagster/row_count": made.simulated.rows,
            "preview": preview(pl.DataFrame(made.simulated.columns)),
            "rejected": _counts(made.simulated.rejected),
            "repaired": _counts(made.simulated.repaired),
            "plots": plots_page(
                {
                    "margins": plots.margins(sample.columns, real.all),
                    "correlations": plots.correlation_maps(sample.columns, real.all),
                }
            ),
            **quality.numbers,
        },
        data_version=dg.DataVersion(made.sha256),
    )


simulate_survey_job = dg.define_asset_job(
    "simulate_survey",
    selection=dg.AssetSelection.assets("survey_synthesizer", "synthetic_survey"),
    description="Fit a synthesizer, unless it is fitted already, and land a survey that it draws.",
)


def _survey_time(context: dg.AssetExecutionContext, config: SyntheticSurveyConfig) -> datetime:
    """What the config says; else when the run was asked for, which a retried step knows too."""
    from abalone_assets.synthesis.survey_file import survey_moment

    if config.survey_time:
        return survey_moment(config.survey_time)
    record = context.instance.get_run_record_by_id(context.run.run_id)
    return record.create_timestamp.astimezone(UTC) if record else datetime.now(UTC)


def _document(made: SimulatedSurvey, outcome: str) -> dict[str, Any]:
    return {
        "file": made.name,
        "rows": made.simulated.rows,
        "seed": made.seed,
        "recipe": made.facts.recipe,
        "sha256": made.sha256,
        "outcome": outcome,
        "drawn": made.simulated.drawn,
    }


def _counts(counts: Mapping[str, int]) -> dg.TableMetadataValue:
    records = [{"reason": reason, "rows": rows} for reason, rows in sorted(counts.items())]
    return records_table(records, ["reason", "rows"])

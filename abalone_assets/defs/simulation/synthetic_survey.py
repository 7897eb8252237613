"""A simulated survey in the landing zone, known as one for ever, if it is good enough."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, field_validator

from abalone_assets.defs.metadata import plots_page, preview, records_table
from abalone_assets.resources.frames import DataFrame
from abalone_assets.resources.storage import LakeResource, LandingZoneResource
from abalone_assets.settings.platform import load_settings
from abalone_assets.synthesis import MAX_ROWS, SynthesisError

if TYPE_CHECKING:
    from abalone_assets.synthesis.survey_file import SimulatedSurvey


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

    @field_validator("survey_time")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        from abalone_assets.synthesis.survey_file import survey_moment

        try:
            return value and survey_moment(value).isoformat()
        except SynthesisError as error:
            raise ValueError(str(error)) from error

    def refuse_other_days(self) -> None:
        """Make sure that ingestion takes the survey in, if it is to land.

        Raises:
            SynthesisError: Its day has no partition, see `refuse_day`.
        """
        from abalone_assets.synthesis.survey_file import refuse_day, survey_moment

        if self.land and self.survey_time:
            refuse_day(survey_moment(self.survey_time), load_settings().first_survey_day)


def refuse_survey(run: dg.DagsterRun) -> None:
    """Judge the survey that a run is asked for, if it is asked for one, before minutes of fitting.

    Dagster itself has pydantic look at a config only when its own step starts.

    Raises:
        pydantic.ValidationError: A value is out of range.
        SynthesisError: The survey's day has no partition.
    """
    ops: Any = run.run_config.get("ops", {})
    asked = ops.get(synthetic_survey.op.name, {}).get("config", {})
    # What is still a mapping will be taken from the environment.
    known = {name: value for name, value in asked.items() if not isinstance(value, Mapping)}
    SyntheticSurveyConfig(**known).refuse_other_days()


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
    raw_abalone: DataFrame,
    lake: LakeResource,
    landing_zone: LandingZoneResource,
) -> Iterator[dg.MaterializeResult[dict[str, Any]] | dg.AssetCheckResult]:
    """A survey that obeys the contract by construction, in the landing zone as crews' are.

    The lake keeps the SHA-256 of its bytes, by which ingestion knows its rows as simulated. The
    same config and synthesizer write the same file; landing it again changes nothing.
    """
    import polars as pl

    from abalone_assets.synthesis import plots
    from abalone_assets.synthesis.quality import assess_synthesizer, broken_thresholds
    from abalone_assets.synthesis.real_rows import RealRows, rows_to_avoid
    from abalone_assets.synthesis.recipes import load_fitted
    from abalone_assets.synthesis.survey_file import land, simulate_survey

    config.refuse_other_days()
    time = _survey_time(context, config)
    opened, real = lake.open(), RealRows.of_frame(raw_abalone)
    store = opened.store
    synthesizer = load_fitted(store, survey_synthesizer["key"])
    sample, quality = assess_synthesizer(synthesizer, real)
    broken = broken_thresholds(quality)
    yield dg.AssetCheckResult(passed=not broken, metadata={**quality, "broken": "; ".join(broken)})
    if broken:
        raise SynthesisError(f"nothing lands: {'; '.join(broken)}")
    avoid = rows_to_avoid(opened, real)
    made = simulate_survey(synthesizer, config.rows, time, config.seed, avoid)
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
            **quality,
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


def _document(made: "SimulatedSurvey", outcome: str) -> dict[str, Any]:
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

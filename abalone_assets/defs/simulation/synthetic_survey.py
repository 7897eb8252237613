"""A simulated survey in the landing zone, known as one for ever, if it is good enough."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field, field_validator

from abalone_assets.defs.metadata import made_by_job, plots_page, preview, records_table
from abalone_assets.resources.storage import LakeResource, LandingZoneResource
from abalone_assets.settings.platform import load_settings
from abalone_assets.synthesis import MAX_ROWS, SynthesisError

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.synthesis.contract import SimulatedRows
    from abalone_assets.synthesis.quality import Quality
    from abalone_assets.synthesis.real_rows import RealRows
    from abalone_assets.synthesis.survey_file import SimulatedSurvey
    from abalone_assets.synthesis.synthesizer import Synthesizer

SIMULATE_JOB: Final = "simulate_survey"
ASSET: Final = "synthetic_survey"


class SyntheticSurveyConfig(dg.Config):
    """Which survey to simulate; one that lands is ingested, and begins a release."""

    rows: int = Field(200, ge=1, le=MAX_ROWS, description="Animals in it.")
    seed: int | None = Field(
        None,
        ge=0,
        description="The same seed draws the same animals; without one, the survey's time is it.",
    )
    survey_time: str | None = Field(
        None,
        description="ISO date or time of the survey, UTC unless it says a zone, such as 2025-09-01 "
        "or 2025-09-01T06:15:00; without one, the time when the run was asked for.",
    )
    land: bool = Field(
        default=False,
        description="true puts it into the landing zone, where it is ingested and released like a "
        "crew's; false only draws it and shows how good it is.",
    )

    @field_validator("survey_time")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        from abalone_assets.synthesis.survey_file import survey_moment

        try:
            return survey_moment(value).isoformat() if value else None
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
    asked = ops.get(ASSET, {}).get("config", {})
    # What is still a mapping will be taken from the environment.
    known = {name: value for name, value in asked.items() if not isinstance(value, Mapping)}
    SyntheticSurveyConfig(**known).refuse_other_days()


synthetic_survey_spec = dg.AssetSpec(
    ASSET,
    deps=["survey_synthesizer", "raw_abalone"],
    group_name="simulation",
    kinds={"csv"},
    code_version="1",
    description="A survey that obeys the contract by construction, in the landing zone as crews' "
    "are if its job is told to land it. Made by the job `simulate_survey` alone, from its "
    "launchpad.",
    metadata=made_by_job(SIMULATE_JOB),
)


@dg.asset_check(
    asset=ASSET,
    blocking=True,
    description="Its synthesizer's rows look like real ones, teach nearly as much, are no copies, "
    "and need little repair; else nothing lands.",
)
def quality(lake: LakeResource) -> dg.AssetCheckResult:
    """Judge the last synthesizer again, by the base survey of today."""
    from abalone_assets.synthesis.quality import assess_synthesizer
    from abalone_assets.synthesis.real_rows import RealRows

    opened = lake.open()
    _, measured = assess_synthesizer(_last_synthesizer(opened), RealRows.of_lake(opened))
    return dg.AssetCheckResult(**_judged(measured))


@dg.op(ins={"fitted": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), tags={"dagster/kind": "csv"})
def synthetic_survey(
    context: dg.OpExecutionContext,
    config: SyntheticSurveyConfig,
    lake: LakeResource,
    landing_zone: LandingZoneResource,
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """Draw a survey from the last synthesizer and, if asked to, land it.

    The lake keeps the SHA-256 of its bytes, by which ingestion knows its rows as simulated. The
    same config and synthesizer write the same file; landing it again changes nothing.
    """
    from abalone_assets.synthesis.quality import assess_synthesizer
    from abalone_assets.synthesis.real_rows import RealRows, rows_to_avoid
    from abalone_assets.synthesis.survey_file import land, simulate_survey

    config.refuse_other_days()
    time = _survey_time(context, config)
    opened = lake.open()
    real, synthesizer = RealRows.of_lake(opened), _last_synthesizer(opened)
    sample, measured = assess_synthesizer(synthesizer, real)
    judged = _judged(measured)
    yield dg.AssetCheckEvaluation(dg.AssetKey(ASSET), "quality", blocking=True, **judged)
    if not judged["passed"]:
        raise SynthesisError(f"nothing lands: {judged['metadata']['broken']}")
    avoid = rows_to_avoid(opened, real)
    made = simulate_survey(synthesizer, config.rows, time, config.seed, avoid)
    outcome = land(made, landing_zone.open(), opened.store) if config.land else "not landed"
    context.log.info("%s: %s", made.name, outcome)
    document = _document(made, outcome)
    opened.store.write_json(opened.key(ASSET, suffix="json"), document)
    yield dg.AssetMaterialization(
        ASSET,
        metadata={**document, **_metadata(made, sample, real), **measured},
        tags={"dagster/data_version": made.sha256},
    )


def _judged(measured: "Quality") -> dict[str, Any]:
    from abalone_assets.synthesis.quality import broken_thresholds

    broken = broken_thresholds(measured)
    return {"passed": not broken, "metadata": {**measured, "broken": "; ".join(broken)}}


def _last_synthesizer(lake: "Lake") -> "Synthesizer":
    """The synthesizer that was fitted last.

    Raises:
        SynthesisError: None was.
    """
    from abalone_assets.synthesis.recipes import load_fitted

    fitted = lake.store.read_json(lake.key("survey_synthesizer", suffix="json"))
    if fitted is None:
        raise SynthesisError("no synthesizer is fitted: launch all of the job `simulate_survey`")
    return load_fitted(lake.store, fitted["key"])


def _metadata(made: "SimulatedSurvey", sample: "SimulatedRows", real: "RealRows") -> dict[str, Any]:
    import polars as pl

    from abalone_assets.synthesis import plots

    return {
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
    }


def _survey_time(context: dg.OpExecutionContext, config: SyntheticSurveyConfig) -> datetime:
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

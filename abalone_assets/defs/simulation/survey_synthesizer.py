"""The synthesizer: what the real animals look like, learnt once for each state of the data."""

from dataclasses import asdict
from typing import Any

import dagster as dg
from pydantic import Field

from abalone_assets.defs.metadata import records_table
from abalone_assets.defs.simulation.synthetic_survey import refuse_survey
from abalone_assets.resources.frames import DataFrame
from abalone_assets.resources.storage import LakeResource
from abalone_assets.synthesis import (
    DEFAULT_EPOCHS,
    DEFAULT_RECIPE,
    DEFAULT_SEEDS,
    MAX_EPOCHS,
    MAX_SEEDS,
    Recipe,
)

_REPORTS = 20


class SynthesizerConfig(dg.Config):
    """What learns the animals, and how hard it tries."""

    recipe: Recipe = Field(
        DEFAULT_RECIPE,
        description="copula: a Gaussian copula per sex, in an instant. ctgan, tvae: networks on "
        "what the copula leaves unexplained, in minutes; they need the extra `synthetic`.",
    )
    epochs: int = Field(
        0,
        ge=0,
        le=MAX_EPOCHS,
        description="Passes over the rows; 0 for the recipe's own: "
        + ", ".join(f"{recipe} {epochs}" for recipe, epochs in DEFAULT_EPOCHS.items()),
    )
    seeds: int = Field(
        0,
        ge=0,
        le=MAX_SEEDS,
        description="Fits of which the best is kept; 0 for the recipe's own: "
        + ", ".join(f"{recipe} {seeds}" for recipe, seeds in DEFAULT_SEEDS.items()),
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the first fit; the others follow.")


@dg.asset(group_name="simulation", kinds={"numpy"}, code_version="1", io_manager_key="json")
def survey_synthesizer(
    context: dg.AssetExecutionContext,
    config: SynthesizerConfig,
    raw_abalone: DataFrame,
    lake: LakeResource,
) -> dg.MaterializeResult[dict[str, Any]]:
    """What draws animals that nobody has measured, fitted on the rows of `train_split`'s hash.

    What was fitted on the same rows with the same config is taken from the lake.
    """
    from abalone_assets.synthesis.real_rows import RealRows
    from abalone_assets.synthesis.recipes import FitOptions, fit_once

    refuse_survey(context.run)

    def report(done: int, total: int) -> None:
        if done % max(1, total // _REPORTS) == 0:
            context.log.info("epoch %d of %d", done, total)

    options = FitOptions(config.recipe, config.epochs, config.seeds, config.seed)
    store = lake.open().store
    fitted = fit_once(store, RealRows.of_frame(raw_abalone), options, report)
    facts = fitted.synthesizer.facts
    if fitted.cached:
        context.log.info(
            "fitted before, on the same rows with the same config: taken from the lake"
        )
    attempts = [asdict(attempt) for attempt in facts.attempts]
    return dg.MaterializeResult(
        value={"key": fitted.key, "digest": fitted.digest, **asdict(facts)},
        metadata={
            "synthesizer": dg.MetadataValue.path(store.uri_of(fitted.key)),
            "recipe": facts.recipe,
            "epochs": facts.epochs,
            "fit_seconds": facts.seconds,
            "taken_from_the_lake": fitted.cached,
            "rows_used": facts.rows,
            "rows_left_out": facts.left_out,
            "seed": facts.seed,
            "attempts": records_table(attempts, ["seed", "seconds", "score"]),
        },
        data_version=dg.DataVersion(fitted.digest),
    )

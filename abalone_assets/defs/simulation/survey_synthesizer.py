"""The synthesizer: what the real animals look like, learnt once for each state of the data."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field

from abalone_assets.defs.metadata import made_by_job, records_table
from abalone_assets.defs.simulation.synthetic_survey import SIMULATE_JOB, refuse_survey
from abalone_assets.resources.storage import LakeResource
from abalone_assets.synthesis import (
    DEFAULT_EPOCHS,
    DEFAULT_RECIPE,
    DEFAULT_SEEDS,
    MAX_EPOCHS,
    MAX_SEEDS,
    Recipe,
)

if TYPE_CHECKING:
    from abalone_assets.synthesis.recipes import Fitted

ASSET: Final = "survey_synthesizer"
_REPORTS = 20


class SynthesizerConfig(dg.Config):
    """What learns the animals, and how hard it tries."""

    recipe: Recipe = Field(
        DEFAULT_RECIPE,
        description="copula: a Gaussian copula per sex, in an instant. ctgan, tvae: networks on "
        "what the copula leaves unexplained, in minutes; they need the extra `synthetic`.",
    )
    epochs: int | None = Field(
        None,
        ge=0,
        le=MAX_EPOCHS,
        description="Passes over the rows; if none are given, the recipe's own: "
        + ", ".join(f"{recipe} {epochs}" for recipe, epochs in DEFAULT_EPOCHS.items()),
    )
    seeds: int | None = Field(
        None,
        ge=0,
        le=MAX_SEEDS,
        description="Fits of which the best is kept; if none are given, the recipe's own: "
        + ", ".join(f"{recipe} {seeds}" for recipe, seeds in DEFAULT_SEEDS.items()),
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the first fit; the others follow.")


survey_synthesizer_spec = dg.AssetSpec(
    ASSET,
    deps=["raw_abalone"],
    group_name="simulation",
    kinds={"numpy"},
    code_version="1",
    description="What draws animals that nobody has measured, fitted on the rows of `train_split`'s"
    " hash. Made by the job `simulate_survey` alone, from its launchpad.",
    metadata=made_by_job(SIMULATE_JOB),
)


@dg.op(out=dg.Out(dg.Nothing), tags={"dagster/kind": "numpy"})
def survey_synthesizer(
    context: dg.OpExecutionContext, config: SynthesizerConfig, lake: LakeResource
) -> Iterator[dg.AssetMaterialization]:
    """Learn the animals; what was learnt of the same rows with the same config is in the lake."""
    from abalone_assets.synthesis.real_rows import RealRows
    from abalone_assets.synthesis.recipes import FitOptions, fit_once

    refuse_survey(context.run)

    def report(done: int, total: int) -> None:
        if done % max(1, total // _REPORTS) == 0:
            context.log.info("epoch %d of %d", done, total)

    options = FitOptions(config.recipe, config.epochs or 0, config.seeds or 0, config.seed)
    opened = lake.open()
    fitted = fit_once(opened.store, RealRows.of_lake(opened), options, report)
    if fitted.cached:
        context.log.info(
            "fitted before, on the same rows with the same config: taken from the lake"
        )
    document = {"key": fitted.key, "digest": fitted.digest, **asdict(fitted.synthesizer.facts)}
    opened.store.write_json(opened.key(ASSET, suffix="json"), document)
    yield dg.AssetMaterialization(
        ASSET,
        metadata={
            **_metadata(fitted),
            "synthesizer": dg.MetadataValue.path(opened.store.uri_of(fitted.key)),
        },
        tags={"dagster/data_version": fitted.digest},
    )


def _metadata(fitted: "Fitted") -> dict[str, Any]:
    facts = fitted.synthesizer.facts
    attempts = [asdict(attempt) for attempt in facts.attempts]
    return {
        "recipe": facts.recipe,
        "epochs": facts.epochs,
        "fit_seconds": facts.seconds,
        "taken_from_the_lake": fitted.cached,
        "rows_used": facts.rows,
        "rows_left_out": facts.left_out,
        "seed": facts.seed,
        "attempts": records_table(attempts, ["seed", "seconds", "score"]),
    }

"""The search for better hyperparameters: launched by hand, and no part of a release.

The asset is external to Dagster's asset jobs, so that no "Materialize all" begins minutes of work.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import dagster as dg
from pydantic import Field

from abalone_assets.defs.metadata import made_by_job, plots_page, records_table
from abalone_assets.modeling.hyperparameters import SearchedFramework, describe_frameworks
from abalone_assets.resources.ml_platform import MLPlatform
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.modeling.hyperparameters import Framework
    from abalone_assets.search import Study, Trial

SEARCH_JOB: Final = "search_hyperparameters"


class StudyConfig(dg.Config):
    """What is searched, and for how long: by default for some ten minutes of two processors."""

    framework: Literal["default", SearchedFramework] = Field(
        "default",
        description="default: what trains every release. Each part of a model is searched by "
        f"itself. {describe_frameworks(get_args(SearchedFramework))}",
    )
    trials: int = Field(60, ge=1, le=10_000, description="Trials of each part of the model.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of what is tried.")
    folds: int = Field(5, ge=2, le=50, description="Folds in which training rows are held out.")
    timeout_minutes: float | None = Field(
        None, gt=0, description="Begin no trial after this time; run again to go on."
    )


hyperparameter_study_spec = dg.AssetSpec(
    "hyperparameter_study",
    deps=["train_split"],
    group_name="training",
    kinds={"optuna", "parquet"},
    code_version="1",
    description="Trials of hyperparameters on the training rows, and whether releases should use "
    "the best. Made by the job `search_hyperparameters` alone, from its launchpad.",
    metadata=made_by_job(SEARCH_JOB),
)


@dg.op(out=dg.Out(dg.Nothing), tags={"dagster/kind": "optuna"})
def hyperparameter_study(
    context: dg.OpExecutionContext,
    config: StudyConfig,
    ml_platform: MLPlatform,
    lake: LakeResource,
) -> Iterator[dg.AssetMaterialization]:
    """Search hyperparameters on the training rows, and say whether releases should use the best.

    Every trial is kept at once: a run that was stopped goes on where it ended, as long as rows,
    config, settings and library versions are the same. The training rows are read once, so that a
    release may write them anew meanwhile.
    """
    from abalone_assets.search import (
        StudyPlan,
        best_of,
        run_study,
        searched_framework,
        study_key,
        trials_of_part,
    )
    from abalone_assets.search.records import ASSET, StudyRecords, training_rows

    opened = lake.open()
    columns, digest = training_rows(opened)
    framework = ml_platform.chosen_framework(config.framework)
    plan = StudyPlan(
        framework=searched_framework(framework),
        seed=config.seed,
        folds=config.folds,
        today=ml_platform.hyperparameters_of(framework),
    )
    records = StudyRecords(opened, study_key(columns, plan))
    done = records.trials()
    if done:
        context.log.info("going on after %d trials of this study", len(done))

    def on_trial(trials: "Sequence[Trial]") -> None:
        records.keep(trials)
        newest = trials[-1]
        best = best_of(trials_of_part(trials, newest.part)).rmse
        context.log.info("%s", newest.describe(config.trials, best))

    study = run_study(
        columns,
        plan,
        trials=config.trials,
        done=done,
        seconds=config.timeout_minutes and 60 * config.timeout_minutes,
        on_trial=on_trial,
    )
    records.conclude(study, columns, digest)
    context.log.info("%s", study.proposal.verdict())
    yield dg.AssetMaterialization(
        ASSET,
        metadata={
            **_metadata(study, ml_platform.framework),
            "dagster/uri": dg.MetadataValue.path(opened.uri(ASSET)),
        },
    )


def _metadata(study: "Study", trained: "Framework") -> dict[str, Any]:
    from abalone_assets.search.report import best_trials, proposal_page, study_plots

    proposal, best = study.proposal, best_trials(study)
    return {
        "proposal": dg.MetadataValue.md(proposal_page(study, trained)),
        "recommended": proposal.recommended,
        "rmse": round(proposal.rmse, 4),
        "current_rmse": round(proposal.current_rmse, 4),
        "difference": round(proposal.difference, 4),
        "difference_low": round(proposal.low, 4),
        "difference_high": round(proposal.high, 4),
        "dagster/row_count": len(study.trials),
        "pruned": sum(trial.state == "pruned" for trial in study.trials),
        "seconds": round(sum(trial.seconds for trial in study.trials), 1),
        "best_trials": records_table(best, list(best[0])),
        "plots": plots_page(study_plots(study)),
    }


@dg.job(name=SEARCH_JOB)
def search_hyperparameters_job() -> None:
    """Search better hyperparameters on the training rows, and propose them if they are.

    Costs minutes of all processors: the default of 60 trials a part takes some ten on two. Nothing
    is released and no setting changes; the page of `hyperparameter_study` says what to set.
    """
    hyperparameter_study()

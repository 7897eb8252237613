"""The ages of animals whose rings nobody counted, as the live model tells them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.automation.runs import AGE_JOB, DEPLOYED_ASSET
from abalone_assets.defs.ageing.checks import AGE_CHECKS, age_checks, nothing_aged
from abalone_assets.defs.ageing.unaged_animals import SHOWN_DAYS
from abalone_assets.defs.metadata import (
    add_partitions_metadata,
    plots_page,
    preview,
    table_metadata,
)
from abalone_assets.defs.partitions import animals_days, days_of_run
from abalone_assets.lake.names import AGED_ANIMALS, UNAGED_ANIMALS
from abalone_assets.resources.batch_scoring import BatchScorer
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.models import EndpointHost, ModelRegistryResource
from abalone_assets.resources.storage import LakeResource, LandingZoneResource

if TYPE_CHECKING:
    from abalone_assets.ageing.ages import Counted
    from abalone_assets.lake.lake import Lake

PICTURED_DAYS = 7
"""Days of which a run shows a picture each; Dagster's database keeps them for ever."""


@dg.asset(
    partitions_def=animals_days,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="ageing",  # one run at a time, so that not all runs there may be age animals
    deps=[UNAGED_ANIMALS, DEPLOYED_ASSET],
    output_required=False,
    group_name="ageing",
    kinds={"polars", "parquet"},
    code_version="1",
    metadata=table_metadata(AGED_ANIMALS, upstream=[UNAGED_ANIMALS]),
    check_specs=AGE_CHECKS,
)
def aged_animals(
    context: dg.AssetExecutionContext,
    landing_zone: LandingZoneResource,
    lake: LakeResource,
    catalog: Catalog,
    endpoint_host: EndpointHost,
    model_registry: ModelRegistryResource,
    batch_scorer: BatchScorer,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """The ages of one day's animals by the live model, with intervals and doubts.

    Each file also gets a CSV in the folder `aged` of the landing zone. The job `age_animals`, which
    the sensor asks for, ages what has no ages yet; any other run ages all animals of its days anew,
    by the model that is live then. Not materialized while no model is live.
    """
    from abalone_assets.ageing.aged_days import Ageing
    from abalone_assets.ageing.doubts import Doubter
    from abalone_assets.lake.animals import Animals
    from abalone_assets.modeling.archive import read_card

    version = endpoint_host.open().live_version()
    if version is None:
        context.log.warning("no model is live yet: the animals are aged as soon as one is")
        yield from nothing_aged()
        return
    card = read_card(model_registry.open().read_model(version))
    opened, jobs = lake.open(), dict[str, Any]()
    animals, zone = Animals(opened), landing_zone.open()

    def score(blocks: Any) -> Any:  # noqa: ANN401 - as `aged_days.Score`
        scored = batch_scorer.score_blocks(blocks, version, context)
        jobs.update(scored.job.metadata() if scored.job else {})
        return scored.answers

    with TemporaryDirectory(prefix="abalone-ages-") as folder:
        ageing = Ageing(animals, zone, version, Doubter.of(card), Path(folder))
        plan = ageing.plan(days_of_run(context), again=context.run.job_name != AGE_JOB)
        counted = dict(ageing.age(plan, score))
    if left := [each.day for each in plan if each.day not in counted]:
        context.log.warning("%s: taken in again meanwhile, so still due", ", ".join(left))
    yield from age_checks(opened, animals.manifest(), counted)
    add_partitions_metadata(context, AGED_ANIMALS, _metadata(opened, counted, jobs))
    yield dg.MaterializeResult(asset_key=AGED_ANIMALS)
    catalog.refresh_or_warn(context)


def _metadata(
    lake: "Lake", counted: dict[str, "Counted"], jobs: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    shown: dict[str, dict[str, Any]] = {}
    for day, each in counted.items():
        told = {
            "dagster/row_count": each.rows,
            "doubtful": each.doubtful,
            "model_versions": ", ".join(map(str, sorted(each.versions))) or "none",
        }
        if len(counted) <= SHOWN_DAYS:
            uri = dg.MetadataValue.path(lake.uri(AGED_ANIMALS, day))
            told |= {"preview": preview(each.preview), "dagster/uri": uri}
        if each.rows and len(counted) <= PICTURED_DAYS:
            told["ages"] = plots_page({"ages": each.picture()})
        shown[day] = {**told, **jobs}
    return shown

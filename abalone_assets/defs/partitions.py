"""The days, UTC, of surveys and of requests; today's partition exists already."""

from collections.abc import Sequence

import dagster as dg

from abalone_assets.automation.runs import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from abalone_assets.errors import PartitionError
from abalone_assets.settings.platform import load_settings

survey_days = dg.DailyPartitionsDefinition(
    start_date=load_settings().first_survey_day.isoformat(), end_offset=1
)

request_days = dg.DailyPartitionsDefinition(
    start_date=load_settings().first_survey_day.isoformat(), end_offset=1
)
"""Their own definition, although the days are the same: no run mixes surveys and requests."""

animals_days = dg.DailyPartitionsDefinition(
    start_date=load_settings().first_survey_day.isoformat(), end_offset=1
)
"""Of files of animals without rings; their own, lest a run mix them with surveys."""


def days_of_run(context: dg.AssetExecutionContext) -> Sequence[str]:
    """The days that a run of a partitioned asset is over, in order.

    A run's tags say anything that somebody launched it with. Dagster takes days to come, other
    spellings of a day, which nobody else finds again, and a range that ends before it begins.

    Raises:
        PartitionError: They name no partitions.
    """
    definition, tags = context.assets_def.partitions_def, context.run.tags
    first, last = (tags.get(tag, "") for tag in (RANGE_START_TAG, RANGE_END_TAG))
    if day := tags.get(PARTITION_TAG):
        first = last = day
    if not (first or last):
        raise PartitionError(
            "launched without a day: choose partitions, or on the command line say "
            "`--partition 2025-03-14` or `--partition-range 2025-03-01...2025-03-14`"
        )
    unknown = [day for day in (first, last) if definition and not definition.has_partition_key(day)]
    if definition and unknown:
        known = f"{definition.get_first_partition_key()} to {definition.get_last_partition_key()}"
        raise PartitionError(
            f"launched over {unknown[0]!r}, which is no partition: these are the days {known}, "
            "written in this way; ABALONE_FIRST_SURVEY_DAY says the first"
        )
    if last < first:
        raise PartitionError(f"launched over {first} to {last}: the range ends before it begins")
    days: Sequence[str] = context.partition_keys
    return days

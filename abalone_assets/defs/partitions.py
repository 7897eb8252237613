"""The days, UTC, of surveys and of requests; today's partition exists already."""

import dagster as dg

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

"""The survey days, UTC; today's partition exists already, for the crews of today."""

import dagster as dg

from abalone_assets.settings.platform import load_settings

survey_days = dg.DailyPartitionsDefinition(
    start_date=load_settings().first_survey_day.isoformat(), end_offset=1
)

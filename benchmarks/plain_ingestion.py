"""Ingest everything that has landed, without Dagster."""

from __future__ import annotations

from datetime import date, timedelta

from abalone_assets.ingest.days import parse_days
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.ingest.landing_zone import open_landing_zone
from abalone_assets.ingest.manifest import commit_days
from abalone_assets.lake import Lake
from abalone_assets.settings import load_settings


def main() -> None:
    """Parse the days from the first to the last survey, and commit them."""
    settings = load_settings()
    zone, lake = open_landing_zone(settings.landing_zone_uri), Lake(settings.lake_uri)
    landed = sorted(zone.look(settings.first_survey_day, date.max).days)
    first, last = date.fromisoformat(landed[0]), date.fromisoformat(landed[-1])
    count = (last - first).days + 1
    parsed = parse_days(zone, [(first + timedelta(days=n)).isoformat() for n in range(count)])
    for day, survey in parsed.days.items():
        lake.store.write(lake.key("new_surveys", day), to_parquet(survey.rows))
        lake.store.write(lake.key("quarantined_rows", day), to_parquet(survey.quarantined))
    commit_days(lake.store, parsed.entries)


if __name__ == "__main__":
    main()

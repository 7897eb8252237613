"""What Dagster knows, on PostgreSQL: old runs go, and a new database is filled from the lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation import old_runs
from abalone_assets.automation.old_runs import RunRules, run_kinds
from abalone_assets_tests.automation.support import ingest, name_of, requests
from abalone_assets_tests.cli.support import abalone_json
from abalone_assets_tests.services.production.home import production_platform
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.services.production.postgres import Cluster

pytestmark = pytest.mark.xdist_group("postgres")

SURVEYS = dg.AssetKey("new_surveys")
DAYS = ["2025-03-03", "2025-03-04", "2025-03-05"]


def test_old_runs_go_and_a_new_database_shows_what_the_old_one_did(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_runs, "KEPT_OF_JOB", 0)
    with production_platform(tmp_path / "home", cluster.create_database()) as platform:
        for seed, day in enumerate((*DAYS, DAYS[0])):
            platform.land(name_of(day), survey_rows(3, seed=seed))
            assert ingest(platform) == [True]
        before = shown(platform.instance)

        later = datetime.now(UTC) + timedelta(9)
        runs, orphans = run_kinds(platform.instance, RunRules(newest=0, days=1), later)
        assert len(runs.free()) == 3
        assert orphans.things == []

        assert len(platform.instance.get_runs()) == 1
        assert shown(platform.instance) == before
        assert before["partitions"] == set(DAYS)

        for name, value in cluster.create_database().environment.items():
            monkeypatch.setenv(name, value)
        told = abalone_json("restore")
        assert told["materializations"] == {"new_surveys": 3, "quarantined_rows": 3}
        assert abalone_json("restore")["known"] == 9

        with Platform.at(platform.home) as moved:
            assert moved.instance.get_runs() == []
            assert shown(moved.instance) == before
            assert requests(moved) == []


def shown(instance: dg.DagsterInstance) -> dict[str, object]:
    """What Dagster says of the survey days."""
    records = {
        day: instance.fetch_materializations(
            dg.AssetRecordsFilter(SURVEYS, asset_partitions=[day]), limit=1
        ).records[0]
        for day in DAYS
    }
    return {
        "partitions": instance.get_materialized_partitions(SURVEYS),
        "digests": {
            day: record.asset_materialization.metadata["digest"]
            for day, record in records.items()
            if record.asset_materialization
        },
    }

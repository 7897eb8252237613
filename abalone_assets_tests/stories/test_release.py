"""One story through the whole lineage: a burst of surveys is released, then a model is rejected."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl
import pytest

from abalone_assets.registry.folder import LAST_NAME
from abalone_assets_tests.automation.support import files_below, name_of, platform_in, recorded
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abalone_assets.lake.releases import Release

pytestmark = pytest.mark.xdist_group("release_story")  # one story for all

FILES, DAYS = 100, 40


@dataclass(frozen=True)
class Story:
    """What happened, in order.

    Attributes:
        platform: Where it happened.
        burst: Runs by job, from a hundred landed files until nothing was asked for.
        deployed: How the first release ended.
        content: Digest of the surveys that it was to release.
        unchanged: Runs by job, when the sensors looked again.
        before: The registry and its endpoint pointer before the second release.
        strict: Runs by job after one more file, with a gate that no model passes.
        rejected: How the second release ended.
        after: The registry and its endpoint pointer after it.
        repeated: Runs by job, when the sensors looked again.
    """

    platform: Platform
    burst: Mapping[str, int]
    deployed: Release
    content: str
    unchanged: Mapping[str, int]
    before: Mapping[str, bytes]
    strict: Mapping[str, int]
    rejected: Release
    after: Mapping[str, bytes]
    repeated: Mapping[str, int]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with platform_in(tmp_path_factory.mktemp("release")) as platform:
        for number in range(FILES):
            day = f"2025-{2 + number % DAYS // 20:02}-{1 + number % 20:02}"
            platform.land(
                name_of(day, f"{number // 60:04}{number % 60:02}"), survey_rows(3, seed=number)
            )
        burst, deployed = platform.settle(), platform.lake.release()
        content = platform.lake.manifest().digest
        unchanged, before = platform.settle(), files_below(platform.home / "registry")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("ABALONE_GATE_MAX_RMSE", "0.5")
            with Platform.at(platform.home) as gated:
                gated.land(name_of("2025-06-01"), survey_rows(3, seed=FILES))
                strict, rejected = gated.settle(), gated.lake.release()
                after, repeated = files_below(platform.home / "registry"), gated.settle()
        assert deployed is not None
        assert rejected is not None
        yield Story(
            platform,
            burst,
            deployed,
            content,
            unchanged,
            before,
            strict,
            rejected,
            after,
            repeated,
        )


def materialized(story: Story, release: Release) -> dict[str, Mapping[str, dg.MetadataValue]]:
    """The metadata of each asset that a release materialized."""
    events = recorded(story.platform, release.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)
    return {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
        for event in events
        if event.asset_key
    }


def checks(story: Story, release: Release) -> dict[str, bool]:
    events = recorded(story.platform, release.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [event.asset_check_evaluation_data for event in events]
    return {
        f"{evaluation.asset_key.to_user_string()}.{evaluation.check_name}": evaluation.passed
        for evaluation in evaluations
    }


def test_a_release_forgets_no_day(story: Story) -> None:
    lake = story.platform.lake
    landed = {file.name: 3 for day in lake.manifest().days.values() for file in day.files}
    merged = pl.read_parquet(lake.uri("merged_dataset"))
    released = merged.filter(pl.col("source_file").str.starts_with("abalone.20"))
    assert len(landed) == FILES + 1
    assert dict(released.group_by("source_file").len().iter_rows()) == landed


def test_a_burst_of_files_is_ingested_in_a_run_a_range_and_released_once(story: Story) -> None:
    assert story.burst == {"ingest_surveys": 2, "release": 1}
    entries = [entry for entry in story.platform.lake.manifest().days.values() if entry.files]
    assert len(entries) == DAYS + 1
    assert sum(entry.rows for entry in entries) == 3 * (FILES + 1)


def test_a_good_model_is_deployed(story: Story) -> None:
    assert story.deployed.outcome == "deployed"
    assert story.deployed.version == 1
    assert story.deployed.digest == story.content
    assert "Approved" in story.deployed.reason


def test_every_asset_of_a_release_shows_where_it_is(story: Story) -> None:
    uris = {
        asset: str(metadata["dagster/uri"].value)
        for asset, metadata in materialized(story, story.deployed).items()
    }
    assert uris.keys() == {
        "raw_abalone",
        "merged_dataset",
        "train_split",
        "validation_split",
        "test_split",
        "trained_model",
        "evaluation",
        "evaluation_report",
        "approved_model",
        "endpoint",
    }
    assert all(os.path.exists(uri) for uri in uris.values())  # noqa: PTH110 - it is text in the UI


@pytest.mark.parametrize(
    "asset", ["raw_abalone", "merged_dataset", "train_split", "validation_split", "test_split"]
)
def test_every_table_shows_its_rows_and_a_preview(story: Story, asset: str) -> None:
    metadata = materialized(story, story.deployed)[asset]
    rows, preview = metadata["dagster/row_count"].value, metadata["preview"]
    assert isinstance(rows, int)
    assert rows > 20
    assert isinstance(preview, dg.TableMetadataValue)
    assert len(preview.records) == 5
    assert {"sex", "length", "rings"} <= preview.records[0].data.keys()


def test_the_splits_are_the_merged_rows(story: Story) -> None:
    rows = {
        asset: metadata["dagster/row_count"].value
        for asset, metadata in materialized(story, story.deployed).items()
        if "dagster/row_count" in metadata
    }
    splits = ("train_split", "validation_split", "test_split")
    assert sum(int(str(rows[split])) for split in splits) == rows["merged_dataset"]


def test_a_release_checks_what_it_made(story: Story) -> None:
    assert checks(story, story.deployed) == {
        "raw_abalone.rows_are_conserved": True,
        "merged_dataset.rows_are_conserved": True,
        "merged_dataset.splits_partition_the_rows": True,
        "merged_dataset.synthetic_share_is_small": True,
        "approved_model.gate": True,
        "evaluation_report.report_made": True,
    }


def test_unchanged_data_is_not_released_again(story: Story) -> None:
    assert story.unchanged == {"ingest_surveys": 0, "release": 0}


class TestARejectedModel:
    def test_ends_its_run_successfully(self, story: Story) -> None:
        assert story.strict == {"ingest_surveys": 1, "release": 1}
        run = story.platform.instance.get_run_by_id(story.rejected.run_id)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.SUCCESS

    def test_is_neither_approved_nor_deployed(self, story: Story) -> None:
        told = materialized(story, story.rejected)
        assert "endpoint" not in told
        shown = told["approved_model"]
        assert shown["version"] != shown["approved_version"]
        skipped = recorded(story.platform, story.rejected.run_id, dg.DagsterEventType.STEP_SKIPPED)
        assert [event.step_key for event in skipped] == ["endpoint"]

    def test_shows_the_reason_in_the_events_of_approved_model(self, story: Story) -> None:
        records = story.platform.instance.fetch_observations(
            dg.AssetKey("approved_model"), limit=10
        ).records
        (observation,) = [record.asset_observation for record in records]
        assert observation is not None
        assert observation.metadata["why"].value == story.rejected.reason
        assert "is above" in story.rejected.reason

    def test_fails_the_check_of_the_gate_with_the_reason(self, story: Story) -> None:
        (evaluation,) = [
            event.asset_check_evaluation_data
            for event in recorded(
                story.platform, story.rejected.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION
            )
            if event.asset_check_evaluation_data.check_name == "gate"
        ]
        assert not evaluation.passed
        assert evaluation.severity is dg.AssetCheckSeverity.WARN
        assert evaluation.metadata["why"].value == story.rejected.reason

    def test_becomes_a_version_and_changes_neither_the_others_nor_the_endpoint(
        self, story: Story
    ) -> None:
        assert story.before
        kept = {name: each for name, each in story.before.items() if name != LAST_NAME}
        assert kept.items() <= story.after.items()
        assert story.after[LAST_NAME] == b"2"
        added = story.after.keys() - story.before.keys()
        assert added == {f"versions/000002/{name}" for name in ("model.tar.gz", "version.json")}

    def test_is_recorded_and_not_tried_again(self, story: Story) -> None:
        assert (story.rejected.outcome, story.rejected.version) == ("rejected", 2)
        assert story.rejected.digest == story.platform.lake.manifest().digest
        assert story.repeated == {"ingest_surveys": 0, "release": 0}

    def test_was_compared_with_the_champion_on_the_same_rows(self, story: Story) -> None:
        metadata = materialized(story, story.rejected)["evaluation"]
        assert metadata["champion"].value == "version 1"
        assert "champion_rmse" in metadata
        assert metadata["reference"].value == "version 1"  # the champion itself

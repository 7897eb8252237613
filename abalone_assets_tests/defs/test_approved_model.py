"""The end of a release: what the gate decides, what is told of it, and what is live then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import polars as pl
import pytest

from abalone_assets.defs.resources import profile_resources
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.preparation import Preparation
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.notes import Noted, ReleaseNotes
from abalone_assets.registry.version_facts import DataFacts, VersionFacts
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.defs.releases import PROBE, Releases, metadata

if TYPE_CHECKING:
    from abalone_assets.registry.versions import ModelVersion


def test_a_good_model_is_approved_and_deployed_with_the_probes_of_its_record(
    releases: Releases,
) -> None:
    releases.evaluate("one", 2.1)
    run = releases.run()
    assert releases.live == 1
    assert releases.registry.get(1).probes == [tuple(PROBE)]
    assert metadata(run, "approved_model")["version"] == 1
    assert metadata(run, "endpoint")["decision"].startswith("Approved: held against no other")
    assert metadata(run, "endpoint")["why"].startswith("Approved: RMSE 2.100 on the 209 test rows")
    ended = releases.last
    assert (ended.digest, ended.outcome, ended.version) == ("r1", "deployed", 1)


def test_a_version_tells_from_which_data_it_was_made(releases: Releases) -> None:
    releases.evaluate("one", 2.1, release="r7")
    data = Preparation("r7", 4300, 4300, 2, 12, "2025-03-14", "2025-04-01")
    releases.lake.record_preparation(data)
    releases.run("approved_model")
    facts = VersionFacts.of(releases.registry.get(1))
    assert facts.data == DataFacts(4300, 12, "2025-03-14", "2025-04-01")
    releases.evaluate("two", 2.0, release="r8")
    releases.lake.record_preparation(data)  # of other data: it was prepared again meanwhile
    releases.run("approved_model")
    assert VersionFacts.of(releases.registry.get(2)).data == DataFacts()


def test_a_rejected_model_is_a_version_that_is_not_deployed(releases: Releases) -> None:
    releases.release("one", 2.1, "r1")
    releases.evaluate("two", 2.9, release="r2")
    run = releases.run()
    assert run.success
    assert releases.live == 1
    rejected = releases.registry.get(2)
    assert not rejected.approved
    (observation,) = releases.instance.fetch_observations(
        dg.AssetKey("approved_model"), limit=10
    ).records
    assert observation.asset_observation is not None
    shown = observation.asset_observation.metadata
    assert (shown["version"].value, shown["why"].value) == (2, rejected.reason)
    assert shown["decision"].value == rejected.in_short
    ended = releases.last
    assert (ended.outcome, ended.version, ended.reason) == ("rejected", 2, rejected.reason)


def test_after_a_rejection_the_page_says_so_and_which_version_stands(releases: Releases) -> None:
    # The overview shows the latest materialization, and once said "Approved" of the one before.
    releases.evaluate("one", 2.1)
    approved = releases.run()
    releases.evaluate("two", 2.9, release="r2")
    rejected = releases.run()
    shown = metadata(rejected, "approved_model")
    assert shown["decision"].startswith("Rejected: ")
    assert (shown["version"], shown["approved_version"]) == (2, 1)
    assert metadata(approved, "approved_model")["approved_version"] == 1
    (before,) = approved.asset_materializations_for_node("approved_model")
    (after,) = rejected.asset_materializations_for_node("approved_model")
    version = "dagster/data_version"
    assert (after.tags or {})[version] == (before.tags or {})[version], "nothing follows from it"
    assert not rejected.asset_materializations_for_node("endpoint")


def test_where_no_version_stands_a_rejection_materializes_nothing(releases: Releases) -> None:
    releases.evaluate("one", 2.9)
    assert releases.run().asset_materializations_for_node("approved_model") == []


def test_the_catalog_tells_of_a_release_when_it_has_ended(releases: Releases) -> None:
    asked = "select version, decided_by, approved, rule from model_decisions order by all"
    releases.release("one", 2.1, "r1")
    assert releases.sql(asked) == [(1, "the gate", True, "first_model")]
    releases.release("two", 2.9, "r2")
    assert releases.sql(asked)[1:] == [(2, "the gate", False, "above_max_rmse")]
    releases.registry.approve(2, because="the scale was checked", by="ana")  # nobody refreshes
    assert releases.run("endpoint").success
    assert releases.sql(asked)[1:] == [
        (2, "ana", True, None),
        (2, "the gate", False, "above_max_rmse"),
    ]


def test_a_damaged_record_keeps_the_other_tables_up_to_date(releases: Releases) -> None:
    releases.release("one", 2.1, "r1")
    releases.registry.store.write("versions/000001/overrides.json", b"[{}]")
    rows = pl.DataFrame({"number": [1]})
    releases.lake.store.write(releases.lake.key("merged_dataset"), to_parquet(rows))
    catalog = profile_resources(load_settings())["catalog"]
    with dg.build_asset_context() as context:
        catalog.refresh_or_warn(context)
    assert releases.sql("from merged_dataset") == [(1,)]
    assert releases.sql("select version from model_versions") == [(1,)]


def test_a_registry_is_told_of_the_release_that_made_a_version_and_what_fails_is_a_warning(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, ReleaseNotes]] = []

    def note(_: FolderRegistry, version: ModelVersion, notes: ReleaseNotes) -> Noted:
        told.append((version.version, notes))
        return Noted(("model card",), ("lineage of version 1: access denied",))

    monkeypatch.setattr(FolderRegistry, "note", note)
    held = releases.lake.manifest().digest
    releases.evaluate("one", 2.1, release=held)
    run = releases.run("approved_model")

    assert run.success
    shown = metadata(run, "approved_model")
    assert shown["noted"] == "model card"
    assert shown["not_noted"] == "lineage of version 1: access denied"
    log = [entry.user_message for entry in releases.instance.all_logs(run.run_id)]
    assert "lineage of version 1: access denied" in log
    [(version, notes)] = told
    assert (version, notes.run_id, notes.days) == (1, run.run_id, 0)
    assert notes.data_uri == releases.lake.uri("merged_dataset")

    releases.evaluate("one", 2.1, release="another")  # learnt nothing new: the version stands
    assert releases.run("approved_model").success
    assert len(told) == 1

    releases.evaluate("two", 2.0, release="more-was-ingested-since")
    assert releases.run("approved_model").success
    assert told[1][1].days is None


def test_a_version_that_is_registered_begins_a_release_that_is_due_until_it_ends(
    releases: Releases,
) -> None:
    digest = releases.lake.manifest().digest
    releases.release("model a", 2.0, digest)
    assert not releases.lake.release_due()
    releases.evaluate("model b", 1.9, release="others")
    assert releases.run("approved_model").success
    assert releases.lake.release_due()
    releases.release("model a", 2.0, digest)
    assert not releases.lake.release_due()

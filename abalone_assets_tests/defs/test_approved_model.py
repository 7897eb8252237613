"""The end of a release: what the gate and people decide, and what the endpoint serves then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb
import polars as pl
import pytest

from abalone_assets.defs.deployment.endpoint import endpoint
from abalone_assets.defs.evaluation.approved_model import approved_model
from abalone_assets.defs.resources import profile_resources
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake, Preparation, Release
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.notes import Noted, ReleaseNotes
from abalone_assets.registry.version_facts import DataFacts, VersionFacts
from abalone_assets.serving.live_version import live_version
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.serving.support import new_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.registry.versions import ModelVersion

INTACT = {"misplaced": 0, "leaked": 0, "missing": 0, "foreign": 0}
INTACT |= {"near_twins": 0, "surveyed": 1000}
PROBE = ["M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15", 9.5]


@dg.asset(name="evaluation", io_manager_key="json")
def made_up_evaluation() -> None:
    """Stands for the assets before; `Releases.evaluate` writes what they would leave."""


@dataclass(frozen=True)
class Releases:
    """The end of a release, on an instance in memory: that is where most of the time would go."""

    home: Path
    instance: dg.DagsterInstance

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    @property
    def registry(self) -> FolderRegistry:
        return new_registry(self.home)

    @property
    def live(self) -> int | None:
        return live_version(load_settings())

    @property
    def last(self) -> Release:
        found = self.lake.release()
        assert found is not None
        return found

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """What the catalog answers."""
        file = str(self.home / "catalog.duckdb")
        with duckdb.connect(file, read_only=True) as connection:
            return list(connection.execute(query).fetchall())

    def evaluate(
        self, model: str, rmse: float, *, release: str = "r1", champion: Any = None, **known: Any
    ) -> None:
        """Leave the evaluation of a model in the lake, as the assets before do."""
        store = self.lake.store
        store.write(f"trained_model/{model}/output/model.tar.gz", model.encode())
        metrics = {"rmse": rmse, "rows": 209, "split": INTACT, "trained_on_train_split": True}
        metrics |= {"champion": champion, "reference": None}
        document = {
            "model_uri": store.uri_of(f"trained_model/{model}/output/model.tar.gz"),
            "release_digest": release,
            "metrics": {**metrics, "model_sha256": model},
            "probes": [PROBE],
            **known,
        }
        store.write_json(self.lake.key("evaluation", suffix="json"), document)
        self.lake.record_preparation(Preparation(release, 0, 0, 0))

    def compare(self, model: str, champion: int, *, release: str) -> None:
        """Leave the evaluation of a model as good as a live and desired version, made now."""
        self.evaluate(
            model,
            2.0,
            release=release,
            champion={"version": str(champion), "model_sha256": model},
            compared_at=datetime.now(UTC).isoformat(),
            desired_version=champion,
        )

    def run(self, *assets: str) -> dg.ExecuteInProcessResult:
        """The end of a release, or a part of it."""
        return dg.materialize(
            [made_up_evaluation, approved_model, endpoint],
            selection=dg.AssetSelection.assets(*(assets or ("approved_model", "endpoint"))),
            resources=dict(profile_resources(load_settings())),
            instance=self.instance,
            raise_on_error=False,
        )

    def release(self, model: str, rmse: float, digest: str) -> Release:
        """Evaluate a model and come to the end of its release."""
        self.evaluate(model, rmse, release=digest)
        assert self.run().success
        return self.last


@pytest.fixture
def releases(home: Path) -> Iterator[Releases]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Releases(home, instance)


def metadata(run: dg.ExecuteInProcessResult, of: str) -> dict[str, Any]:
    """What an asset's materialization shows."""
    (event,) = run.asset_materializations_for_node(of)
    return {name: value.value for name, value in event.metadata.items()}


def test_a_good_model_is_approved_and_deployed_with_the_probes_of_its_record(
    releases: Releases,
) -> None:
    releases.evaluate("one", 2.1)
    run = releases.run()
    assert releases.live == 1
    assert releases.registry.get(1).probes == [tuple(PROBE)]
    assert metadata(run, "approved_model")["version"] == 1
    assert metadata(run, "endpoint")["decision"].startswith("Approved: the first model")
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


def test_a_model_that_a_person_has_rejected_is_rejected_with_the_persons_reason(
    releases: Releases,
) -> None:
    releases.release("one", 2.1, "r1")
    releases.release("two", 2.0, "r2")
    releases.registry.reject(2, because="learnt from a broken scale", by="ana")
    ended = releases.release("two", 2.0, "r3")
    assert ended.outcome == "rejected"
    assert ended.reason.startswith("Rejected by ana on ")
    assert ended.reason.endswith(": learnt from a broken scale.")
    assert len(releases.registry.versions()) == 2


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


class TestMaterializingTheEndpointAlone:
    def test_makes_the_registrys_word_true_and_no_release_due(self, releases: Releases) -> None:
        releases.release("one", 2.1, "r1")
        releases.release("two", 2.9, "r2")
        releases.registry.approve(2, because="the scale was checked", by="ana")

        run = releases.run("endpoint")

        assert run.success
        assert releases.live == 2
        assert metadata(run, "endpoint")["decision"].endswith("the scale was checked.")
        ended = releases.last
        assert (ended.digest, ended.outcome, ended.version) == ("r2", "rejected", 2)
        assert ended.reason.startswith("Rejected: RMSE 2.900")

    def test_goes_back_to_a_version_of_other_data_and_makes_no_release_due(
        self, releases: Releases
    ) -> None:
        releases.release("one", 2.1, "r1")
        releases.release("two", 2.9, "r2")
        registry = releases.registry
        registry.approve(2, because="the scale was checked", by="ana")
        assert releases.run("endpoint").success
        registry.reject(2, because="it was not", by="ana")
        run = releases.run("endpoint")
        assert run.success
        assert releases.live == 1
        why = metadata(run, "endpoint")["decision"]
        assert why.startswith("In place of version 2: Rejected by ana on ")
        assert (releases.last.digest, releases.last.version) == ("r2", 2)

    def test_leaves_a_release_due_that_failed(self, releases: Releases) -> None:
        releases.release("one", 2.1, "r1")
        releases.release("two", 2.1, "r2")
        releases.evaluate("three", 2.0, release="r3")
        assert releases.run("approved_model").success  # and the deployment failed
        releases.registry.approve(1, because="three is suspect", by="ana")
        assert releases.run("endpoint").success
        assert (releases.live, releases.last.digest) == (1, "r2")

    def test_ends_the_release_whose_version_it_deploys(self, releases: Releases) -> None:
        releases.release("one", 2.1, "r1")
        releases.evaluate("two", 2.0, release="r2")
        assert releases.run("approved_model").success
        assert releases.run("endpoint").success
        ended = releases.last
        assert (ended.digest, ended.version, releases.live) == ("r2", 2, 2)

    def test_leaves_the_record_of_a_release_that_ended_although_its_version_returns(
        self, releases: Releases
    ) -> None:
        releases.release("one", 2.1, "r1")
        ended = releases.release("two", 2.0, "r2")
        for version in (1, 2):
            releases.registry.approve(version, because="checked", by="ana")
            assert releases.run("endpoint").success
        assert (releases.live, releases.last) == (2, ended)

    def test_fails_with_what_to_do_when_nothing_is_approved(self, releases: Releases) -> None:
        releases.evaluate("one", 2.9)
        assert releases.run("approved_model").success
        failed = releases.run("endpoint")
        assert not failed.success
        (event,) = [event for event in failed.all_events if event.is_step_failure]
        error = event.step_failure_data.error
        assert error is not None
        assert "no version is approved: approve one with `abalone approve" in error.message


def test_a_release_ends_although_a_person_wants_another_version_live(releases: Releases) -> None:
    """Were the release due again, it would be tried for ever."""
    releases.release("one", 2.1, "r1")
    releases.release("two", 2.0, "r2")
    releases.registry.approve(1, because="two drifts", by="ana")
    ended = releases.release("two", 2.0, "r3")  # the same model once more: no new approval
    assert (ended.digest, ended.outcome, ended.version) == ("r3", "overruled", 2)
    assert ended.reason.startswith("Approved: RMSE 2.000")
    assert " But version 1 is live. Approved by ana on " in ended.reason
    assert releases.live == 1


class TestAPersonWhoDecidesWhileAReleaseRuns:
    @pytest.mark.parametrize("goes_back_by", ["approve", "reject"])
    def test_is_not_undone_by_a_model_that_was_compared_with_another_version(
        self, releases: Releases, goes_back_by: str
    ) -> None:
        releases.release("one", 2.1, "r1")
        releases.release("two", 2.0, "r2")
        releases.compare("three", 2, release="r3")
        version = 1 if goes_back_by == "approve" else 2
        getattr(releases.registry, goes_back_by)(version, because="two drifts", by="ana")
        assert releases.run().success
        ended = releases.last
        assert (ended.digest, ended.outcome, ended.version) == ("r3", "rejected", 3)
        assert ended.reason == (
            "Rejected: version 1 became the one that should be live while this model was evaluated"
            " against version 2; the next release compares them."
        )
        assert releases.registry.get(3).decision["rule"] == "champion_changed"
        assert releases.run("endpoint").success
        assert releases.live == 1

    @pytest.mark.parametrize(("word", "live"), [("approve", 1), ("reject", 2)])
    def test_has_the_later_word_even_on_the_version_that_was_compared(
        self, releases: Releases, word: str, live: int
    ) -> None:
        """What is compared with a version that a person takes away is judged alone."""
        releases.release("one", 2.1, "r1")
        releases.compare("two", 1, release="r2")
        getattr(releases.registry, word)(1, because="it is the old scale's", by="ana")
        assert releases.run().success
        assert releases.registry.get(2).approved
        outcome = "overruled" if word == "approve" else "deployed"
        assert (releases.live, releases.last.outcome) == (live, outcome)

    def test_before_the_comparison_is_followed_by_a_model_that_held(
        self, releases: Releases
    ) -> None:
        releases.release("one", 2.1, "r1")
        releases.release("two", 2.0, "r2")
        releases.registry.approve(1, because="two drifts", by="ana")
        releases.compare("three", 1, release="r3")
        assert releases.run().success
        assert (releases.live, releases.last.outcome) == (3, "deployed")

    def test_leaves_the_release_of_a_version_that_failed_to_deploy_its_champion(
        self, releases: Releases
    ) -> None:
        releases.release("one", 2.1, "r1")
        releases.evaluate("two", 2.0, release="r2")
        assert releases.run("approved_model").success  # and the deployment failed
        live = {"version": "1", "model_sha256": "three"}
        releases.evaluate("three", 2.0, release="r3", champion=live, desired_version=2)
        assert releases.run().success
        assert (releases.live, releases.last.outcome) == (3, "deployed")


@pytest.mark.parametrize("document", [{"version": 1, "reason": "", "evaluation": {}}, None])
def test_what_an_older_release_left_is_no_obstacle(releases: Releases, document: Any) -> None:
    releases.release("one", 2.1, "r1")
    key = releases.lake.key("approved_model", suffix="json")
    if document is None:
        releases.lake.store.delete(key)
    else:
        releases.lake.store.write_json(key, document)
    assert releases.run("endpoint").success
    assert releases.last.digest == "r1"


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

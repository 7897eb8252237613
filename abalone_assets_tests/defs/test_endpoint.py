"""The endpoint materialized alone, beside releases that ended, failed or are due."""

from __future__ import annotations

from typing import Any

import pytest

from abalone_assets_tests.defs.releases import Releases, metadata


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

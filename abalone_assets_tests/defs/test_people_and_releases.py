"""People who decide on versions before, while and after a release comes to its end."""

from __future__ import annotations

import pytest

from abalone_assets_tests.defs.releases import Releases


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

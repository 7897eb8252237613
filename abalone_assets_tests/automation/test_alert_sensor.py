"""The sensor that tells people: what is a matter, and that each is told once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.alerts import matters
from abalone_assets.alerts.recipients import AlertError
from abalone_assets.lake.names import DRIFT_REPORT
from abalone_assets.lake.releases import Release
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import block, launch, name_of, requests
from abalone_assets_tests.automation.told import DAY, finish, tick, titles
from abalone_assets_tests.support.inbox import Webhook
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from abalone_assets_tests.support.platform import Platform


def test_nobody_is_told_while_nobody_is_named(platform: Platform) -> None:
    finish(platform, "rejected", 3)
    assert tick(platform) == "ABALONE_NOTIFY names nobody to tell"
    assert platform.lake.store.find(matters.TOLD_KEY) is None


def test_a_rejected_model_is_told_once_and_when_a_better_one_is_deployed(
    platform: Platform, hook: Webhook
) -> None:
    assert tick(platform) == "nothing is new"
    finish(platform, "rejected", 3)
    assert tick(platform) == "told json://…: abalone: model version 3 was rejected"
    assert "Rejected: too far off. `abalone approve 3` overrules" in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"
    finish(platform, "rejected", 4)
    tick(platform)
    finish(platform, "deployed", 5)
    tick(platform)
    assert titles(hook) == [
        "model version 3 was rejected",
        "model version 4 was rejected",
        "over: model version 4 was rejected",
    ]


def test_a_release_without_a_model_is_told_as_that(platform: Platform, hook: Webhook) -> None:
    for digest in ("one", "two"):
        release = Release(digest, "rejected", "Too few rows.", None, "a run", "2025-03-03")
        platform.lake.record_release(release)
        tick(platform)
    assert titles(hook) == ["the last release made no model"] * 2
    assert "None" not in str(hook.posted)


def test_a_rejection_that_a_person_overruled_is_over(platform: Platform, hook: Webhook) -> None:
    registry = FolderRegistry(ObjectStore(platform.home / "registry"))
    version = registry.register(
        b"an archive",
        evaluation={"model_sha256": "a"},
        decision={"approved": False, "reason": "too far off", "rule": "above_max_rmse"},
        release_digest="digest",
    )
    finish(platform, "rejected", version.version)
    tick(platform)
    registry.approve(version.version, because="it is right", by="ana")
    tick(platform)
    assert titles(hook)[1:] == ["over: model version 1 was rejected"]


def test_a_failed_job_is_told_with_its_error_and_not_while_it_is_tried_again(
    platform: Platform, hook: Webhook
) -> None:
    in_the_way = block(platform, "new_surveys")
    platform.land(name_of(DAY), survey_rows(3))
    (request,) = requests(platform)
    assert not platform.run("ingest_surveys", request, raise_on_error=False).success
    again = launch(platform, request)
    assert tick(platform) == "nothing is new"
    platform.instance.delete_run(again.run_id)
    tick(platform)
    (told,) = hook.posted
    assert told["title"] == "abalone: the job ingest_surveys failed"
    assert "failed once, last at " in told["message"]
    assert "new_surveys" in told["message"].partition("in run ")[2]
    in_the_way.unlink()
    assert platform.run("ingest_surveys", request).success
    tick(platform)
    assert titles(hook)[1:] == ["over: the job ingest_surveys failed"]


def test_a_new_instance_knows_of_no_run_and_so_of_nothing_that_is_over(
    platform: Platform, hook: Webhook
) -> None:
    matter = {"title": "the job release failed", "instance": "", "since": "2025-03-03T00:00"}
    told = {"format": 1, "matters": {"job:release": matter, "strays": matter}, "sent_at": ""}
    platform.lake.store.write_json(matters.TOLD_KEY, told)
    assert tick(platform) == "nothing is new"
    assert hook.posted == []


def test_a_run_that_somebody_stopped_is_no_failure(platform: Platform, hook: Webhook) -> None:
    run = launch(platform, dg.RunRequest())
    platform.instance.report_run_canceled(run)
    assert tick(platform) == "nothing is new"
    assert hook.posted == []


def test_drift_is_told(platform: Platform, hook: Webhook) -> None:
    features = [
        {"feature": "shell_weight", "psi": 0.4, "drifted": True},
        {"feature": "sex", "psi": 0.0, "drifted": False},
    ]
    key = platform.lake.key(DRIFT_REPORT, suffix="json")
    platform.lake.store.write_json(key, {"last": DAY, "animals": 500, "features": features})
    tick(platform)
    assert titles(hook) == ["requests have drifted: shell weight"]
    assert "All of it: http://127.0.0.1:8080/drift" in hook.posted[0]["message"]


def test_a_silent_endpoint_is_told_at_the_second_look(platform: Platform, hook: Webhook) -> None:
    publish_pointer(ObjectStore(platform.home / "registry"), "abalone", 1)
    assert tick(platform) == "nothing is new"
    tick(platform)
    (told,) = titles(hook)
    assert told.startswith("endpoint abalone does not answer, and should serve version 1: is ")


def test_an_endpoint_without_a_model_is_told_once_there_should_be_one(
    platform: Platform, hook: Webhook
) -> None:
    for _ in range(2):
        assert tick(platform) == "nothing is new"  # nothing was ever released
    finish(platform, "deployed", 1)
    assert tick(platform) == "nothing is new"
    tick(platform)
    (told,) = titles(hook)
    assert told.startswith("endpoint abalone has no model, though one was released: `abalone")
    assert tick(platform) == "nothing is new"


def test_a_rejection_says_whether_anything_answers(platform: Platform, hook: Webhook) -> None:
    finish(platform, "rejected", 3)
    tick(platform)
    assert "was rejected, and the endpoint has no model yet." in hook.posted[0]["message"]
    assert tick(platform) == "nothing is new"  # which is no second matter
    publish_pointer(ObjectStore(platform.home / "registry"), "abalone", 1)
    finish(platform, "rejected", 4)
    tick(platform)
    assert "was rejected, and the endpoint keeps what it serves." in hook.posted[1]["message"]


def test_when_nobody_can_be_told_the_next_tick_tries_again(
    platform: Platform, hook: Webhook
) -> None:
    hook.broken = True
    finish(platform, "rejected", 3)
    with pytest.raises(AlertError, match="did not take the message"):
        tick(platform)
    hook.broken = False
    assert tick(platform).startswith("told json://…")


def test_ten_minutes_lie_between_two_messages(
    platform: Platform, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(platform, "rejected", 3)
    tick(platform)
    monkeypatch.setattr(matters, "QUIET", timedelta(minutes=10))
    finish(platform, "rejected", 4)
    assert "ten minutes after the last message" in tick(platform)
    assert len(hook.posted) == 1

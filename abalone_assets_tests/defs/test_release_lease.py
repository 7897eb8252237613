"""Releases of one lake, whoever starts them: one at a time, and none by who has lost the lake."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.lake.lease import LEASE_KEY, HeldLease, read_lease
from abalone_assets.resources.ml_platform import LocalMLPlatform
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.serving.local_endpoint import LocalEndpoint
from abalone_assets.serving.pointer import pointer_key
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import (
    RELEASE,
    RELEASE_SENSOR,
    files_below,
    requests,
)

if TYPE_CHECKING:
    from abalone_assets_tests.support.platform import Platform


def take_over(platform: Platform) -> None:
    """Have another machine's run hold the lake."""
    now = datetime.now(UTC).isoformat()

    def taken(found: dict[str, Any] | None) -> dict[str, Any]:
        token = (found or {}).get("token", 0) + 1
        place = {"machine": "elsewhere", "process": "1", "since": now, "renewed_at": now}
        return {"holder": "another run", "token": token, "renewals": 0, **place}

    platform.lake.store.update_json(LEASE_KEY, taken)


def failures_of(platform: Platform, result: dg.ExecuteInProcessResult) -> list[str]:
    failed = [event for event in result.all_events if event.is_step_failure]
    errors = [event.step_failure_data.error for event in failed]
    return [str(error.cause or error) for error in errors if error]


def test_a_release_whose_lease_was_taken_over_registers_and_deploys_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = LocalMLPlatform.train

    def out_of_touch(*arguments: Any) -> Any:
        trained = train(*arguments)
        take_over(platform)
        return trained

    monkeypatch.setattr(LocalMLPlatform, "train", out_of_touch)
    (request,) = requests(platform, RELEASE_SENSOR)
    result = platform.run(RELEASE, request, raise_on_error=False)
    (why,) = failures_of(platform, result)
    assert "run another run" in why
    assert "took the lake over: it ends here, and deploys nothing" in why
    assert files_below(platform.home / "registry") == {}
    assert platform.lake.release() is None
    assert read_lease(platform.lake.store).holder == "another run"


def test_every_step_of_a_release_holds_the_lease_before_and_after_what_two_must_not_do(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``prepare`` and ``endpoint`` look again before they record what they have written.

    And ``prepare`` before what it has written takes the place of what was there.
    """
    held: list[tuple[str, bool]] = []
    hold, lake = ReleaseLease.hold, platform.lake

    def seen(lease: ReleaseLease, context: dg.AssetExecutionContext) -> None:
        step = context.op_execution_context.op.name
        written = lake.store.find("merged_dataset/data.parquet") if step == "prepare" else None
        if step == "endpoint":
            written = ObjectStore(platform.home / "registry").find(pointer_key("abalone"))
        held.append((step, written is not None))
        hold(lease, context)

    monkeypatch.setattr(ReleaseLease, "hold", seen)
    (request,) = requests(platform, RELEASE_SENSOR)
    assert platform.run(RELEASE, request).success
    assert sorted(held) == sorted(
        [
            *((step, False) for step in ("raw_abalone", "trained_model", "evaluation")),
            *((step, False) for step in ("approved_model", "evaluation_report", "prepare")),
            *((step, done) for step in ("prepare", "endpoint") for done in (False, True)),
        ]
    )


def test_a_release_that_was_taken_over_while_it_deployed_records_no_end(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy = LocalEndpoint.deploy

    def out_of_touch(*arguments: Any, **options: Any) -> Any:
        deployed = deploy(*arguments, **options)
        take_over(platform)
        return deployed

    monkeypatch.setattr(LocalEndpoint, "deploy", out_of_touch)
    (request,) = requests(platform, RELEASE_SENSOR)
    result = platform.run(RELEASE, request, raise_on_error=False)
    assert "took the lake over" in failures_of(platform, result)[0]
    assert platform.lake.release() is None
    assert platform.lake.release_due()


def test_a_release_that_another_holds_off_fails_and_the_next_one_does_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = requests(platform, RELEASE_SENSOR)
    take_over(platform)
    assert requests(platform, RELEASE_SENSOR) == []
    reason = platform.reasons[RELEASE_SENSOR] or ""
    assert reason.startswith("another Dagster instance releases: run another run (since ")
    monkeypatch.setitem(HeldLease.acquire.__kwdefaults__ or {}, "wait_seconds", 0)
    held_off = platform.run(RELEASE, request, raise_on_error=False)
    assert not held_off.success
    assert "another run" in failures_of(platform, held_off)[0]
    assert not platform.lake.store.find("merged_dataset/data.parquet")
    platform.lake.store.delete(LEASE_KEY)
    assert platform.run(RELEASE, request).success
    assert read_lease(platform.lake.store).holder == ""
    assert not platform.lake.release_due()

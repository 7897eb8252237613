"""Which archives of model versions stay: all that anybody may need, and a bounded number more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.overrides import Override
from abalone_assets.registry.versions import ModelVersion
from abalone_assets.retention.versions import (
    VersionRules,
    reasons_to_keep,
    version_archives,
    versions_needed,
)
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.registry.support import add

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.modeling.evaluation.gate_rules import Rule

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
RULES = VersionRules(newest=3, days=10)


def version(number: int, *, days_ago: float, approved: bool = True, by: str = "") -> ModelVersion:
    at = (NOW - timedelta(days=days_ago)).isoformat()
    overrides = (Override(approved, "so", by, at),) if by else ()
    decision = {"approved": approved and not by, "reason": ""}
    return ModelVersion(number, "", at, {}, decision, "", f"{number}", overrides)


def kept(versions: list[ModelVersion], rules: VersionRules = RULES) -> list[int]:
    return sorted(reasons_to_keep(versions, {}, rules, NOW))


def test_the_newest_stay_and_as_many_that_are_approved() -> None:
    versions = [version(n, days_ago=100 - n, approved=n < 50) for n in range(1, 61)]

    assert kept(versions) == [47, 48, 49, 58, 59, 60]


def test_of_each_of_the_last_days_the_last_that_was_approved_stays() -> None:
    often = [version(n, days_ago=20 - n / 4) for n in range(1, 77)]  # four a day

    reasons = reasons_to_keep(often, {}, RULES, NOW)

    days = [each for each, reason in reasons.items() if "on a day" in reason]
    approved_on = [often[each - 1].created_at[:10] for each in sorted(days)]
    assert len(reasons) <= RULES.days + 1 + 2 * RULES.newest
    assert approved_on == sorted(set(approved_on))
    assert len(approved_on) >= RULES.days - 2


def test_a_version_that_a_person_approved_stays_for_ever_and_one_that_is_needed() -> None:
    old = [version(1, days_ago=900), version(2, days_ago=890, by="ana"), version(3, days_ago=880)]
    versions = [*old, *(version(n, days_ago=100 - n) for n in range(4, 20))]

    reasons = reasons_to_keep(versions, {3: "the champion"}, RULES, NOW)

    assert reasons[2] == "approved by a person"
    assert reasons[3] == "the champion"
    assert 1 not in reasons


def test_however_often_models_are_released_a_bounded_number_stays() -> None:
    counts = [
        len(kept([version(n, days_ago=(many - n) / 100) for n in range(1, many + 1)]))
        for many in (500, 1000, 3000)
    ]

    assert counts[2] <= RULES.days + 1 + 2 * RULES.newest
    assert counts[1] == counts[2]


@pytest.fixture
def registry(home: Path) -> FolderRegistry:
    """A registry of six versions: 2 is live with 1 behind it, 3 and 6 are better, 4 and 5 not."""
    registry = FolderRegistry(ObjectStore(home / "registry"))
    for number in range(1, 7):
        better = number in {1, 3}
        rule: Rule = "better_than_champion" if better else "holds_against_champion"
        champion = {"version": str(number - 1)} if number > 1 else None
        add(registry, f"m{number}", rule=rule, champion=champion)
    for number in (1, 2):
        publish_pointer(registry.store, "abalone", number)
    return registry


def archives_after_gc(registry: FolderRegistry, needed: dict[int, str]) -> list[int]:
    version_archives(registry, needed, load_settings(), datetime.now(UTC) + timedelta(9)).free()
    return sorted(registry.archives())


def test_what_is_live_what_it_returns_to_and_what_is_to_be_live_is_needed(
    registry: FolderRegistry,
) -> None:
    needed = versions_needed(registry, load_settings(), evaluated=[4])

    assert needed.keys() >= {1, 2, 4, 6}
    assert needed[6] == "the version that should be live"
    assert needed[2] == "the champion"
    assert needed[4] == "compared with in the last evaluation"
    assert 5 not in needed


def test_the_version_that_an_endpoint_would_return_to_is_needed(registry: FolderRegistry) -> None:
    for number in (4, 5):
        publish_pointer(registry.store, "another", number)

    needed = versions_needed(registry, load_settings())

    assert needed[4] == needed[5] == "named by an endpoint, to serve or to return to"


def test_the_reference_that_the_next_model_is_held_against_is_needed(
    registry: FolderRegistry,
) -> None:
    publish_pointer(registry.store, "abalone", 6)

    assert registry.reference_version(6) == 3
    assert versions_needed(registry, load_settings())[3] == "a reference for the next model"


def test_a_removed_archive_leaves_the_record_and_is_told_when_somebody_wants_it(
    registry: FolderRegistry,
) -> None:
    assert archives_after_gc(registry, versions_needed(registry, load_settings())) != [
        1,
        2,
        3,
        4,
        5,
        6,
    ]

    assert [each.version for each in registry.versions()] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(StorageError, match=r"archive of version 5 is gone.*ABALONE_KEEP_VERSIONS"):
        registry.read_model(5)
    with pytest.raises(StorageError, match="archive of version 5 is gone"):
        registry.approve(5, because="the best", by="ana")
    assert registry.get(5).overrides == ()
    registry.reject(5, because="no", by="ana")  # which needs no archive


def test_a_version_that_a_person_approved_after_the_look_is_not_removed(
    registry: FolderRegistry,
) -> None:
    settings, later = load_settings(), datetime.now(UTC) + timedelta(9)
    kind = version_archives(registry, versions_needed(registry, settings), settings, later)
    assert "5" in {thing.name for thing in kind.surplus}

    registry.approve(5, because="the best", by="ana")

    assert "5" not in {thing.name for thing in kind.free()}
    assert registry.read_model(5)


def test_an_archive_without_a_version_goes_after_a_day_but_its_number_is_not_given_again(
    registry: FolderRegistry,
) -> None:
    keep = dict.fromkeys(range(1, 7), "needed")
    registry.store.write("versions/000007/model.tar.gz", b"cut short")
    assert archives_after_gc(registry, keep) == [1, 2, 3, 4, 5, 6, 7]

    add(registry, "m8")
    now = version_archives(registry, keep | {8: "needed"}, load_settings(), datetime.now(UTC))
    assert now.surplus == []

    assert archives_after_gc(registry, keep | {8: "needed"}) == [1, 2, 3, 4, 5, 6, 8]

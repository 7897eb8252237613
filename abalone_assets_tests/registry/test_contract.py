"""What every model registry does: in a folder, on S3, and with SageMaker's model packages."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.registry.overrides import append_override
from abalone_assets.registry.versions import UnknownVersionError
from abalone_assets_tests.registry.support import add, archive
from abalone_assets_tests.serving.support import local_prediction, tiny_archive

if TYPE_CHECKING:
    from abalone_assets.registry.registry import ModelRegistry


def test_an_empty_registry_has_no_version(registry: ModelRegistry) -> None:
    assert registry.versions() == registry.candidates() == []
    assert registry.latest() is registry.desired_version() is None


def test_the_newest_come_first_and_only_those_before_a_number_if_one_is_given(
    registry: ModelRegistry,
) -> None:
    for model in ("one", "two", "three"):
        add(registry, model)
    assert [each.version for each in registry.newest_first()] == [3, 2, 1]
    assert [each.version for each in registry.newest_first(before=3)] == [2, 1]
    assert next(registry.newest_first(before=1), None) is None


def test_versions_are_numbered_from_one_and_read_back_whole(registry: ModelRegistry) -> None:
    first = add(registry, "a")
    second = add(registry, "b", release="r2", rmse=2.0)

    assert [first.version, second.version] == [1, 2]
    assert registry.versions() == [first, second]
    assert registry.latest() == second
    assert registry.get(1) == first
    assert second.evaluation == {"rmse": 2.0, "model_sha256": "b"}
    assert second.decision == {"approved": True, "reason": "as measured", "rule": ""}
    assert second.release_digest == "r2"
    age = datetime.now(UTC) - datetime.fromisoformat(first.created_at)
    assert abs(age.total_seconds()) < 60
    assert first.created_at.endswith("+00:00")


def test_an_archive_is_kept_under_its_digest_and_told_by_its_uri(registry: ModelRegistry) -> None:
    known = add(registry, "a")

    assert registry.read_model(1) == archive("a at noon")
    assert known.archive_sha256 == hashlib.sha256(archive("a at noon")).hexdigest()
    assert registry.model_uri(1) == registry.store.uri_of(known.model_key)


def test_an_altered_archive_is_refused(registry: ModelRegistry) -> None:
    known = add(registry, "a")
    registry.store.write(known.model_key, b"another")
    with pytest.raises(ModelArchiveError, match=r"SHA-256 is .* registered was"):
        registry.read_model(1)


def test_a_version_that_does_not_exist_is_told_with_those_that_do(registry: ModelRegistry) -> None:
    add(registry, "a")
    add(registry, "b")
    message = r"no model version 7; registered versions: 1, 2$"
    for ask in (registry.get, registry.read_model, registry.reference_version):
        with pytest.raises(UnknownVersionError, match=message):
            ask(7)
    with pytest.raises(UnknownVersionError, match=message):
        registry.approve(7, because="why not", by="ana")


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ({"evaluation": {"rmse": float("nan")}}, "evaluation is not a JSON document"),
        ({"decision": {"approved": object()}}, "decision is not a JSON document"),
    ],
    ids=["nan", "not json"],
)
def test_a_registration_that_cannot_be_kept_leaves_nothing_behind(
    registry: ModelRegistry, documents: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {"evaluation": {}, "decision": {}, "release_digest": "r1"}
    with pytest.raises(StorageError, match=message):
        registry.register(archive("a"), **arguments | documents)
    with pytest.raises((StorageError, ModelArchiveError)):
        registry.register(b"", **arguments)
    assert list(registry.store.list()) == []
    assert registry.versions() == []


class TestTheSameModel:
    def test_trained_again_is_the_latest_version(self, registry: ModelRegistry) -> None:
        first = add(registry, "a")
        assert add(registry, "a", trained_at="one", release="r2") == first
        assert registry.versions() == [first]

    def test_that_comes_back_after_another_is_a_new_version(self, registry: ModelRegistry) -> None:
        add(registry, "a")
        add(registry, "b")
        assert add(registry, "a").version == 3

    def test_is_not_told_without_a_digest(self, registry: ModelRegistry) -> None:
        add(registry, "a", model_sha256=None, rmse=2.1)
        assert add(registry, "a", model_sha256=None, rmse=2.2).version == 2

    def test_stays_rejected_when_a_person_has_rejected_it(self, registry: ModelRegistry) -> None:
        add(registry, "a")
        add(registry, "b", release="r2")
        rejected = registry.reject(1, because="learnt from a broken scale", by="ana")

        assert add(registry, "a", trained_at="one", release="r3") == rejected
        assert len(registry.versions()) == 2


def test_a_rejected_model_is_a_version_too(registry: ModelRegistry) -> None:
    first = add(registry, "a")
    second = add(registry, "b", approved=False)

    assert (second.version, second.approved) == (2, False)
    assert registry.versions() == [first, second]
    assert registry.latest() == second
    assert registry.desired_version() == first
    assert registry.candidates() == [first]


def test_the_reference_of_each_champion_is_the_last_that_was_more_than_as_good(
    registry: ModelRegistry,
) -> None:
    add(registry, "a", rule="first_model", champion=None)
    add(registry, "b", rule="better_than_champion", champion={"version": "1"})
    add(registry, "c", rule="holds_against_champion", champion={"version": "2"})
    add(registry, "d", rule="holds_against_champion", champion={"version": "3"})

    assert [registry.reference_version(live) for live in range(1, 5)] == [1, 2, 2, 2]
    registry.reject(2, because="bad scale", by="ana")
    assert registry.reference_version(4) == 1
    registry.approve(3, because="better on old animals", by="ana")
    assert registry.reference_version(4) == 3


def test_the_probes_of_a_deployment_are_kept_with_the_version(registry: ModelRegistry) -> None:
    known = add(registry, "a", probes=[["M,0.5", 9.5]])
    assert registry.probes(registry.get(1)) == known.probes == [("M,0.5", 9.5)]


def test_a_version_without_probes_is_asked_about_animals_by_its_archive(
    registry: ModelRegistry,
) -> None:
    """A version that was registered before probes were kept could not be deployed again."""
    packed = tiny_archive(0)
    known = registry.register(packed, evaluation={}, decision={}, release_digest="r1")
    probes = registry.probes(known)
    body = "".join(f"{line}\n" for line, _ in probes)
    assert [rings for _, rings in probes] == local_prediction(packed, body)


class TestPeople:
    def test_may_approve_what_the_gate_rejected(self, registry: ModelRegistry) -> None:
        add(registry, "a")
        add(registry, "b", approved=False)

        known = registry.approve(2, because="new  scale,\nchecked", by="ana")

        assert (known.approved, known.status) == (True, "approved by ana")
        assert known.last_override is not None
        assert known.last_override.because == "new scale, checked"
        assert registry.desired_version() == known == registry.get(2)

    def test_may_reject_what_the_gate_approved(self, registry: ModelRegistry) -> None:
        first = add(registry, "a")
        add(registry, "b")

        known = registry.reject(2, because="bad day", by="ben")

        assert not known.approved
        assert registry.desired_version() == first
        assert registry.candidates() == [first, known]

    def test_may_go_back_to_an_old_version_until_the_gate_approves_another(
        self, registry: ModelRegistry
    ) -> None:
        add(registry, "a")
        add(registry, "b")
        assert registry.desired_version() == registry.get(2)

        persons = registry.approve(1, because="the new one drifts", by="ana")
        assert registry.desired_version() == persons

        third = add(registry, "c", compared_at=datetime.now(UTC).isoformat())
        assert registry.candidates() == [persons, third]
        assert registry.desired_version() == third

    def test_are_heard_once(self, registry: ModelRegistry) -> None:
        add(registry, "a")
        approved = registry.approve(1, because="checked", by="ana")
        assert registry.approve(1, because="checked again", by="ben") == approved
        rejected = registry.reject(1, because="wrong", by="ana")
        assert registry.reject(1, because="wrong again", by="ben") == rejected
        assert [each.because for each in rejected.overrides] == ["checked", "wrong"]

    def test_are_heard_again_when_their_word_was_overtaken(self, registry: ModelRegistry) -> None:
        add(registry, "a")
        add(registry, "b")
        registry.approve(1, because="first", by="ana")
        registry.approve(2, because="second", by="ana")

        assert len(registry.approve(1, because="third", by="ana").overrides) == 2
        assert registry.desired_version() == registry.get(1)

    def test_are_obeyed_although_their_clock_is_late(self, registry: ModelRegistry) -> None:
        add(registry, "a")
        add(registry, "b")
        registry.approve(1, because="checked", by="ana", at=datetime(2025, 3, 1, tzinfo=UTC))
        assert registry.desired_version() == registry.get(1)

    def test_decide_at_the_same_time_and_none_is_lost(self, registry: ModelRegistry) -> None:
        add(registry, "a")
        first = registry.approve(1, because="0", by="ana").overrides[0]
        (key,) = [each.key for each in registry.store.list() if "overrides" in each.key]
        with ThreadPoolExecutor(8) as pool:
            for number in range(1, 12):
                override = replace(first, because=str(number))
                pool.submit(append_override, registry.store, key, override)
        reasons = [override.because for override in registry.get(1).overrides]
        assert sorted(map(int, reasons)) == list(range(12))

    def test_whose_decisions_are_damaged_are_told_where(self, registry: ModelRegistry) -> None:
        add(registry, "a")
        registry.approve(1, because="checked", by="ana")
        (key,) = [each.key for each in registry.store.list() if "overrides" in each.key]
        registry.store.write_json(key, [{"approved": True}])
        with pytest.raises(StorageError, match=rf"{key}: 0\.because: field required; restore"):
            registry.get(1)


def test_a_damaged_record_is_named(registry: ModelRegistry) -> None:
    add(registry, "a")
    (key,) = [
        each.key
        for each in registry.store.list()
        if each.key.endswith(("/version.json", "/registration.json"))
    ]
    registry.store.write(key, b"{}")
    with pytest.raises(StorageError, match=rf"{key}: .*: field required; .*register the model"):
        registry.get(1)

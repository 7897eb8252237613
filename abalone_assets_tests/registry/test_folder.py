from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.registry.folder import ModelRegistry
from abalone_assets.registry.overrides import Override, append_override
from abalone_assets.registry.versions import UnknownVersionError
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import (
    CREATED_AT,
    local_prediction,
    register,
    tiny_archive,
)

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.versions import ModelVersion


def test_versions_are_numbered_from_one_and_read_back_whole(registry: ModelRegistry) -> None:
    first = register(registry, b"one")
    second = register(registry, b"two")

    assert [first.version, second.version] == [1, 2]
    assert registry.versions() == [first, second]
    assert registry.latest() == second
    assert registry.get(1) == first
    assert registry.read_model(1) == b"one"
    assert first.model_key == "versions/000001/model.tar.gz"


def test_an_empty_registry_has_no_latest_version(registry: ModelRegistry) -> None:
    assert registry.versions() == []
    assert registry.latest() is None


def register_model(
    registry: ModelRegistry,
    archive: bytes,
    release: str,
    *,
    approved: bool = True,
    **evaluation: Any,
) -> ModelVersion:
    return registry.register(
        archive,
        evaluation=evaluation,
        decision={"approved": approved},
        release_digest=release,
        created_at=CREATED_AT,
    )


def test_the_same_model_trained_again_for_the_same_release_is_the_latest_version(
    registry: ModelRegistry,
) -> None:
    first = register_model(registry, b"trained at noon", "r1", model_sha256="a")

    assert register_model(registry, b"trained at one", "r1", model_sha256="a") == first
    assert registry.versions() == [first]


def test_another_model_is_another_version_the_same_one_in_another_release_is_not(
    registry: ModelRegistry,
) -> None:
    register_model(registry, b"one", "r1", model_sha256="a")

    assert register_model(registry, b"one", "r1", model_sha256="b").version == 2
    assert register_model(registry, b"two", "r2", model_sha256="b").version == 2
    assert register_model(registry, b"one", "r1", model_sha256="a").version == 3


def test_models_without_a_digest_are_never_taken_for_the_same(registry: ModelRegistry) -> None:
    register_model(registry, b"one", "r1", rmse=2.1)
    assert register_model(registry, b"one", "r1", rmse=2.1).version == 2


def test_a_version_names_the_digest_of_its_archive_beside_that_of_its_booster(
    registry: ModelRegistry,
) -> None:
    entry = register_model(registry, b"one", "r1", model_sha256="of the booster")
    assert entry.archive_sha256 == hashlib.sha256(b"one").hexdigest()
    assert entry.evaluation["model_sha256"] == "of the booster"


def test_a_rejected_model_is_a_version_too(registry: ModelRegistry) -> None:
    first = register_model(registry, b"one", "r1", model_sha256="a")
    second = register_model(registry, b"two", "r2", approved=False, model_sha256="b")

    assert (second.version, second.approved) == (2, False)
    assert registry.versions() == [first, second]
    assert registry.latest() == second
    assert registry.desired_version() == first
    assert registry.contenders() == [first]


def register_line(registry: ModelRegistry) -> None:
    """Two that set a mark, and two that are merely as good as the second."""
    for number, (rule, champion) in enumerate(
        [
            ("first_model", None),
            ("better_than_champion", {"version": "1"}),
            ("holds_against_champion", {"version": "2"}),
            ("holds_against_champion", {"version": "3"}),
        ]
    ):
        registry.register(
            f"model {number}".encode(),
            evaluation={"champion": champion},
            decision={"approved": True, "rule": rule},
            release_digest="r",
            created_at=CREATED_AT,
        )


def test_the_reference_of_each_champion_is_the_last_that_set_a_mark(
    registry: ModelRegistry,
) -> None:
    register_line(registry)
    assert [registry.reference_version(live) for live in range(1, 5)] == [1, 2, 2, 2]
    registry.reject(2, because="bad scale", by="ana")
    assert registry.reference_version(4) == 1
    registry.approve(3, because="better on old animals", by="ana")
    assert registry.reference_version(4) == 3
    with pytest.raises(UnknownVersionError, match="no model version 9"):
        registry.reference_version(9)


def test_a_record_that_was_deleted_does_not_lower_the_bar(registry: ModelRegistry) -> None:
    register_line(registry)
    registry.store.delete("versions/000003/version.json")
    assert registry.reference_version(4) == 2
    registry.store.delete("versions/000002/version.json")
    assert registry.reference_version(4) == 1


def test_the_probes_of_a_deployment_are_kept_with_the_version(registry: ModelRegistry) -> None:
    entry = register_model(registry, b"one", "r1", probes=[["M,0.5", 9.5]])
    assert registry.probes(registry.get(1)) == entry.probes == [("M,0.5", 9.5)]


def test_a_version_without_probes_is_asked_about_animals_by_its_archive(
    registry: ModelRegistry,
) -> None:
    """A version that was registered before probes were kept could not be deployed again."""
    archive = tiny_archive(0)
    probes = registry.probes(register_model(registry, archive, "r1"))
    body = "".join(f"{line}\n" for line, _ in probes)
    assert [rings for _, rings in probes] == local_prediction(archive, body)


class TestPeople:
    def test_may_approve_what_the_gate_rejected(self, registry: ModelRegistry) -> None:
        register_model(registry, b"one", "r1")
        register_model(registry, b"two", "r2", approved=False)

        known = registry.approve(2, because="new  scale,\nchecked", by="ana")

        assert (known.approved, known.standing) == (True, "approved by ana")
        assert known.last_override is not None
        assert known.last_override.because == "new scale, checked"
        assert registry.desired_version() == known == registry.get(2)

    def test_may_reject_what_the_gate_approved(self, registry: ModelRegistry) -> None:
        first = register_model(registry, b"one", "r1")
        register_model(registry, b"two", "r2")

        known = registry.reject(2, because="bad day", by="ben")

        assert not known.approved
        assert registry.desired_version() == first
        assert registry.contenders() == [first, known]

    def test_may_go_back_to_an_old_version_until_the_gate_approves_another(
        self, registry: ModelRegistry
    ) -> None:
        for archive in (b"one", b"two"):
            register_model(registry, archive, "r")
        assert registry.desired_version() == registry.get(2)

        registry.approve(1, because="the new one drifts", by="ana")
        assert registry.desired_version() == registry.get(1)

        now = datetime.now(UTC)
        third = registry.register(
            b"three",
            evaluation={},
            decision={"approved": True},
            release_digest="r",
            created_at=now,
        )
        assert registry.desired_version() == third

    def test_are_heard_once(self, registry: ModelRegistry) -> None:
        register_model(registry, b"one", "r1")
        approved = registry.approve(1, because="checked", by="ana")
        assert registry.approve(1, because="checked again", by="ben") == approved
        rejected = registry.reject(1, because="wrong", by="ana")
        assert registry.reject(1, because="wrong again", by="ben") == rejected
        assert [each.because for each in rejected.overrides] == ["checked", "wrong"]

    def test_are_heard_again_when_their_word_was_overtaken(self, registry: ModelRegistry) -> None:
        register_model(registry, b"one", "r1")
        register_model(registry, b"two", "r2")
        registry.approve(1, because="first", by="ana")
        registry.approve(2, because="second", by="ana")

        assert len(registry.approve(1, because="third", by="ana").overrides) == 2
        assert registry.desired_version() == registry.get(1)

    def test_are_obeyed_although_their_clock_is_late(self, registry: ModelRegistry) -> None:
        register_model(registry, b"one", "r1")
        register_model(registry, b"two", "r2")
        late = CREATED_AT - timedelta(hours=1)
        registry.approve(1, because="checked", by="ana", at=late)
        assert registry.desired_version() == registry.get(1)

    def test_decide_at_the_same_time_and_none_is_lost(self, registry: ModelRegistry) -> None:
        register_model(registry, b"one", "r1")
        with ThreadPoolExecutor(8) as pool:
            for number in range(16):
                pool.submit(
                    append_override,
                    registry.store,
                    "versions/000001/overrides.json",
                    Override(bool(number % 2), str(number), "ana", CREATED_AT.isoformat()),
                )
        reasons = [override.because for override in registry.get(1).overrides]
        assert sorted(map(int, reasons)) == list(range(16))

    def test_are_told_which_versions_there_are(self, registry: ModelRegistry) -> None:
        register_model(registry, b"one", "r1")
        with pytest.raises(
            UnknownVersionError, match=r"no model version 7; registered versions: 1$"
        ):
            registry.approve(7, because="why not", by="ana")

    def test_keep_a_model_rejected_that_is_trained_again(self, registry: ModelRegistry) -> None:
        register_model(registry, b"one", "r1", model_sha256="a")
        register_model(registry, b"two", "r2", model_sha256="b")
        rejected = registry.reject(1, because="learnt from a broken scale", by="ana")

        again = register_model(registry, b"one, later", "r3", model_sha256="a")

        assert again == rejected
        assert len(registry.versions()) == 2


def test_a_record_that_was_written_before_people_could_decide_is_read(
    registry: ModelRegistry,
) -> None:
    entry = register(registry, b"one")
    record = registry.store.read_json("versions/000001/version.json")
    assert record is not None
    assert "overrides" not in record
    assert registry.get(1) == entry


def test_damaged_decisions_of_people_are_named(registry: ModelRegistry) -> None:
    register(registry, b"one")
    registry.store.write_json("versions/000001/overrides.json", [{"approved": True}])
    with pytest.raises(StorageError, match=r"overrides\.json: not a list of people's decisions"):
        registry.get(1)


@pytest.mark.parametrize(
    "stray",
    [
        ".DS_Store",
        "000001/deep/version.json",
        "000002.bak/version.json",
        "1/model.tar.gz",
        "000007/overrides.json",
    ],
)
def test_objects_that_are_no_versions_are_skipped(registry: ModelRegistry, stray: str) -> None:
    first = register(registry, b"one")
    registry.store.write(f"versions/{stray}", b"put there by a file manager")

    assert registry.versions() == [first]
    assert register(registry, b"two").version == 2


def test_concurrent_registrations_get_different_numbers(registry: ModelRegistry) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: register(registry, b"model %d" % n), range(24)))

    assert sorted(entry.version for entry in done) == list(range(1, 25))
    for entry in done:
        assert registry.get(entry.version) == entry
        registry.read_model(entry.version)


def test_a_half_written_version_does_not_exist_and_its_number_is_not_used_again(
    registry: ModelRegistry,
) -> None:
    register(registry, b"one")
    registry.store.write("versions/000002/model.tar.gz", b"the writer died after this")

    latest = registry.latest()
    assert latest is not None
    assert latest.version == 1
    with pytest.raises(StorageError, match=r"no model version 2; registered versions: 1$"):
        registry.get(2)
    assert register(registry, b"two").version == 3


def test_a_listing_in_which_versions_pass_a_million_stays_in_order(registry: ModelRegistry) -> None:
    registry.store.write("versions/999999/model.tar.gz", b"")
    assert register(registry, b"one").version == 1_000_000
    assert register(registry, b"two").version == 1_000_001
    assert [entry.version for entry in registry.versions()] == [1_000_000, 1_000_001]


def test_an_altered_archive_is_refused(registry: ModelRegistry) -> None:
    entry = register(registry, b"one")
    registry.store.write(entry.model_key, b"another")

    with pytest.raises(ModelArchiveError, match=r"SHA-256 is .* registered was"):
        registry.read_model(1)


def test_a_damaged_record_is_named(registry: ModelRegistry) -> None:
    register(registry, b"one")
    registry.store.write("versions/000001/version.json", b"{}")

    with pytest.raises(StorageError, match=r"000001/version\.json: not the record"):
        registry.get(1)


def test_times_are_kept_in_utc(registry: ModelRegistry) -> None:
    local = datetime(2025, 3, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    entry = registry.register(
        b"one", evaluation={}, decision={}, release_digest="r", created_at=local
    )
    assert datetime.fromisoformat(entry.created_at) == local
    assert entry.created_at == "2025-03-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("archive", "changes", "message"),
    [
        (b"", {}, "empty model archive"),
        (b"x", {"created_at": datetime(2025, 3, 1)}, "no time zone"),  # noqa: DTZ001 - the point
        (b"x", {"evaluation": {"rmse": float("nan")}}, "evaluation is not a JSON document"),
        (b"x", {"decision": {"approved": object()}}, "decision is not a JSON document"),
    ],
    ids=["empty", "naive time", "nan", "not json"],
)
def test_a_registration_that_cannot_be_kept_leaves_nothing_behind(
    registry: ModelRegistry, archive: bytes, changes: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {
        "evaluation": {},
        "decision": {},
        "release_digest": "release-1",
        "created_at": CREATED_AT.astimezone(UTC),
    }
    with pytest.raises(StorageError, match=message):
        registry.register(archive, **arguments | changes)
    assert list(registry.store.list("versions/")) == []


def test_a_registry_on_s3_behaves_the_same(s3_registry: ModelRegistry) -> None:
    first = register(s3_registry, b"one")
    assert register(s3_registry, b"one") == first
    second = register(s3_registry, b"two")
    assert s3_registry.versions() == [first, second]
    assert s3_registry.read_model(2) == b"two"
    assert s3_registry.approve(1, because="checked", by="ana") == s3_registry.desired_version()


def test_versions_survive_a_new_process(tmp_path: Path, registry: ModelRegistry) -> None:
    first = register(registry, b"one")
    assert ModelRegistry(ObjectStore(tmp_path / "registry")).latest() == first

"""What is particular to versions in SageMaker's registry: packages, and people in its console."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.registry.model_package_documents import (
    Registration,
    override_in_sagemaker,
    package_parameters,
)
from abalone_assets.registry.model_packages import ModelPackageRegistry
from abalone_assets_tests.serving.sagemaker.hosting import (
    DECISION,
    GROUP,
    IMAGE,
    REJECTION,
    constant_archive,
    evaluation_of,
)

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account

LONG_AGO = datetime(2025, 3, 1, tzinfo=UTC)
ONE, TWO, THREE = map(constant_archive, (1.0, 2.0, 3.0))


def packages(account: Account) -> list[dict[str, Any]]:
    listed = account.sagemaker.list_model_packages(ModelPackageGroupName=GROUP)
    return list(listed["ModelPackageSummaryList"])


def put_package(account: Account) -> None:
    """As somebody with another tool would."""
    account.sagemaker.create_model_package(
        ModelPackageGroupName=GROUP, ModelApprovalStatus="Approved"
    )


def test_an_archive_lies_where_its_content_names_it(account: Account) -> None:
    entry = account.register(ONE)

    digest = hashlib.sha256(ONE).hexdigest()
    assert entry.model_key == f"models/{digest}/model.tar.gz"
    uri = f"s3://{account.aws.bucket}/registry/{entry.model_key}"
    assert account.registry.model_uri(1) == uri


def test_a_package_says_how_to_serve_the_model_and_why_it_was_approved(account: Account) -> None:
    entry = account.register(ONE)

    found = account.package(1)
    (container,) = found["InferenceSpecification"]["Containers"]
    assert container["Image"] == IMAGE
    assert container["ModelDataUrl"] == account.registry.model_uri(1)
    assert container["Environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
    assert container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    types = ["text/csv", "application/json"]
    assert found["InferenceSpecification"]["SupportedContentTypes"] == types
    assert found["InferenceSpecification"]["SupportedResponseMIMETypes"] == types
    assert found["ModelApprovalStatus"] == "Approved"
    assert found["ApprovalDescription"] == DECISION["reason"]
    properties = found["CustomerMetadataProperties"]
    assert properties["release_digest"] == "release-1"
    assert properties["rmse"] == "2.125000"
    assert properties["archive_sha256"] == entry.archive_sha256


def test_the_metrics_are_in_sagemakers_schema(account: Account) -> None:
    account.register(ONE, r2=None)

    source = account.package(1)["ModelMetrics"]["ModelQuality"]["Statistics"]
    key = source["S3Uri"].removeprefix(f"s3://{account.aws.bucket}/")
    body = account.aws.s3.get_object(Bucket=account.aws.bucket, Key=key)["Body"].read()
    assert source["ContentDigest"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    metrics = json.loads(body)["regression_metrics"]
    assert {name: metric["value"] for name, metric in metrics.items()} == {
        "mae": 1.5,
        "mse": 2.125**2,
        "rmse": 2.125,
    }


def test_two_registrations_of_one_model_at_the_same_time_add_one_version(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = ModelPackageRegistry._version_of

    def search_while_another_registers(registry: ModelPackageRegistry, of: Registration) -> Any:
        found = search(registry, of)
        with monkeypatch.context() as patch:
            patch.setattr(ModelPackageRegistry, "_version_of", search)
            account.register(ONE)
        return found

    monkeypatch.setattr(ModelPackageRegistry, "_version_of", search_while_another_registers)
    assert account.register(ONE).version == 1
    assert len(packages(account)) == 1


def test_a_repeated_call_has_the_token_of_the_first(account: Account) -> None:
    registration = Registration.of(ONE, evaluation_of(ONE), DECISION, "release-1")

    def token(after: int, group: str = "abalone") -> Any:
        parameters = package_parameters(
            registration, account.registry.store, group=group, image=IMAGE, after=after
        )
        return parameters["ClientToken"]

    assert token(0) == token(0)
    assert token(0) != token(2)
    assert token(0) != token(0, "another"), "of another deployment in the account"


def test_a_registration_that_was_cut_short_is_no_version_and_is_finished_by_the_next(
    account: Account,
) -> None:
    account.aws.faults.deny("UpdateModelPackage", times=1)
    with pytest.raises(StorageError, match="access denied"):
        account.register(ONE)
    assert account.registry.versions() == []
    assert account.registry.latest() is None

    assert account.register(ONE).version == 1
    assert [each["ModelApprovalStatus"] for each in packages(account)] == ["Approved"]


def test_a_rejected_model_is_a_version_that_sagemaker_refuses_to_deploy(account: Account) -> None:
    account.register(ONE)
    account.register(TWO, approved=False)

    found = account.package(2)
    assert found["ModelApprovalStatus"] == "Rejected"
    assert found["ApprovalDescription"] == REJECTION["reason"]
    assert found["ModelPackageDescription"].startswith("Rejected by the gate. Rings of abalones.")


def test_few_versions_are_looked_at_to_know_what_should_be_live_and_the_reference(
    account: Account,
) -> None:
    """Sensors ask for it every few seconds."""
    account.register(ONE)
    held = {"approved": True, "reason": "as good", "rule": "holds_against_champion"}
    for number in range(2, 6):
        against = {"champion": {"version": str(number - 1)}, "reference": {"version": "1"}}
        archive = constant_archive(10.0 + number)
        account.registry.register(
            archive,
            evaluation=evaluation_of(archive, **against),
            decision=held,
            release_digest="release-1",
        )
    before = len(account.aws.calls)
    assert [each.version for each in account.registry.candidates()] == [5]
    between = len(account.aws.calls)
    assert account.registry.reference_version(5) == 1
    for calls, count in ((account.aws.calls[before:between], 1), (account.aws.calls[between:], 2)):
        assert sum("Describe" in call.operation for call in calls) == count


def test_packages_of_others_in_the_group_are_skipped(account: Account) -> None:
    first = account.register(ONE)
    put_package(account)

    assert account.registry.versions() == [first]
    assert account.registry.latest() == first
    assert account.register(ONE) == first
    with pytest.raises(StorageError, match="was not registered by this project"):
        account.registry.get(2)


def test_a_version_is_found_on_the_second_page_of_a_listing(account: Account) -> None:
    first = account.register(ONE)
    for _ in range(100):
        put_package(account)

    assert account.registry.get(1) == first


def test_a_lost_record_is_named(account: Account) -> None:
    account.register(ONE)
    key = account.package(1)["CustomerMetadataProperties"]["registration"]
    account.registry.store.delete(key)

    with pytest.raises(StorageError, match=r"registration\.json, the record of arn:.* was lost"):
        account.registry.get(1)


def test_what_cannot_be_served_is_not_registered(account: Account) -> None:
    with pytest.raises(ModelArchiveError, match="cannot be read"):
        account.register(b"no archive")
    assert packages(account) == []
    assert list(account.registry.store.list()) == []


def test_a_decision_in_several_lines_becomes_one_that_sagemaker_takes(account: Account) -> None:
    account.registry.register(
        ONE,
        evaluation=evaluation_of(ONE),
        decision={
            "approved": True,
            "reason": "fine,\nindeed (really) " + "x" * 2000,
            "rule": "(odd) rule, ä",
        },
        release_digest="release-1",
    )

    found = account.package(1)
    assert found["ApprovalDescription"].startswith("fine, indeed (really) xxx")
    assert len(found["ApprovalDescription"]) == 1024
    assert found["CustomerMetadataProperties"]["rule"] == "_odd_ rule_ ä"


def test_a_missing_group_is_told_with_the_way_to_make_it(account: Account) -> None:
    registry = ModelPackageRegistry(
        "elsewhere", account.registry.store, account.sagemaker, lambda: IMAGE
    )
    with pytest.raises(
        StorageError,
        match="no model package group elsewhere: run `make deploy`, or correct ABALONE",
    ):
        registry.register(ONE, evaluation={}, decision=DECISION, release_digest="release-1")


def test_expired_credentials_are_told_as_such(account: Account) -> None:
    account.aws.faults.expire_credentials()
    with pytest.raises(StorageError, match=f"group {GROUP}: the AWS credentials have expired"):
        account.registry.latest()


def make_group_anew(account: Account) -> None:
    """As `make destroy` and `make deploy` do: the registry's store stays as it is."""
    for package in packages(account):
        account.sagemaker.delete_model_package(ModelPackageName=package["ModelPackageArn"])
    account.sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
    account.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)


def set_status(account: Account, version: int, status: str, **changes: Any) -> None:
    """As a person does in SageMaker's console."""
    account.sagemaker.update_model_package(
        ModelPackageArn=account.registry.package_arn(version),
        ModelApprovalStatus=status,
        CustomerMetadataProperties=account.package(version)["CustomerMetadataProperties"],
        **changes,
    )


class TestPeople:
    def test_decide_in_sagemaker_and_in_the_registrys_store(self, account: Account) -> None:
        account.register(ONE)
        second = account.register(TWO, approved=False)

        account.registry.approve(2, because="new scale, checked", by="ana")
        found = account.package(2)
        assert found["ModelApprovalStatus"] == "Approved"
        assert found["ApprovalDescription"] == "new scale, checked"
        assert found["CustomerMetadataProperties"]["archive_sha256"] == second.archive_sha256

        account.registry.reject(2, because="a slip", by="ana")
        assert account.package(2)["ModelApprovalStatus"] == "Rejected"

    def test_may_reject_in_sagemakers_console(self, account: Account) -> None:
        first = account.register(ONE)
        account.register(TWO)
        set_status(account, 2, "Rejected", ApprovalDescription="too good to be true")

        known = account.registry.get(2)
        assert known.last_override is not None
        assert known.last_override.because == "too good to be true"
        assert known.last_override.by == "fake-user-profile-name"
        assert account.registry.desired_version() == first
        assert account.registry.candidates() == [first, known]
        assert account.register(TWO, release="release-2") == known
        assert account.register(ONE, release="release-3") == first

    def test_may_approve_in_sagemakers_console_without_a_reason(self, account: Account) -> None:
        account.register(ONE, approved=False)
        description = account.package(1)["ApprovalDescription"]
        set_status(account, 1, "Approved", ApprovalDescription=description)

        desired = account.registry.desired_version()
        assert desired is not None
        assert desired.reason.endswith("no reason was given; the status in SageMaker is Approved.")

    def test_may_overrule_in_the_console_what_was_approved_here(self, account: Account) -> None:
        account.register(ONE)
        account.registry.approve(1, because="checked", by="ana")
        set_status(account, 1, "Rejected", ApprovalDescription="checked badly")
        known = account.registry.get(1)
        assert [each.because for each in known.overrides] == ["checked", "checked badly"]
        assert not known.approved

    def test_leave_a_decision_that_was_cut_short_as_sagemaker_has_it(
        self, account: Account
    ) -> None:
        account.register(ONE)
        account.aws.faults.deny("PutObject", times=1)
        with pytest.raises(StorageError, match="denied"):
            account.registry.reject(1, because="wrong scale", by="ana")

        known = account.registry.get(1)
        assert not known.approved
        assert known.last_override is not None
        assert known.last_override.because == "wrong scale"

    def test_are_not_taken_for_those_of_a_group_that_is_gone(self, account: Account) -> None:
        """Version numbers begin at 1 again in a group that was deleted and made anew."""
        account.register(ONE)
        account.registry.reject(1, because="wrong scale", by="ana")
        make_group_anew(account)
        assert account.register(TWO).approved

    def test_hide_no_version_of_a_group_that_was_made_anew(self, account: Account) -> None:
        for archive in (ONE, TWO, THREE):
            account.register(archive)
        account.registry.reject(3, because="wrong scale", by="ana")
        make_group_anew(account)
        account.register(constant_archive(4.0))
        newest = account.register(constant_archive(5.0))
        account.register(constant_archive(6.0), approved=False)

        assert account.registry.candidates() == [newest]
        assert account.registry.desired_version() == newest


@pytest.mark.parametrize(("later", "counts"), [(1, True), (-1, False)])
def test_an_approval_in_the_console_counts_when_it_is_newer_than_the_rejection(
    later: int,
    counts: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    changed = LONG_AGO + timedelta(seconds=later)
    times = {"CreationTime": LONG_AGO, "LastModifiedTime": changed}
    found = {"ModelApprovalStatus": "Approved", **times}
    override = override_in_sagemaker(found, approved=False, since=LONG_AGO, told=())
    assert (override is not None) is counts

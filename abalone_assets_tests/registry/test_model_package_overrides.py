"""What people decide about versions, here and in SageMaker's console."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.registry.model_package_documents import override_in_sagemaker
from abalone_assets_tests.serving.sagemaker.hosting import GROUP, constant_archive

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account

pytest_plugins = ["abalone_assets_tests.serving.sagemaker.account"]

LONG_AGO = datetime(2025, 3, 1, tzinfo=UTC)
ONE, TWO = constant_archive(1.0), constant_archive(2.0)


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
        account.sagemaker.delete_model_package(ModelPackageName=account.registry.package_arn(1))
        account.sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
        account.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        assert account.register(TWO).approved


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

"""The fixture ``account``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn
    from abalone_assets_tests.serving.sagemaker.hosting import Account


@pytest.fixture
def account(aws: AwsStandIn) -> Account:
    """An account as the stack leaves it: with an empty model package group and no endpoint."""
    from abalone_assets_tests.serving.sagemaker.hosting import GROUP, Account

    aws.faults.endpoint_seconds = 0.05
    account = Account(aws)
    account.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    return account

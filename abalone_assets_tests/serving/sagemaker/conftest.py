from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account


@pytest.fixture
def live(account: Account) -> Account:
    """Version 1 is live and 2 is registered. Version n answers n rings."""
    account.register_constants(1.0, 2.0)
    account.deploy(1, 1.0)
    account.progress.clear()
    return account

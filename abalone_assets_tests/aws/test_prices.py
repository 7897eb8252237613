from __future__ import annotations

import pytest

from abalone_assets.aws.prices import INSTANCE_PRICES
from abalone_assets.settings.aws import AwsSettings


@pytest.mark.parametrize("use", ["training", "processing", "endpoint"])
def test_the_default_instance_types_have_prices(use: str) -> None:
    assert AwsSettings.model_fields[f"{use}_instance_type"].default in INSTANCE_PRICES

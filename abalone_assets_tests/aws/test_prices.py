from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from abalone_assets.aws.prices import AS_OF, GLUE_PRICES, INSTANCE_PRICES
from abalone_assets.settings.aws import AwsSettings

PAGE: Final = (Path(__file__).parents[2] / "docs/cost.md").read_text()


@pytest.mark.parametrize("use", ["training", "processing", "endpoint"])
def test_the_default_instance_types_have_prices(use: str) -> None:
    assert AwsSettings.model_fields[f"{use}_instance_type"].default in INSTANCE_PRICES


def test_the_cost_page_has_the_same_prices() -> None:
    for kind in ("ml.m5.large", "ml.m5.xlarge"):
        assert f"{kind} {INSTANCE_PRICES[kind]} / h" in PAGE
    assert f"Looked up on {AS_OF:%d %B %Y}" in PAGE
    assert f"Glue {GLUE_PRICES['DPU']} / DPU-h" in PAGE

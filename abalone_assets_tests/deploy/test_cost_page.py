"""The cost page takes the prices that the package takes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from abalone_assets.aws.prices import AS_OF, GLUE_PRICES, INSTANCE_PRICES

PAGE: Final = (Path(__file__).parents[2] / "docs/cost.md").read_text()


def test_the_page_and_the_package_have_the_same_prices() -> None:
    assert f"ml.m5.large {INSTANCE_PRICES['ml.m5.large']} / h" in PAGE
    assert f"ml.m5.xlarge {INSTANCE_PRICES['ml.m5.xlarge']} / h" in PAGE
    assert f"Looked up on {AS_OF:%d %B %Y}" in PAGE
    assert f"Glue {GLUE_PRICES['DPU']} / DPU-h" in PAGE

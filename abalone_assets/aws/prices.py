"""List prices, for the estimated cost that assets show; a bill is made elsewhere.

USD an hour in us-east-1, on demand, as known on ``AS_OF``. AWS publishes them on
https://aws.amazon.com/sagemaker/pricing/ and https://aws.amazon.com/glue/pricing/; docs/cost.md
tells where they were found, and which could be verified. Other regions, savings plans, spot
capacity and later changes make it another price: check.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

AS_OF: Final = date(2026, 11, 22)

INSTANCE_PRICES: Final[Mapping[str, float]] = {
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.m5.12xlarge": 2.765,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.g4dn.xlarge": 0.736,
}
"""USD an hour of a SageMaker instance, whether it trains, processes or serves."""

SERVERLESS_PRICES: Final[Mapping[int, float]] = {
    1024: 0.00002,
    2048: 0.00004,
    3072: 0.00006,
    4096: 0.00008,
    5120: 0.0001,
    6144: 0.00012,
}
"""USD a second that a serverless endpoint works, by its memory in MB; billed by the millisecond."""

SERVERLESS_GB: Final = 0.016
"""USD a GB that a serverless endpoint is asked or answers."""

GLUE_PRICES: Final[Mapping[str, float]] = {"DPU": 0.44}
"""USD an hour of a data processing unit (4 vCPU, 16 GB; one ``G.1X`` worker)."""

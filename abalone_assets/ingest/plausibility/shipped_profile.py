"""The profile of the UCI survey: it judges files while no base survey is in the lake.

Made by ``python -m benchmarks plausibility``; a test fits it again.
"""

from __future__ import annotations

from typing import Final

from abalone_assets.ingest.plausibility.profile import Profile
from abalone_assets.ingest.plausibility.relations import Fit

UCI_PROFILE: Final = Profile(
    (
        Fit((-0.21762, 1.0489, -0.0081611), 0.0335),
        Fit((-1.2548, 1.1445, 0.025093), 0.1109),
        Fit((3.1149, 1.005, 0.006426), 0.1208),
        Fit((-0.83606, 1.0119, -0.0058762), 0.1193),
        Fit((-1.5297, 1.0064, 0.0047452), 0.1313),
        Fit((-1.2531, 0.92891, -0.013655), 0.1246),
        Fit((2.0738, -0.48303, -0.13889, 0.60709, -0.62704, 0.36829, -0.056251), 0.1702),
    )
)

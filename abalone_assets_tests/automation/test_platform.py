"""The whole lineage, once, as the sensors drive it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from abalone_assets_tests.support.platform import Platform


def test_a_landed_survey_ends_in_exactly_one_release(platform: Platform) -> None:
    platform.land("abalone.20250303120000", survey_rows(30))
    assert platform.settle() == {"ingest_surveys": 1, "release": 1}
    release = platform.lake.release()
    assert release is not None
    assert release.outcome == "deployed"
    assert release.digest == platform.lake.manifest().digest

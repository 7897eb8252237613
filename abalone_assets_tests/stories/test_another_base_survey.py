"""A story of two base surveys: the bundled one stands in until the real one can be fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets import definitions
from abalone_assets_tests.automation.support import platform_in
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

REFUSED = "http://127.0.0.1:9/abalone.data"


def test_the_real_base_survey_and_what_follows_are_released_without_a_hand(
    tmp_path: Path, uci_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"RAW_URI": REFUSED, "RAW_FALLBACK": "true", "GATE_MIN_ROWS": "100"}
    with platform_in(tmp_path, **settings) as platform:
        platform.settle()
        raw, first = platform.lake.manifest().raw, platform.lake.release()
        monkeypatch.setenv("ABALONE_RAW_URI", str(uci_file))
        platform.definitions = definitions.defs()
        platform.settle()
        real, second = platform.lake.manifest().raw, platform.lake.release()
        platform.land("abalone.20250601120000", survey_rows(30))
        platform.settle()
        third = platform.lake.release()
    assert raw is not None
    assert real is not None
    assert (raw.simulated, real.simulated) == (True, False)
    assert first is not None
    assert second is not None
    assert third is not None
    assert [each.outcome for each in (first, second, third)] == ["deployed"] * 3
    assert "none of them is of files that champion version 1 knew" in second.reason
    assert f"and on the {real.rows:,} of files that it knew" in third.reason

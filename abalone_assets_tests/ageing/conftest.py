"""What tests of ageing share."""

from __future__ import annotations

from pathlib import Path

import pytest

from abalone_assets_tests.ageing.shore import Shore, shore_at


@pytest.fixture(params=["folder", "s3"])
def shore(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Shore:
    assert home.exists()
    if request.param == "s3":
        bucket = request.getfixturevalue("s3")
        return shore_at(f"{bucket}/landing_zone", f"{bucket}/lake", tmp_path)
    (tmp_path / "zone").mkdir()
    return shore_at(str(tmp_path / "zone"), str(tmp_path / "lake"), tmp_path)

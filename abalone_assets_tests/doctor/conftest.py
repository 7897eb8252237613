from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.doctor.live import QUICK_POLL, deployed

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn


@pytest.fixture
def proved(aws: AwsStandIn, home: Path, monkeypatch: pytest.MonkeyPatch) -> AwsStandIn:
    """An account in which the stack was deployed, and the profile aws."""
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    monkeypatch.setenv("ABALONE_POLL_SECONDS", QUICK_POLL)
    deployed(aws)
    return aws

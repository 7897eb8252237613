"""`abalone doctor --live` on the stand-in: the whole, and what it says and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.doctor.live import QUICK_POLL, STEPS, keys, left, live, touched_production
from abalone_assets_tests.stories.aws.stack import provision

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn

pytestmark = pytest.mark.service


@pytest.fixture
def account(aws: AwsStandIn, home: Path, monkeypatch: pytest.MonkeyPatch) -> AwsStandIn:
    """An account in which the stack was deployed."""
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    monkeypatch.setenv("ABALONE_POLL_SECONDS", QUICK_POLL)
    provision(aws)
    return aws


def test_the_whole_passes_and_leaves_nothing(account: AwsStandIn) -> None:
    before = keys(account)
    result = live("--yes")
    assert list(result.outcomes) == STEPS, result.said
    assert "failed" not in result.outcomes.values(), result.document
    assert result.exit_code == 0
    assert left(account) == []
    assert keys(account) == before
    assert touched_production(account.calls) == []
    print(result.said, result.document)

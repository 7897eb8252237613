"""The sensors' clock, for every module here."""

from __future__ import annotations

import pytest

from abalone_assets_tests.automation.support import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock.installed(monkeypatch)

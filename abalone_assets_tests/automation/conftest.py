"""The sensors' clock, and who is told, for every module here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.alerts import matters
from abalone_assets_tests.automation.support import Clock
from abalone_assets_tests.support.inbox import Webhook, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock.installed(monkeypatch)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """Who is told, without the rest between two messages."""
    monkeypatch.setattr(matters, "QUIET", timedelta())
    with webhook() as hook:
        monkeypatch.setenv("ABALONE_NOTIFY", hook.url)
        yield hook

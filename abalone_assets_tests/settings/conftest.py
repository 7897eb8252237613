"""Tests of settings read nothing from whoever runs them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and no other variable of ours."""
    for variable in list(os.environ):
        if variable.startswith("ABALONE_"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path))
    return tmp_path

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def test_the_settings_page_is_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_GATE_MAX_RMSE", "9.9")  # no machine's own settings are in it
    page = runpy.run_path(str(DOCS / "settings_page.py"))["page"]()
    stale = page != (DOCS / "settings.md").read_text(encoding="utf-8")
    assert not stale, "docs/settings.md is stale: `make docs` writes it"

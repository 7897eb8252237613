"""What garbage collection removes while `abalone verify` looks is no damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abalone_assets.doctor.verify import inputs, models
from abalone_assets.lake import kept_inputs
from abalone_assets_tests.provenance.support import Little

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_gc_removes_meanwhile_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive of an old version went, and then what it alone was made from."""
    little = Little(tmp_path)
    little.base()
    little.ingest("2025-03-14", 1)
    little.release()
    little.ingest("2025-03-14", 2)
    little.release()
    (rows,) = (tmp_path / "lake/_kept/rows").iterdir()
    document = min((tmp_path / "lake/_kept/days").iterdir(), key=lambda each: each.stat().st_mtime)
    listed = little.lake.store.list

    def list_and_lose(prefix: str = "") -> list[Any]:
        found = [*listed(prefix)]
        if prefix == kept_inputs.ROWS:
            little.registry.remove_archive(1)
            rows.unlink()
            document.unlink()
        return found

    monkeypatch.setattr(little.lake.store, "list", list_and_lose)
    (finding,) = inputs.input_findings(little.lake, little.registry, sorted)
    assert finding.outcome == "ok", finding


def test_an_archive_that_gc_removes_meanwhile_is_no_damage(tmp_path: Path) -> None:
    little = Little(tmp_path)
    little.base()
    little.release()
    version = little.registry.get(1)
    little.registry.remove_archive(1)
    assert models._archive(little.registry, version, needed=()) == ""
    assert "is gone" in models._archive(little.registry, version, needed=(1,))

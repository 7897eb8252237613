import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.timing import OURS, Measured

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def page() -> Callable[..., str]:
    found: Callable[..., str] = runpy.run_path(str(DOCS / "benchmark_tables.py"))["page"]
    return found


def test_the_page_shows_what_was_measured(page: Callable[..., str]) -> None:
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert page(text) == text, "docs/benchmarks.md is stale: `make docs` writes its tables"


def test_a_block_is_filled_and_the_prose_stays(page: Callable[..., str], tmp_path: Path) -> None:
    measured = Measured("some")
    measured.add(OURS, {"wall s": [1.5]})
    measured.save(tmp_path)
    filled = page("Before.\n<!-- benchmark: some -->\nold\n<!-- /benchmark -->\nAfter.\n", tmp_path)
    assert filled.startswith("Before.\n<!-- benchmark: some -->\n|  | wall s |")
    assert filled.endswith("\n<!-- /benchmark -->\nAfter.\n")
    assert "| ours | 1.5 | 1 |" in filled
    assert "old" not in filled
    assert page(filled, tmp_path) == filled


def test_a_table_without_a_measurement_is_refused(page: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"never\.json is missing"):
        page("<!-- benchmark: never -->\n<!-- /benchmark -->\n", tmp_path)


def test_a_measurement_that_the_page_does_not_show_is_refused(
    page: Callable[..., str], tmp_path: Path
) -> None:
    Measured("hidden").save(tmp_path)
    with pytest.raises(LookupError, match="no block for hidden"):
        page("No tables.\n", tmp_path)

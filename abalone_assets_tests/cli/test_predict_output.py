"""What `abalone predict --output` may be called; no endpoint is asked about a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.cli.support import ANIMAL, abalone

if TYPE_CHECKING:
    from pathlib import Path

LINE = ",".join(ANIMAL)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["ages.xlsx", "AGES.XLSX", "ages.xls", "ages.ods"])
def test_a_spreadsheet_is_refused_with_what_it_opens(tmp_path: Path, name: str) -> None:
    """A CSV was written under such a name, which no program opens."""
    result = abalone("predict", "-", "--output", tmp_path / name, text=LINE)
    assert result.exit_code == 2
    said = " ".join(result.stderr.split())
    assert "spreadsheets are not written" in said
    assert "name a .csv" in said
    assert not (tmp_path / name).exists()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["ages.parquet", "AGES.PARQUET"])
def test_parquet_has_no_decimal_commas(name: str) -> None:
    result = abalone("predict", "-", "--decimal-comma", "--output", name, text=LINE)
    assert result.exit_code == 2
    assert "--decimal-comma is for --output FILE.csv" in result.stderr

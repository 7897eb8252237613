import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

import abalone_assets
from abalone_assets.errors import SurveyError
from abalone_assets.ingest.frames import count_violations
from abalone_assets.survey import (
    COLUMNS,
    FEATURES,
    MEASUREMENTS,
    SOFT_RULES,
    TARGET,
    age_years,
    survey_day,
    survey_file_name,
    survey_time,
)

FILE = "abalone.20250301120000"
ANIMAL = dict(zip(MEASUREMENTS, [0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15], strict=True))


def test_columns_are_the_uci_nine_in_file_order() -> None:
    assert [column.name for column in COLUMNS] == [*FEATURES, TARGET]
    assert {column.unit for column in COLUMNS} == {"", "mm / 200", "g / 200", "count"}
    assert len(MEASUREMENTS) == 7


def test_age_is_rings_and_a_half() -> None:
    assert age_years(9) == 10.5


def test_needs_the_standard_library_only() -> None:
    # Model archives carry a copy to containers that have none of our dependencies.
    root = Path(abalone_assets.__file__).parents[1]
    program = f"import sys; sys.path.append({str(root)!r}); import abalone_assets.survey"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, timeout=60)


class TestSoftRules:
    @pytest.mark.parametrize(
        ("change", "violated"),
        [
            pytest.param({}, set(), id="ordinary animal"),
            pytest.param(
                {"shucked_weight": 0.6}, {"shucked_over_whole", "parts_over_whole"}, id="meat"
            ),
            pytest.param({"shucked_weight": 0.263, "whole_weight": 0.514}, set(), id="equal parts"),
            pytest.param({"shell_weight": 0.25}, {"parts_over_whole"}, id="parts"),
            pytest.param({"diameter": 0.46}, {"diameter_over_length"}, id="diameter"),
            pytest.param({"diameter": 0.455}, set(), id="round animal"),
            pytest.param({"height": 0.3005}, {"height_outlier"}, id="tall"),
            pytest.param({"height": 0.3}, set(), id="as tall as allowed"),
        ],
    )
    def test_names_what_is_odd(self, change: dict[str, float], violated: set[str]) -> None:
        row = ANIMAL | change
        assert {rule.name for rule in SOFT_RULES if rule.is_violated(row)} == violated
        counts = count_violations(pl.DataFrame([row, row]))
        assert {name for name, count in counts.items() if count == 2} == violated

    def test_floating_point_sums_do_not_violate(self) -> None:
        # 0.1 + 0.2 > 0.3 in floating point; the animal is not odd.
        (rule,) = [rule for rule in SOFT_RULES if rule.name == "parts_over_whole"]
        exact = {"shucked_weight": 0.1, "viscera_weight": 0.2, "shell_weight": 0.0001}
        assert not rule.is_violated(exact | {"whole_weight": 0.3001 / rule.factor})

    def test_reads_only_columns_that_exist(self) -> None:
        assert all(set(rule.columns) <= set(MEASUREMENTS) for rule in SOFT_RULES)


class TestFileNames:
    def test_a_name_tells_its_utc_time(self) -> None:
        assert survey_time(FILE) == datetime(2025, 3, 1, 12, tzinfo=UTC)
        assert survey_day("abalone.20240229235959") == date(2024, 2, 29)

    def test_a_time_becomes_its_name_in_utc(self) -> None:
        east = timezone(timedelta(hours=10))
        assert survey_file_name(datetime(2025, 3, 1, 22, 0, 0, 999, tzinfo=east)) == FILE
        assert survey_file_name(datetime(987, 1, 2, tzinfo=UTC)) == "abalone.09870102000000"

    def test_a_time_without_zone_is_refused(self) -> None:
        with pytest.raises(SurveyError, match="no time zone"):
            survey_file_name(datetime(2025, 3, 1))  # noqa: DTZ001 - what is tested

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("abalone.2025030112000", "14 digits"),
            ("abalone.202503011200000", "14 digits"),
            ("abalone.20250301120000\n", "14 digits"),
            ("abalone.20250301120000.csv", "14 digits"),
            ("Abalone.20250301120000", "14 digits"),
            ("abalone.2025030112000\u0660", "14 digits"),
            ("abalone.\u0662\u0660\u0662\u06650301120000", "14 digits"),
            ("abalone.2025-03-011200", "14 digits"),
            ("abalone", "14 digits"),
            ("", "14 digits"),
            ("crew/abalone.20250301120000", "without its folder"),
            ("abalone.20250229000000", "time that does not exist"),
            ("abalone.20251301000000", "time that does not exist"),
            ("abalone.00000101000000", "time that does not exist"),
            ("abalone.20250301240000", "time that does not exist"),
            ("abalone.20250301120060", "time that does not exist"),
        ],
    )
    def test_another_name_is_refused_with_the_reason(self, name: str, reason: str) -> None:
        with pytest.raises(SurveyError, match=reason):
            survey_time(name)

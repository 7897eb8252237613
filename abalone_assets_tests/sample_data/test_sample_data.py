from collections import Counter
from pathlib import Path

import pytest

from abalone_assets.sample_data import base_survey, surveys
from abalone_assets.survey import SEXES, ParsedSurvey, parse_survey, survey_day


def parse(path: Path) -> ParsedSurvey:
    return parse_survey(path.read_bytes(), path.name)


def rows_of(survey: ParsedSurvey) -> list[tuple[str | float, ...]]:
    return list(zip(*survey.columns.values(), strict=True))


@pytest.fixture(scope="module")
def base() -> ParsedSurvey:
    return parse(base_survey())


@pytest.fixture(scope="module")
def crews() -> list[ParsedSurvey]:
    return [parse(path) for path in surveys()]


def test_the_base_survey_is_as_large_as_the_real_one_and_all_valid(base: ParsedSurvey) -> None:
    assert (base.row_count, base.quarantined, base.header_line) == (4177, [], False)
    assert set(base.columns["sex"]) == set(SEXES)


def test_no_simulated_row_equals_a_real_one(
    base: ParsedSurvey, crews: list[ParsedSurvey], uci_file: Path
) -> None:
    real = set(rows_of(parse(uci_file)))
    assert all(real.isdisjoint(rows_of(survey)) for survey in [base, *crews])


def test_two_of_the_six_surveys_are_of_one_day(crews: list[ParsedSurvey]) -> None:
    days = Counter(survey_day(survey.file) for survey in crews)
    assert sorted(days.values()) == [1, 1, 1, 1, 2]
    assert {(day.year, day.month) for day in days} <= {(2025, month) for month in range(3, 9)}


def test_the_surveys_break_many_different_rules(crews: list[ParsedSurvey]) -> None:
    broken = {fault.rule for survey in crews for fault in survey.quarantined}
    assert broken == {
        "above_maximum",
        "field_count",
        "not_a_number",
        "not_an_integer",
        "not_finite",
        "not_positive",
        "out_of_range",
    }
    assert sum(survey.mended.get("lower_case_sex", 0) for survey in crews) == 1


def test_nine_rows_are_sent_again(base: ParsedSurvey, crews: list[ParsedSurvey]) -> None:
    rows = [row for survey in [base, *crews] for row in rows_of(survey)]
    assert len(rows) - len(set(rows)) == 9

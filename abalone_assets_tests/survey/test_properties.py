"""What holds of any bytes at all, and of any canonical survey however it is written down."""

import csv
import io
from datetime import UTC, datetime
from typing import Any, Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from abalone_assets.survey import (
    COLUMNS,
    FEATURES,
    MAX_RINGS,
    MEASUREMENTS,
    SEXES,
    TARGET,
    ParsedSurvey,
    UnreadableSurveyError,
    canonical_survey,
    parse_survey,
    survey_file_name,
    survey_time,
    validate_measurements,
)
from abalone_assets_tests.support.strategies import MAXIMUM, rows_of_a_survey

FILE = "abalone.20250301120000"
modest = settings(max_examples=60, deadline=None)

Row = tuple[Any, ...]

canonical_rows = st.just(list[Row]()) | rows_of_a_survey
# Text built from what the parser is sensitive to finds more than arbitrary text.
PIECES = [*'",\n\r;\t M9é', "\r\n", "0.5", "1e-1", "nan", "\ufeff"]
GOOD = "F,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9"
survey_like_text = st.lists(st.sampled_from([*PIECES, GOOD, f"{GOOD}\n"]), max_size=40).map("".join)
any_content = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(str.encode),
    survey_like_text.map(str.encode),
)


def parse_or_none(data: bytes) -> ParsedSurvey | None:
    try:
        return parse_survey(data, FILE)
    except UnreadableSurveyError:
        return None


@modest
@given(any_content)
def test_any_content_is_parsed_or_unreadable_and_every_accepted_value_obeys_the_rules(
    data: bytes,
) -> None:
    survey = parse_or_none(data)
    if survey is None:
        return
    assert {len(values) for values in survey.columns.values()} == {survey.row_count}
    for row in zip(*survey.columns.values(), strict=True):
        animal = dict(zip(survey.columns, row, strict=True))
        assert animal["sex"] in SEXES
        assert all(0 < float(animal[name]) <= MAXIMUM[name] for name in MEASUREMENTS)
        assert all(round(float(animal[name]), 4) == animal[name] for name in MEASUREMENTS)
        assert type(animal[TARGET]) is int
        assert 1 <= animal[TARGET] <= MAX_RINGS
        assert validate_measurements(row[: len(FEATURES)]) == row[: len(FEATURES)]


@modest
@given(st.text(st.characters(exclude_characters='"\0', exclude_categories=["Cs"]), max_size=200))
def test_without_quotes_every_line_that_is_not_blank_is_a_row_a_quarantined_row_or_the_header(
    text: str,
) -> None:
    survey = parse_or_none(text.encode())
    if survey is not None:
        stream = io.StringIO(text.removeprefix("\ufeff"), newline="")
        filled = [number for number, line in enumerate(stream, 1) if line.strip()]
        found = sorted([*survey.lines, *(row.line for row in survey.quarantined)])
        assert found == filled[survey.header_line :]


@modest
@given(survey_like_text)
def test_every_character_outside_blank_lines_is_in_a_row_or_in_quarantine(text: str) -> None:
    survey = parse_or_none(text.encode())
    if survey is None:
        return
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    for line in survey.lines:
        lines[line - 1] = ""
    for row in survey.quarantined:
        span = sum(1 for _ in io.StringIO(row.raw, newline=""))
        assert "".join(lines[row.line - 1 : row.line - 1 + span]).rstrip("\r\n") == row.raw
        lines[row.line - 1 : row.line - 1 + span] = [""] * span
    assert "".join(lines).strip() == ""


HEADER = ",".join(column.name for column in COLUMNS)


@modest
@given(st.sampled_from(["", f"{HEADER}\n", f"{HEADER},\n"]), survey_like_text)
@example("", ",\n,\n,\n,\n,")  # records of nothing, which canonical ones are too
def test_the_canonical_file_holds_the_same_rows_and_as_many_bad_records(
    header: str, text: str
) -> None:
    survey = parse_or_none((header + text).encode())
    if survey is None:
        return
    canonical = canonical_survey((header + text).encode(), FILE)
    again = parse_survey(canonical, FILE)
    assert again.columns == survey.columns
    assert len(again.quarantined) == len(survey.quarantined)
    assert not again.header_line
    assert all("cut short" in note for note in again.notes)


@modest
@given(
    rows=canonical_rows,
    quoting=st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)),
    ending=st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n \r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    header=st.sampled_from([[], [[column.name for column in COLUMNS]]]),
)
def test_canonical_rows_survive_any_quoting_line_ending_mark_and_header(
    rows: list[Row], quoting: Literal[0, 1, 2], ending: str, mark: str, header: list[list[str]]
) -> None:
    stream = io.StringIO()
    csv.writer(stream, quoting=quoting, lineterminator=ending).writerows([*header, *rows])
    whole = mark + stream.getvalue()
    for text in (whole, whole.rstrip("\r\n ")):
        survey = parse_survey(text.encode(), FILE)
        assert list(zip(*survey.columns.values(), strict=True)) == rows
        assert survey.quarantined == []
        assert survey.header_line == bool(header)


@modest
@given(rows=canonical_rows, bad=st.lists(st.integers(0, 8), max_size=4))
def test_bad_rows_never_change_what_becomes_of_their_neighbours(
    rows: list[Row], bad: list[int]
) -> None:
    lines = [",".join(map(str, row)) for row in rows]
    for position in bad:
        lines.insert(position, "M,0.5,0.4,0,1,1,1,1,9")
    survey = parse_survey("\n".join(lines).encode(), FILE)
    assert list(zip(*survey.columns.values(), strict=True)) == rows
    assert [row.rule for row in survey.quarantined] == ["not_positive"] * len(bad)


@modest
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_file_name_tells_the_time_it_was_made_from(time: datetime) -> None:
    assert survey_time(survey_file_name(time)) == time.replace(microsecond=0)

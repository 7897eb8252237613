"""Whatever lies in the landing zone, it is a survey, or there is one clear reason why not."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abalone_assets.errors import SurveyError
from abalone_assets.survey import parse_survey, survey_day
from abalone_assets.survey.parsed import UnreadableSurveyError
from abalone_assets_tests.support.platform import survey_rows

EXAMPLES = int(os.environ.get("ABALONE_TEST_EXAMPLES", "150"))
FILE = "abalone.20250301120000"
GOOD = survey_rows(12, seed=3)
many = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
PIECES = st.sampled_from(
    [
        *(b'"', b",", b";", b"\t", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf"),
        *(b"sep=;\n", b"=1+1", b"1e400", b"-0", b"\xc2\xa0", b"sex,length", b"Rings", b"(mm)"),
    ]
)


@st.composite
def damaged_surveys(draw: st.DrawFn) -> bytes:
    """A good file with pieces put in, left out or doubled."""
    data = GOOD
    for _ in range(draw(st.integers(1, 6))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        piece = draw(st.one_of(PIECES, st.binary(max_size=9), st.just(data[at:end])))
        rest = data[draw(st.sampled_from([at, end])) :]
        data = data[:at] + piece * draw(st.integers(1, 3)) + rest
    return data[:20_000]


@many
@given(damaged_surveys())
def test_a_damaged_file_is_read_or_refused_with_a_reason_and_counts_every_record(
    data: bytes,
) -> None:
    try:
        survey = parse_survey(data, FILE)
    except UnreadableSurveyError as refused:
        reason = refused.reason
        assert reason
        return
    assert survey.record_count == survey.row_count + len(survey.quarantined)
    assert all(row.rule and row.line >= 1 for row in survey.quarantined)


NAMES = st.one_of(
    st.text(max_size=40),
    st.text("0123456789", min_size=12, max_size=16).map("abalone.{}".format),
    st.from_regex(r"abalone\.[0-9]{14}\Z"),
    st.text("abalone.0123456789/\\\n\0 ٣２", max_size=30),
)


@many
@given(NAMES)
def test_a_name_tells_a_day_or_why_it_tells_none(name: str) -> None:
    try:
        day = survey_day(name)
    except SurveyError:
        return
    assert name.startswith(f"abalone.{day.year:04d}{day.month:02d}{day.day:02d}")
    assert len(name) == len(FILE)

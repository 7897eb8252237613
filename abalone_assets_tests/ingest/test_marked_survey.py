"""The bad rows of a file, in quarantine and marked in the file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.marked_survey import marked_survey, quarantined_rows
from abalone_assets.lake.lake import Lake
from abalone_assets.survey import Reading, parse_survey
from abalone_assets_tests.cli.support import GOOD_ROW, ingest

if TYPE_CHECKING:
    from pathlib import Path

NAME, OTHER = "abalone.20250314061500", "abalone.20250314061501"
DAY = "2025-03-14"
BAD = "X,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"


def marked(text: str, reading: Reading | None = None) -> str:
    data = text.encode()
    bad = parse_survey(data, NAME, reading=reading).quarantined
    return marked_survey(data, NAME, bad, reading).decode()


def test_quarantined_rows_are_those_of_the_file_alone(home: Path) -> None:
    zone = FolderLandingZone(home / "landing_zone")
    zone.land(NAME, (GOOD_ROW + BAD + GOOD_ROW + "<b>M</b>,1\n").encode())
    zone.land(OTHER, (GOOD_ROW + BAD).encode())
    ingest(home, DAY)
    lake = Lake(str(home / "lake"))
    rows = quarantined_rows(lake, DAY, NAME)
    assert [(row.line, row.column, row.rule) for row in rows] == [
        (2, "sex", "sex"),
        (4, None, "field_count"),
    ]
    assert rows[1].raw == "<b>M</b>,1"
    assert rows[0].message.startswith("sex is 'X'")
    assert quarantined_rows(lake, DAY, NAME, limit=1) == rows[:1]
    with pytest.raises(StorageError, match="ingest the day again"):
        quarantined_rows(lake, "2025-03-15", NAME)


def test_bad_rows_are_marked_in_the_first_column_and_stay_as_they_were() -> None:
    ragged = 'M,"0,455",1\n'
    text = marked(GOOD_ROW + BAD + ragged)
    lines = text.splitlines()
    assert lines[0].startswith("problem,sex,length,diameter")
    assert lines[1] == f",{GOOD_ROW.strip()}"
    assert lines[2].startswith("\"sex is 'X'; it must be one of M, F, I\",X,")
    assert lines[3].endswith(f",{ragged.strip()}")
    assert [row[0] for row in csv.reader(io.StringIO(text))][1] == ""


def test_a_files_own_header_and_delimiter_stay() -> None:
    header = "rings;sex;length;diameter;height;whole;shucked;viscera;shell\n"
    rows = "15;M;0.455;0.365;0.095;0.514;0.2245;0.101;0.15\n0;M;1;1;1;1;1;1;1\n"
    lines = marked(header + rows, Reading(delimiter=";")).splitlines()
    assert lines[0] == f"problem;{header.strip()}"
    assert lines[1] == ";15;M;0.455;0.365;0.095;0.514;0.2245;0.101;0.15"
    assert lines[2].startswith('"')


def test_a_quote_in_what_was_found_is_a_quote_in_the_mark() -> None:
    text = marked(GOOD_ROW + '"X""",0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n')
    (_, _, bad) = csv.reader(io.StringIO(text))
    assert bad[0].startswith("sex is 'X\"'")
    assert bad[1] == 'X"'


def test_a_mended_file_is_read_with_its_marks_and_nothing_is_lost() -> None:
    mended = marked(GOOD_ROW + BAD + GOOD_ROW).replace(",X,", ",F,")
    survey = parse_survey(mended.encode(), NAME)
    assert (survey.row_count, survey.quarantined) == (3, [])
    assert survey.columns["sex"] == ["M", "F", "M"]
    assert survey.notes == ("without problem: no column of a survey",)


def test_a_file_that_is_refused_for_its_rows_names_them() -> None:
    from abalone_assets.survey import UnreadableSurveyError

    with pytest.raises(UnreadableSurveyError) as refused:
        parse_survey((GOOD_ROW + BAD * 5).encode(), NAME)
    assert [row.line for row in refused.value.bad_rows] == [2, 3, 4, 5, 6]
    with pytest.raises(UnreadableSurveyError) as unreadable:
        parse_survey(b"\0", NAME)
    assert unreadable.value.bad_rows == ()

"""Files of animals without rings are read as surveys are, but for the rings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abalone_assets.ageing import parsing, record_reader
from abalone_assets.ageing.parsing import AnimalsFile
from abalone_assets.survey import (
    FEATURES,
    Reading,
    UnreadableSurveyError,
    parse_survey,
    validate_measurements,
)
from abalone_assets_tests.ageing.support import animals
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.survey.files import in_units, text

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.ageing.blocks import Block

NAME = "animals.20250303120000"
ROW = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\n"
HEADER = ",".join(FEATURES) + "\n"


def read(folder: Path, content: str | bytes) -> tuple[AnimalsFile, list[Block]]:
    path = folder / "copy"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    file = AnimalsFile(path, NAME)
    return file, list(file.blocks())


def rows_in(blocks: list[Block]) -> list[tuple[object, ...]]:
    return [row for block in blocks for row in zip(*block.columns, strict=True)]


def lines_in(blocks: list[Block]) -> list[int]:
    return [int(line) for block in blocks for line in block.lines]


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(UnreadableSurveyError) as refused:
        read(folder, content)
    assert refused.value.file == NAME
    return refused.value.reason


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("spoilt", [False, True])
def test_rows_are_those_of_the_survey_parser(folder: Path, ending: str, *, spoilt: bool) -> None:
    lines = survey_rows(700).decode().splitlines()
    if spoilt:
        lines[300] = lines[300].replace("M", "x").replace("F", "x").replace("I", "x")
        lines[400] = ""
    surveyed = parse_survey(ending.join(lines).encode(), "abalone.20250303120000")
    unaged = ending.join(line.rpartition(",")[0] for line in lines)
    file, blocks = read(folder, unaged)
    assert lines_in(blocks) == surveyed.lines
    assert rows_in(blocks) == list(zip(*(surveyed.columns[name] for name in FEATURES), strict=True))
    bad = [row for block in blocks for row in block.bad]
    assert [(row.line, row.column, row.rule) for row in bad] == [
        (row.line, row.column, row.rule) for row in surveyed.quarantined
    ]
    assert file.records == surveyed.record_count == file.rows + file.quarantined


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_blocks_are_cut_anywhere_and_lose_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = animals(300).decode()
    whole = rows_in(read(folder, content)[1])
    for characters in (1, 47, 48, 4096):
        monkeypatch.setattr(parsing, "BLOCK_CHARACTERS", characters)
        _, blocks = read(folder, content)
        assert rows_in(blocks) == whole
        assert lines_in(blocks) == list(range(1, 301))


def test_a_record_with_a_line_break_in_quotes_may_go_on_in_the_next_block(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = '"M\nM",0.455,0.365,0.095,0.514,0.2245,0.101,0.15\n'
    content = 6 * ROW + broken + 6 * ROW
    for characters in (10, 6 * len(ROW) + 1, 2**19):
        monkeypatch.setattr(parsing, "BLOCK_CHARACTERS", characters)
        file, blocks = read(folder, content)
        assert lines_in(blocks) == [*range(1, 7), *range(9, 15)]
        ((row),) = [row for block in blocks for row in block.bad]
        assert (row.line, row.column, row.raw) == (7, "sex", broken.rstrip("\n"))
        assert file.records == 13


def test_a_header_is_obeyed_with_its_order_and_units(folder: Path) -> None:
    _, (block,) = read(folder, HEADER + 3 * ROW)
    assert list(block.lines) == [2, 3, 4]
    shuffled = "length (mm),Sex,diameter (mm),height (mm),whole weight (g),shucked weight (g),"
    shuffled += "viscera weight (g),shell weight (g)\n91,M,73,19,102.8,44.9,20.2,30\n"
    file, blocks = read(folder, "\ufeff" + shuffled)
    assert rows_in(blocks) == [("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15)]
    assert "converted from mm and g" in file.notes
    assert any("in the order length, sex" in note for note in file.notes)


@pytest.mark.parametrize(
    "before", ["\n", "sep=,\n", "sep=,\n \n", ""], ids=["blank", "sep", "both", "quotes"]
)
def test_a_header_is_the_first_record_that_is_not_blank(folder: Path, before: str) -> None:
    in_millimetres = "sex,Length (mm),Diameter (mm),Height (mm),Whole weight (g),"
    header = in_millimetres + "Shucked weight (g),Viscera weight (g),Shell weight (g)\n"
    if not before:
        header = header.replace("Length (mm)", '"Length\n(mm)"', 1)
    file, blocks = read(folder, before + header + 9 * "M,91,73,19,102.8,44.9,20.2,30\n" + "x\n")
    assert (file.rows, file.quarantined) == (9, 1)
    assert lines_in(blocks)[0] == (before + header).count("\n") + 1


def test_a_line_that_tells_the_delimiter_is_no_record(folder: Path) -> None:
    file, blocks = read(folder, "sep=,\n" + 9 * ROW)
    assert (file.rows, file.quarantined, lines_in(blocks)[0]) == (9, 0, 2)


@pytest.mark.parametrize("header", ["", HEADER.rstrip("\n") + ",rings\n"])
def test_a_survey_is_refused_with_the_name_that_it_should_have(folder: Path, header: str) -> None:
    said = refusal(folder, header + survey_rows(3).decode())
    assert "it is a survey: call it abalone.20250303120000" in said
    assert "animals.YYYYMMDDHHMMSS" in said


@pytest.mark.parametrize("rows", [40, 2])
def test_a_survey_in_millimetres_and_grams_is_one_too(folder: Path, rows: int) -> None:
    assert "it is a survey" in refusal(folder, text(in_units(1, 1)[:rows]))


def test_a_few_rows_with_rings_are_bad_rows_and_no_reason_to_refuse(folder: Path) -> None:
    file, _ = read(folder, 20 * ROW + ROW.rstrip("\n") + ",9\n")
    assert (file.rows, file.quarantined) == (20, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00M", "not UTF-8"),
        (5 * ROW + '"never closed\n' + ROW, "never closed"),
        ('"never closed\n' + 9 * ROW, "never closed"),
        (200_000 * b"\0", "field larger than"),
        ("sex,length,weight of the boat\n" + ROW, "does not know"),
        (4 * ROW + 5 * ROW.replace("0.455", "91"), "5 of 9 records break a rule"),
        (9 * ROW.replace(",", ";"), "separated by semicolons: export it with commas"),
        (9 * ROW.replace(",", ";").replace(".", ","), "separated by semicolons"),
        (9 * ROW.replace(",", "\t").replace(".", ","), "separated by tabs"),
        (9 * ROW.replace("M", "male"), "the rule broken most is sex (9 times), as in line 1"),
    ],
)
def test_what_cannot_be_believed_is_refused(folder: Path, content: str | bytes, said: str) -> None:
    assert said in refusal(folder, content)


def test_numbers_in_millimetres_and_grams_are_refused_with_a_word_of_it(folder: Path) -> None:
    measured = "M,91,73,19,102.8,44.9,20.2,30\n"
    said = refusal(folder, 9 * measured + 3 * "x\n")
    assert "look like millimetres and grams: tell the units in a header" in said
    assert "Length (mm) and Whole weight (g)" in said
    assert "the rule broken most is field_count" in refusal(folder, 5 * measured + 6 * "x\n")


def test_a_header_whose_units_the_numbers_contradict_is_to_be_corrected(folder: Path) -> None:
    header = "sex,length_mm,diameter_mm,height_mm,whole_g,shucked_g,viscera_g,shell_g\n"
    said = refusal(folder, header + 9 * ROW)
    assert "grams / 200: correct the units in its header" in said
    measured = 9 * "M,91,73,19,102.8,44.9,20.2,30\n"
    file, (block,) = read(folder, header + measured + ROW)
    assert (file.rows, [row.rule for row in block.bad]) == (9, ["units"])
    turned = HEADER.replace("sex,length", "length,sex") + measured.replace("M,91", "91,M")
    assert "look like millimetres and grams: tell the units" in refusal(folder, turned)


def test_an_empty_file_has_no_animals(folder: Path) -> None:
    file, _ = read(folder, "")
    assert (file.rows, file.records) == (0, 0)


def test_only_a_few_records_around_a_bad_one_are_read_one_by_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(values: list[str]) -> object:
        asked.append(1)
        return validate_measurements(values)

    monkeypatch.setattr(record_reader, "validate_measurements", counted)
    lines = 10 * animals(500).decode().splitlines()
    lines[2500] = "X" + lines[2500][1:]
    file, blocks = read(folder, "\n".join(lines))
    assert file.rows == 4999
    assert len(asked) <= parsing.FEW_LINES
    assert np.all(np.diff(lines_in(blocks)) > 0)


@pytest.mark.parametrize(
    "odd",
    [
        "X,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\n",
        "M1,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\n",
        "M,.455,0.365,0.095,0.514,0.2245,0.101,0.15\n",
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,15.\n",
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,\n",
        "m,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\n",
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,\n",
        "M,0.455,0.365,0.095,0.514,0.2245,0.101\n",
        "M,0.455,0.365,9.5,0.514,0.2245,0.101,0.15\n",
        "M,\u0661,0.365,0.095,0.514,0.2245,0.101,0.15\n",
        "M,.,0.365,0.095,0.514,0.2245,0.101,0.15\n",
        "M,0.455,0.365,0.095,0.514,0.2245,0.101,.\n",
        "M,1,1,0.5,0.514,0.2245,0.101,0.15\n",
        " \n",
        "\n",
    ],
)
@pytest.mark.parametrize("place", [0, 7, 19])
@pytest.mark.parametrize("other", ["?\n", "x\n", ""])
def test_an_odd_line_is_read_by_itself_and_the_others_keep_their_lines(
    folder: Path, odd: str, place: int, other: str
) -> None:
    lines = animals(20).decode().splitlines(keepends=True)
    lines[place:place] = [odd]
    lines[15:15] = [other]
    is_read_as_a_survey(folder, "".join(lines))


WORDS = "M F I X m MM 0.4 0.45678 1 1. .5 00.3 1e-1 -0.1 inf nan 0.4F 9.5 0.3.1 1_0 0x1 F0 0 0,1"
FIELDS = st.sampled_from([*WORDS.split(), "", " 0.4", "0.1 ", '"0.1"'])
ROWS = st.tuples(
    st.sampled_from([0, 0, 0, 1, 2]), st.lists(FIELDS, min_size=1, max_size=2), st.integers(0, 8)
)


@given(st.lists(ROWS, min_size=1, max_size=12), st.sampled_from(["", "\n"]))
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_whatever_is_in_a_line_it_is_read_as_of_a_survey(
    folder: Path, rows: list[tuple[int, list[str], int]], end: str
) -> None:
    lines = animals(80).decode().splitlines()  # so many that no file is refused
    for number, (changes, fields, place) in enumerate(rows):
        changed = lines[2 * number].split(",")
        changed[place : place + changes] = fields[:changes] if changes else changed[place:place]
        lines[2 * number] = ",".join(changed)
    is_read_as_a_survey(folder, "\n".join(lines) + end)


def is_read_as_a_survey(folder: Path, content: str) -> None:
    file, blocks = read(folder, content.encode())
    wanted = parse_survey(content.encode(), NAME, reading=Reading(rings=False))
    assert lines_in(blocks) == wanted.lines
    assert rows_in(blocks) == list(zip(*(wanted.columns[name] for name in FEATURES), strict=True))
    bad = [row for block in blocks for row in block.bad]
    assert [row.line for row in bad] == [row.line for row in wanted.quarantined]
    assert [row.raw for row in bad] == [content.split("\n")[row.line - 1] for row in bad]
    assert file.records == wanted.record_count

"""`abalone land` of animals whose rings nobody counted."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from abalone_assets.ageing.parsing import AnimalsFile
from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.survey.files import ANIMALS, in_units, text, with_commas

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME, SURVEY = "animals.20250314061500", "abalone.20250314061500"
UNCOUNTED = [fields[:-1] for fields in ANIMALS]
NAMES = ["Sex", *(f"{name} (mm)" for name in ("Length", "Diameter", "Height"))]
NAMES += [f"{name} (g)" for name in ("Whole weight", "Shucked weight", "Viscera", "Shell")]


def given(folder: Path, content: bytes, name: str = NAME) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def landed(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "landing_zone").iterdir()}


def numbers(content: bytes) -> list[list[float]]:
    return [[*map(float, line.split(",")[1:])] for line in content.decode().splitlines()]


def grams(rows: Sequence[list[str]] = ANIMALS) -> list[list[str]]:
    return [fields[:-1] for fields in in_units(1, 1, rows)]


def test_a_file_that_obeys_the_contract_lands_as_it_is(home: Path, tmp_path: Path) -> None:
    document = abalone_json("land", given(tmp_path, text(UNCOUNTED)))
    assert landed(home) == {NAME: text(UNCOUNTED)}
    (file,) = document["files"]
    assert (file["rows"], file["quarantined"], file["converted"]) == (40, 0, False)
    assert "there already" in abalone("land", tmp_path / NAME).output


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (text(grams(), NAMES), []),
        (text(grams()), ["--units", "mm-g"]),
        (text([with_commas(row) for row in grams()], NAMES, delimiter=";"), []),
        (text([with_commas(row) for row in UNCOUNTED], delimiter=";"), []),
        (text([with_commas(row) for row in UNCOUNTED], delimiter="\t"), []),
        (text([with_commas(row) for row in UNCOUNTED[:3]], delimiter="\t"), []),
        (text([[str(at), *row] for at, row in enumerate(UNCOUNTED)]), ["--columns", "id,{names}"]),
        (text([row[::-1] for row in UNCOUNTED]), ["--columns", "{reversed}"]),
    ],
    ids=["header", "units", "semicolons", "bare", "tabs", "few", "columns", "reversed"],
)
def test_what_a_survey_may_be_written_as_is_converted(
    home: Path, tmp_path: Path, content: bytes, options: list[str]
) -> None:
    names = ["sex", "length", "diameter", "height", "whole", "shucked", "viscera", "shell"]
    told = [each.format(names=",".join(names), reversed=",".join(names[::-1])) for each in options]
    path = given(tmp_path, content, "uncounted.csv")
    document = abalone_json("land", "--animals", "--date", "2025-03-14 06:15:00", *told, path)
    assert document["files"][0]["converted"]
    expected = numbers(text(UNCOUNTED))[: document["files"][0]["rows"]]
    assert len(expected) in {3, 40}
    for row, wanted in zip(numbers(landed(home)[NAME]), expected, strict=True):
        assert row == pytest.approx(wanted, abs=1e-4)
    read = AnimalsFile(home / "landing_zone" / NAME, NAME)  # as it will be taken in
    assert sum(len(block.lines) for block in read.blocks()) == len(expected)
    assert not read.quarantined


@pytest.mark.parametrize("name", [SURVEY, NAME])
def test_a_survey_of_animals_without_rings_lands_under_their_name(
    home: Path, tmp_path: Path, name: str
) -> None:
    abalone_json("land", "--animals", given(tmp_path, text(UNCOUNTED), name))
    assert [*landed(home)] == [NAME]


TOLD = ["--units", "mm-g"]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (text(UNCOUNTED), []),
        (text(grams()), []),
        (text(grams()), TOLD),
        (text(grams(ANIMALS[:3])), TOLD),
        (text([fields[:-1] for fields in in_units(10, 1000)]), ["--units", "cm-kg"]),
        (text(UNCOUNTED, delimiter=";"), []),
        (text([with_commas(row) for row in grams()], delimiter=";"), []),
    ],
)
def test_a_survey_of_eight_columns_says_how_it_lands(
    home: Path, tmp_path: Path, content: bytes, options: list[str]
) -> None:
    said = abalone("land", given(tmp_path, content, SURVEY), *options)
    assert said.exit_code == 1
    assert "or land it with --animals" in said.stderr
    assert landed(home) == {}


@pytest.mark.parametrize("rows", [40, 2])
@pytest.mark.parametrize(
    ("counted", "header", "options"),
    [
        (ANIMALS, None, []),
        (ANIMALS, [*NAMES, "Rings"], []),
        (in_units(1, 1), None, []),
        (in_units(1, 1), None, TOLD),
    ],
)
def test_a_survey_under_the_name_of_animals_is_refused(
    home: Path,
    tmp_path: Path,
    rows: int,
    counted: list[list[str]],
    header: list[str] | None,
    options: list[str],
) -> None:
    result = abalone("land", given(tmp_path, text(counted[:rows], header)), *options)
    assert result.exit_code == 1
    assert "with counted rings it is a survey: call it abalone.YYYYMMDDHHMMSS" in result.stderr
    assert landed(home) == {}


@pytest.mark.parametrize("content", [b"", text([], NAMES)])
def test_a_file_without_a_row_is_refused_unless_forced(
    home: Path, tmp_path: Path, content: bytes
) -> None:
    result = abalone("land", given(tmp_path, content))
    assert result.exit_code == 1
    assert "there is no row in it" in result.stderr
    assert landed(home) == {}
    abalone_json("land", "--force", tmp_path / NAME)
    assert [*landed(home)] == [NAME]


def test_animals_in_other_units_are_in_doubt_until_these_are_told(
    home: Path, tmp_path: Path
) -> None:
    small = [fields[:-1] for fields in in_units(10, 1000)]  # cm and kg pass the contract's bounds
    result = abalone("land", given(tmp_path, text(small)))
    assert result.exit_code == 1
    assert "--units cm-kg" in result.stderr


def test_shell_weights_of_a_half_are_no_ages(home: Path, tmp_path: Path) -> None:
    rows = [[*fields[:-1], "1000.5"] for fields in UNCOUNTED]
    said = abalone("land", given(tmp_path, text(rows))).stderr
    assert "shell_weight" in said
    assert "years" not in said


def test_bad_rows_land_with_their_file_and_keep_their_places(home: Path, tmp_path: Path) -> None:
    bad = ["X", *grams()[0][1:]]
    result = abalone("land", given(tmp_path, text([*grams(), bad], NAMES)))
    assert result.exit_code == 0
    assert "To be quarantined: 1 row" in result.stderr
    assert f"{NAME}:42 (line 41 as it lands)" in result.stderr
    read = AnimalsFile(home / "landing_zone" / NAME, NAME)
    (row,) = [row for block in read.blocks() for row in block.bad]
    assert (row.line, row.column) == (41, "sex")


def test_another_file_of_animals_is_replaced_only_by_force(home: Path, tmp_path: Path) -> None:
    abalone_json("land", given(tmp_path, text(UNCOUNTED)))
    other = given(tmp_path, text(UNCOUNTED[:30]))
    assert "lies in" in abalone("land", other).stderr
    assert landed(home) == {NAME: text(UNCOUNTED)}
    abalone_json("land", "--force", other)
    assert landed(home) == {NAME: text(UNCOUNTED[:30])}


def test_the_same_header_further_down_is_one_bad_row(home: Path, tmp_path: Path) -> None:
    content = text(grams(), NAMES) + text(grams()[:3], NAMES)
    (file,) = abalone_json("land", given(tmp_path, content))["files"]
    assert (file["rows"], file["quarantined"]) == (43, 1)
    assert {*landed(home)} == {NAME}


def test_surveys_and_animals_land_together(home: Path, tmp_path: Path) -> None:
    files = [given(tmp_path, text(), SURVEY), given(tmp_path, text(UNCOUNTED))]
    assert len(abalone_json("land", *files)["files"]) == 2
    assert {*landed(home)} == {SURVEY, NAME}
    changes = [file["change"] for file in abalone_json("land", *files)["files"]]
    assert changes == ["identical", "identical"]


def test_two_files_that_would_have_one_name_are_refused(home: Path, tmp_path: Path) -> None:
    files = [given(tmp_path, text(UNCOUNTED), name) for name in (SURVEY, NAME)]
    result = abalone("land", "--animals", *files)
    assert result.exit_code == 1
    assert "given twice" in result.stderr


def test_days_of_animals_are_bounded_as_surveys_are(home: Path, tmp_path: Path) -> None:
    tomorrow = f"animals.{date.today().year + 1}0101000000"  # noqa: DTZ011 - a year from now
    said = abalone("land", given(tmp_path, text(UNCOUNTED), tomorrow)).stderr
    assert "is in the future (--force lands it" in said

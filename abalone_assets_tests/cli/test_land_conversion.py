"""`abalone land` of files that are surveys in another form: converted, or refused with the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.cli.landing_support import NAME, landed, survey
from abalone_assets_tests.cli.support import GOOD_ROW, abalone, abalone_json
from abalone_assets_tests.survey.files import (
    ANIMALS,
    SWAPPED,
    UCI,
    each,
    in_units,
    named_units,
    numbered,
    ordered,
    text,
    with_commas,
)

if TYPE_CHECKING:
    from pathlib import Path

CANONICAL = text().decode()
ORDER = ",".join(UCI[at] for at in SWAPPED)


@pytest.mark.parametrize(
    ("content", "options", "note"),
    [
        (text(in_units(1, 1)), ["--units", "mm-g"], "converted from mm and g"),
        (text(in_units(10, 200), UCI), ["--units", "cm-scaled"], "converted from cm and g / 200"),
        (text(in_units(1000, 1000)), ["--units", "m-kg"], "converted from m and kg"),
        (text(in_units(1, 1), named_units("mm", "g")), [], "converted from mm and g"),
        (text([ordered(f) for f in ANIMALS], ordered(UCI)), [], "in the order"),
        (text([ordered(f) for f in ANIMALS]), ["--columns", ORDER], "in the order"),
        (text(numbered(ANIMALS)), ["--columns", "id," + ",".join(UCI)], "without id"),
        (text(numbered(ANIMALS), UCI), ["--columns", "id," + ",".join(UCI)], "without id"),
        (
            text(in_units(1, 1)),
            ["--columns", ",".join(named_units("mm", "g"))],
            "converted from mm and g",
        ),
        (
            text(
                header=[
                    "sexo",
                    "talla",
                    "ancho",
                    "alto",
                    "peso",
                    "carne",
                    "tripa",
                    "concha",
                    "anillos",
                ]
            ),
            ["--columns", ",".join(UCI)],
            None,
        ),
        (text(delimiter=";"), [], "separated by semicolons"),
        (b"sep=;\r\n" + text(delimiter=";"), [], "separated by semicolons"),
        (text(delimiter="\t"), [], "separated by tabs"),
        (text(delimiter="\t").decode().encode("utf-16"), [], "it was written in UTF-16"),
        (text(each(with_commas), with_commas(UCI), delimiter=";"), [], "have decimal commas"),
        (text(each(lambda f: [f'"{value}"' for value in with_commas(f)])), [], "decimal commas"),
        (
            text([with_commas(f) for f in in_units(1, 1)], delimiter=";"),
            ["--units", "mm-g"],
            "converted from mm and g",
        ),
        (text(each(lambda f: [f[0].lower(), *f[1:], ""])), [], "40 rows with the sex in lower"),
    ],
)
def test_what_lands_is_canonical_and_what_was_converted_is_told(
    home: Path, tmp_path: Path, content: bytes, options: list[str], note: str | None
) -> None:
    path = survey(tmp_path, content=content)
    planned = abalone_json("land", path, *options, "--dry-run")
    assert (planned["dry_run"], landed(home)) == (True, {})
    (file,) = abalone_json("land", path, *options)["files"]
    assert planned["files"] == [file]
    assert landed(home) == {NAME: CANONICAL}
    assert (file["rows"], file["quarantined"], file["converted"]) == (40, 0, True)
    assert note is None or note in "; ".join(file["notes"])
    assert abalone_json("land", path, *options)["files"][0]["change"] == "identical"


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (text(in_units(1, 1)), [], "look like millimetres and grams: land it with --units mm-g"),
        (text(in_units(1000, 1000)), [], "look like metres and kilograms, .* --units m-kg"),
        (text(in_units(200, 1000)), [], "look like millimetres / 200 and kilograms"),
        (
            text(),
            ["--units", "mm-g"],
            "said to be in mm and g, but the .* look like millimetres / 200",
        ),
        (text(in_units(1, 1), named_units("mm", "g")), ["--units", "cm-g"], "leave out --units"),
        (text(header=UCI), ["--columns", ORDER], "leave out --columns"),
        (text(each(with_commas, 2), delimiter=";"), [], "decimal comma .* and others a point"),
        (
            text([[f[0], *["1,028"] * 7, f[8]] for f in ANIMALS], delimiter=";"),
            [],
            "say --decimal comma",
        ),
        (text(each(lambda f: [";".join(f)], 2)), [], "part of the file is separated by semicolons"),
        (b"M,0.4,0.3,0,0.5,0.2,0.1,0.15,9\n" * 3, [], "ingestion would use none of it: height"),
        (b"", [], "ingestion would use none of it: there is no row in it"),
        (b"\n \n", [], "there is no row in it"),
        (text([], UCI), [], "there is no row in it"),
    ],
)
def test_what_is_not_certain_is_refused_with_what_would_read_it(
    home: Path, tmp_path: Path, content: bytes, options: list[str], reason: str
) -> None:
    result = abalone("land", survey(tmp_path, content=content), *options)
    assert result.exit_code == 1
    assert re.search(reason, result.stderr), result.stderr
    assert "landed" not in result.stdout
    assert landed(home) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--units", "furlongs-stone"], "such as mm-g"),
        (["--columns", "sex,length"], "there is no diameter"),
        (["--date", "yesterday"], "no date or time"),
        (["--delimiter", "%"], "is not one of"),
    ],
)
def test_an_option_that_says_nothing_is_refused(
    home: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    result = abalone("land", survey(tmp_path), *options)
    assert result.exit_code in {1, 2}
    assert message in result.stderr
    assert landed(home) == {}


@pytest.mark.parametrize("date", ["2025-03-14T06:15:00", "2025-03-14T16:15+10:00"])
def test_a_file_of_any_name_lands_under_the_name_of_its_time(
    home: Path, tmp_path: Path, date: str
) -> None:
    path = survey(tmp_path, "crew four.csv")
    assert "--date" in abalone("land", path).stderr
    assert abalone_json("land", path, "--date", date)["files"][0]["file"] == NAME
    assert landed(home) == {NAME: GOOD_ROW}
    other = survey(tmp_path, "other.csv")
    assert abalone("land", path, other, "--date", date).exit_code == 2


def test_a_bad_row_of_a_converted_file_stays_for_the_quarantine(home: Path, tmp_path: Path) -> None:
    rows = in_units(1, 1)
    rows[3][1], rows[5][2] = "999", "wide"
    rows[7] = rows[7][:4]
    content = text(rows, named_units("mm", "g"))
    (file,) = abalone_json("land", survey(tmp_path, content=content))["files"]
    assert (file["rows"], file["quarantined"]) == (37, 3)
    lines = landed(home)[NAME].splitlines()
    assert lines[3].split(",")[1] == "4.995"
    assert lines[5].split(",")[2] == "wide"
    assert lines[7] == f'"{",".join(rows[7])}"'


def test_a_file_without_a_final_newline_is_told_and_keeps_its_bytes(
    home: Path, tmp_path: Path
) -> None:
    result = abalone("land", survey(tmp_path, content=text(end="")))
    assert result.exit_code == 0
    assert "if the file was cut short, its last number may be too" in result.stderr
    assert landed(home) == {NAME: CANONICAL.rstrip()}


def test_a_file_that_lies_there_as_it_was_given_is_the_same_survey(
    home: Path, tmp_path: Path
) -> None:
    content = text(header=UCI)
    survey(home / "landing_zone", content=content)
    (file,) = abalone_json("land", survey(tmp_path, content=content))["files"]
    assert file["change"] == "identical"
    semicolons = text(delimiter=";")
    survey(home / "landing_zone", content=semicolons)
    assert "with another content" in abalone("land", survey(tmp_path, content=semicolons)).stderr

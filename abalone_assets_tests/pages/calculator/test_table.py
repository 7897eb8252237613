from __future__ import annotations

import pytest

from abalone_assets.pages.calculator import table as tables
from abalone_assets.pages.calculator.table import Table, TableError, read_table
from abalone_assets.survey.units import CONTRACT_UNITS, MM_G, Units

MEASURED = "M,91,73,19,102.8,44.9,20.2,30\nF,106,84,27,135.4,51.3,28.3,42\n"
NAMES = "sex,length,diameter,height,whole weight,shucked weight,viscera weight,shell weight"
CANONICAL = (
    "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\nF,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21\n"
)


def read(text: str, units: Units = MM_G) -> Table:
    return read_table(text.encode(), units)


@pytest.mark.parametrize(
    "text",
    [
        MEASURED,
        f"\ufeff{MEASURED}".replace("\n", "\r\n"),
        f"{NAMES}\n{MEASURED}",
        MEASURED.replace(",", "\t"),
        MEASURED.replace(",", ";").replace(".", ","),
        f"sep=;\n{MEASURED.replace(',', ';')}",
        "\n\n" + MEASURED.replace("\n", ",,\n\n"),
        MEASURED.replace("\n", ",9\n"),
        MEASURED.replace("M,", '" m",'),
    ],
    ids=["plain", "Windows", "header", "tabs", "German", "sep", "blanks", "rings", "quotes"],
)
def test_however_a_spreadsheet_writes_it_it_is_the_same_animals(text: str) -> None:
    found = read(text)
    assert found.lines == CANONICAL
    assert not found.bad
    assert (found.units, found.told) == (MM_G, False)


def test_a_header_tells_order_units_and_what_else_is_left_out() -> None:
    found = read(
        "id,Shell weight (g),Length (cm),Sex,Diameter (cm),Height (cm),Whole weight (g),"
        "Shucked weight (g),Viscera weight (g),Rings\n7,30,9.1,M,7.3,1.9,102.8,44.9,20.2,15\n",
        CONTRACT_UNITS,
    )
    assert found.lines == CANONICAL.splitlines(keepends=True)[0]
    assert (found.units.name, found.told) == ("cm-g", True)
    assert found.rows[0].fields["length"] == "9.1"
    assert found.rows[0].others == {"id": "7", "Rings": "15"}


def test_lines_that_are_no_animals_are_told_and_the_others_are_read() -> None:
    found = read(f"{NAMES}\n{MEASURED}M,91\n\nX,91,73,19,102.8,44.9,20.2,30\n")
    assert [row.line for row in found.rows] == [2, 3]
    assert [(bad.line, bad.problems[0].column, bad.text) for bad in found.bad] == [
        (4, None, "M,91"),
        (6, "sex", "X,91,73,19,102.8,44.9,20.2,30"),
    ]


def test_lines_are_counted_as_an_editor_shows_them() -> None:
    header = NAMES.replace("shell weight", '"shell\nweight"')
    found = read(f"{header}\n{MEASURED}M,91\n")
    assert [row.line for row in found.rows] == [3, 4]
    assert [bad.line for bad in found.bad] == [5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no animal"),
        (f"{NAMES}\n", "no animal"),
        ("sex,length,colour\nM,91,red\n", "there is no diameter, no height"),
        (f"{NAMES.replace('height', 'height (mm)')}\n{MEASURED}", "tells a unit"),
        ('M,"91\n', "no CSV"),
        (CANONICAL, "look like millimetres / 200 and grams / 200"),
        ("PK\x03\x04\0\0", "no text"),
    ],
)
def test_what_cannot_be_read_as_a_whole_is_refused(text: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        read(text)


def test_text_in_another_encoding_is_refused() -> None:
    with pytest.raises(TableError, match="UTF-8"):
        read_table("Größe;M;91".encode("latin-1"), MM_G)


def test_several_units_of_length_are_refused() -> None:
    header = (
        "sex,length (mm),diameter (mm),height (cm),whole weight (g),shucked weight (g),"
        "viscera weight (g),shell weight (g)\n"
    )
    with pytest.raises(TableError, match="several units of length"):
        read(header + MEASURED)


def test_measurements_that_are_too_large_for_the_survey_are_seen_to_be_millimetres() -> None:
    with pytest.raises(TableError, match="look like millimetres and grams"):
        read(MEASURED, CONTRACT_UNITS)


def test_one_line_in_other_units_is_no_animal() -> None:
    found = read(MEASURED * 3 + CANONICAL.splitlines()[0])
    assert len(found.rows) == 6
    assert [bad.problems[0].rule for bad in found.bad] == ["units"]


def test_more_animals_than_a_person_reads_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ANIMALS", 3)
    assert len(read(MEASURED + MEASURED.splitlines()[0]).rows) == 3
    with pytest.raises(TableError, match="4 lines are more than the 3"):
        read(MEASURED * 2)

"""Files of animals are read however people write them, and a bad line costs the others nothing."""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.ageing.animals_file import AnimalsFile
from abalone_assets.ageing.batch import MANY, Batch
from abalone_assets.errors import SurveyError
from abalone_assets.modeling.inference import input_fn
from abalone_assets.survey import FEATURES, SurveyRowError, validate_measurements
from abalone_assets.survey.units import CONTRACT_UNITS, MM_G, Units
from abalone_assets_tests.modeling.test_rows import ODD, clean, measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES = ",".join(FEATURES)
LINES = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15\nF,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21\n"
COMMAS = "M 91,0 73,0 19,0 102,8 44,9 20,2 30,0\nF 106,0 84,0 27,0 135,4 51,3 28,3 42,0\n"
"""As many decimal commas as there are delimiters."""
MEASURED = "M,91,73,19,102.8,44.9,20.2,30\nF,106,84,27,135.4,51.3,28.3,42\n"


def opened(text: str | bytes, units: Units | None = None) -> AnimalsFile:
    data = text.encode() if isinstance(text, str) else text
    return AnimalsFile(io.BytesIO(data), "animals.csv", units)


def read(text: str | bytes, units: Units | None = None) -> Batch:
    (batch,) = opened(text, units).batches()
    return batch


def told(batch: Batch) -> str:
    assert not batch.bad
    return batch.to_csv()


@pytest.mark.parametrize(
    "text",
    [
        MEASURED,
        MEASURED.strip(),
        f"\ufeff{MEASURED}".replace("\n", "\r\n"),
        f"{NAMES}\n{MEASURED}",
        MEASURED.replace(",", "\t"),
        MEASURED.replace(",", ";").replace(".", ","),
        f"sep=;\r\n{MEASURED.replace(',', ';')}",
        COMMAS.replace(" ", "\t"),
        COMMAS.replace(" ", ";"),
        COMMAS.replace(" ", "|"),
        COMMAS.replace(",", ".").replace(" ", ",\t"),
        "\n \n" + MEASURED.replace("\n", ",,\n\n"),
        MEASURED.replace("\n", ",9\n"),
        MEASURED.replace("M,", ' m," 91",').replace(",91", "", 1),
        codecs.BOM_UTF16_LE + MEASURED.replace(",", "\t").encode("utf-16-le"),
        codecs.BOM_UTF16_BE + MEASURED.encode("utf-16-be"),
    ],
    ids=[
        *("plain", "cut", "Windows", "header", "tabs", "German", "sep"),
        *("tabs and commas", "semicolons and commas", "bars and commas", "commas and tabs"),
        *("blanks", "rings"),
        *("quotes", "UTF-16", "UTF-16 BE"),
    ],
)
def test_however_it_is_written_it_is_the_same_animals(text: str | bytes) -> None:
    assert told(read(text, MM_G)) == LINES
    if not isinstance(text, str) or "91" not in text:
        return
    survey = text.replace(MEASURED.split("\n", maxsplit=1)[0], LINES.split("\n", maxsplit=1)[0])
    if survey != text:
        assert told(read(survey.replace(MEASURED.split("\n")[1], LINES.split("\n")[1]))) == LINES


def test_a_header_tells_order_units_and_what_goes_along() -> None:
    file = opened(
        "Boat,id,Shell weight (g),length_cm,Sex,DIAMETER (cm),Height [cm],Whole weight (g),Boat,"
        "Shucked weight (g),Viscera weight (g),Rings,problem,\n"
        "Ada,7,30,9.1,M,7.3,1.9,102.8,x,44.9,20.2,15,odd,\n"
    )
    (batch,) = file.batches()
    assert told(batch) == LINES.splitlines(keepends=True)[0]
    assert (file.header.units.name, file.header.told) == ("cm-g", True)
    assert [name for _, name in file.header.others] == ["Boat", "id", "Boat 2", "Rings"]
    assert [column[0] for column in batch.others] == ["Ada", "7", "x", "15"]
    assert [column[0] for column in batch.given[:2]] == ["M", "9.1"]


@pytest.mark.parametrize(
    ("text", "units", "said"),
    [
        ("", None, "no rows in it"),
        (f"{NAMES}\n", None, "no rows in it"),
        ("M,\xff".encode("latin-1"), None, "not UTF-8 text"),
        (MEASURED.encode() * 2000 + b"\xff", MM_G, "not UTF-8 text"),
        (f'{LINES}"M\n', None, "animals.csv, line 3: not CSV"),
        (f"{NAMES.replace('height', 'hoehe')}\n{LINES}", None, "there is no height"),
        (f"{NAMES.replace('height', 'height (ell)')}\n{LINES}", None, "is no known unit"),
        (f"{NAMES.replace('length', 'length_mm')}\n{LINES}", None, "tells a unit and"),
        (
            "sex,length_mm,diameter_cm,height_mm,whole_g,shucked_g,viscera_g,shell_g\n",
            None,
            "several units of length, or of weight",
        ),
        (LINES.replace(",", ";").replace("0.2", "0,2"), None, "have a decimal comma"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused(
    text: str | bytes, units: Units | None, said: str
) -> None:
    with pytest.raises(SurveyError, match=said) as seen:
        list(opened(text, units).batches())
    assert str(seen.value).startswith("animals.csv")


def test_units_that_the_header_contradicts_are_refused() -> None:
    header = "sex,length_mm,diameter_mm,height_mm,whole_g,shucked_g,viscera_g,shell_g\n"
    assert told(read(header + MEASURED, MM_G)) == LINES
    with pytest.raises(SurveyError, match="tells the units mm and g itself: leave out --units"):
        opened(header + MEASURED, CONTRACT_UNITS)


def test_bad_lines_are_told_by_their_number_in_the_file() -> None:
    text = f'{NAMES}\n\n{LINES}"M"x,1\n\nM,1\nX{LINES[1:43]}\n"M\n",1,1,1,1,1,1,1\n{MEASURED}'
    batch = read(text)
    assert {place: str(bad).partition(";")[0] for place, bad in batch.bad.items()} == {
        2: "line 5: text follows a closing quote",
        3: "line 7: found 2 fields",
        4: "line 8, column sex: sex is 'X'",
        5: "line 9, column sex: sex is 'M\\n'",
        6: "line 11, column length: length is '91'",
        7: "line 12, column length: length is '106'",
    }
    assert [bad.looks_like for bad in batch.bad.values()] == [None] * 4 + [MM_G] * 2
    assert batch.to_csv() == LINES
    assert len(batch) == 8


def test_a_batch_without_an_animal_asks_nothing() -> None:
    batch = read("X,1,1,1,1,1,1,1\n")
    assert (batch.to_csv(), batch.animals, len(batch)) == ("", None, 1)


def test_a_record_that_goes_on_behind_a_batch_belongs_to_it() -> None:
    text = f'id,{NAMES}\n1,{LINES.splitlines()[0]}\n"2\n\n2",{LINES}3,{LINES}4,X\n'
    batches = list(opened(text).batches(2))
    assert [[*batch.others[0]] for batch in batches] == [["1", "2\n\n2"], *[["F", "3"], ["F", "4"]]]
    assert [bad.line for batch in batches for bad in batch.bad.values()] == [6, 8, 9]


def test_batches_have_as_many_lines_as_are_asked_for() -> None:
    sizes = [len(batch) for batch in opened(LINES * 5).batches(4)]
    assert sizes == [4, 4, 2]


def canonical(body: str) -> str:
    """A request as the endpoint reads it."""
    return "".join(",".join(map(str, row)) + "\n" for row in input_fn(body, "text/csv"))


def one_by_one(lines: Sequence[str], units: Units) -> tuple[str, list[int]]:
    """What `validate_measurements` says of each line."""
    rows, bad = "", []
    for number, line in enumerate(lines):
        try:
            rows += ",".join(map(str, validate_measurements(line.split(","), units))) + "\n"
        except SurveyRowError:
            bad.append(number)
    return rows, bad


unquoted = [line for line in ODD if '"' not in line and line.strip() and "\n" not in line]


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(st.one_of(clean, measured), min_size=1, max_size=4),
    extra=st.lists(st.sampled_from(unquoted), max_size=3),
    times=st.sampled_from([1, 40, 130]),
    units=st.sampled_from([CONTRACT_UNITS, MM_G]),
)
def test_many_lines_are_read_as_they_are_one_by_one(
    lines: list[str], extra: list[str], times: int, units: Units
) -> None:
    text = [*lines * times, *(line.strip("\r") for line in extra), *lines]
    text = [line[: line.rfind(",")] if line.count(",") == 8 else line for line in text]
    batch = read("\n".join(text), units)
    rows, bad = one_by_one(text, units)
    asked = "" if batch.animals is None else canonical(batch.to_csv())
    assert (asked, sorted(batch.bad)) == (rows, bad)
    # Quotes change nothing but the way that it is read.
    quoted = read("\n".join(['"' + text[0].replace(",", '","') + '"', *text[1:]]), units)
    assert [*map(list, quoted.given)] == [*map(list, batch.given)]
    assert quoted.bad == batch.bad


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("odd", [None, *unquoted])
def test_so_many_lines_that_columns_are_read_are_what_a_few_at_a_time_are(
    odd: str | None, ending: str
) -> None:
    clean = LINES.splitlines() * (MANY // 2)
    lines = [*clean, *([] if odd is None else [odd]), *clean]
    many, few = (
        list(opened(ending.join(lines) + ending).batches(rows)) for rows in (MANY, MANY // 2)
    )
    assert many[0].fields is None
    for name in ("given", "bad"):
        assert [*_joined(many, name)] == [*_joined(few, name)]
    assert "".join(map(told_anyhow, many)) == "".join(map(told_anyhow, few))
    assert sum(map(len, many)) == sum(map(len, few))


def _joined(batches: list[Batch], name: str) -> Iterator[object]:
    """Of all batches, each line's fields as they were given, or what is wrong with the bad ones."""
    for batch in batches:
        if name == "given":
            yield from zip(*batch.given, strict=True)
        else:
            yield from map(str, batch.bad.values())


def told_anyhow(batch: Batch) -> str:
    """The good animals of a batch, as an endpoint reads them."""
    return "" if batch.animals is None else canonical(batch.to_csv())


def test_a_field_that_csv_refuses_is_refused_among_many_lines_too() -> None:
    text = LINES * (MANY // 2) + LINES.replace("0.455", "0.455" + "0" * csv.field_size_limit())
    with pytest.raises(SurveyError, match=f"line {MANY + 1}: not CSV: field larger than"):
        list(opened(text).batches(2 * MANY))


def test_lines_are_counted_over_batches_and_blank_records_are_no_lines() -> None:
    blank = ",,,,,,,"
    batches = list(opened(f"{LINES}{blank}\nX{LINES[1:]}").batches(2))
    assert [len(batch) for batch in batches] == [2, 1, 1]
    assert [bad.line for batch in batches for bad in batch.bad.values()] == [4]
    assert read(f"{LINES}{blank}\n").to_csv() == LINES

import csv
import io
from pathlib import Path

import polars as pl
import pytest

from abalone_assets.ingest.frames import count_violations
from abalone_assets.survey import (
    COLUMNS,
    FEATURES,
    MAX_RINGS,
    MEASUREMENTS,
    TARGET,
    ParsedSurvey,
    SurveyRowError,
    UnreadableSurveyError,
    parse_survey,
    validate_measurements,
)

FILE = "abalone.20250301120000"
ROW = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15"
VALUES = ["M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15]


def parse(text: str) -> ParsedSurvey:
    return parse_survey(text.encode(), FILE)


def rows_of(survey: ParsedSurvey) -> list[list[object]]:
    return [list(row) for row in zip(*survey.columns.values(), strict=True)]


def row_with(column: str, text: str) -> str:
    fields = ROW.split(",")
    fields[[c.name for c in COLUMNS].index(column)] = text
    return ",".join(fields)


@pytest.fixture(scope="module")
def survey(uci_file: Path) -> ParsedSurvey:
    return parse_survey(uci_file.read_bytes(), uci_file.name)


class TestRealFile:
    def test_quarantines_exactly_the_two_animals_of_height_zero(self, survey: ParsedSurvey) -> None:
        faults = [(row.line, row.column, row.rule) for row in survey.quarantined]
        assert faults == [(1258, "height", "not_positive"), (3997, "height", "not_positive")]
        assert (survey.row_count, survey.record_count) == (4175, 4177)

    def test_canonical_values_equal_the_files_own_numbers(
        self, survey: ParsedSurvey, uci_file: Path
    ) -> None:
        records = list(csv.reader(io.StringIO(uci_file.read_text())))
        kept = [records[line - 1] for line in survey.lines]
        assert rows_of(survey) == [[r[0], *map(float, r[1:8]), int(r[8])] for r in kept]

    def test_none_is_below_a_plausible_minimum(self, survey: ParsedSurvey) -> None:
        assert count_violations(pl.DataFrame(survey.columns))["below_minimum"] == 0
        grams = {
            name: [0.001 * float(value) for value in survey.columns[name]] for name in MEASUREMENTS
        }
        assert count_violations(pl.DataFrame(grams))["below_minimum"] == survey.row_count

    def test_four_animals_have_more_meat_than_whole_weight(self, survey: ParsedSurvey) -> None:
        assert count_violations(pl.DataFrame(survey.columns)) == {
            "below_minimum": 0,
            "shucked_over_whole": 4,
            "parts_over_whole": 62,
            "diameter_over_length": 1,
            "height_outlier": 2,
        }


@pytest.mark.parametrize(
    ("text", "rows", "quarantined_lines", "lines"),
    [
        pytest.param("", 0, [], [], id="empty file"),
        pytest.param("\n \n\t\n", 0, [], [], id="blank lines only"),
        pytest.param(ROW, 1, [], [1], id="no final newline"),
        pytest.param(f"{ROW}\n{ROW}\n", 2, [], [1, 2], id="final newline"),
        pytest.param(f"{ROW}\r\n{ROW}\r\n", 2, [], [1, 2], id="CRLF"),
        pytest.param(f"{ROW}\r{ROW}\r", 2, [], [1, 2], id="lone CR"),
        pytest.param(f"{ROW}\n\r\n\r{ROW}", 2, [], [1, 4], id="mixed endings"),
        pytest.param(f"\n\n{ROW}\n  \n{ROW}", 2, [], [3, 5], id="blank lines between"),
        pytest.param(f"\ufeff{ROW}\n", 1, [], [1], id="byte order mark"),
        pytest.param(f"{ROW}\nM,1\n{ROW}", 2, [2], [1, 3], id="too few fields"),
        pytest.param(f"{ROW},1\n{ROW}", 1, [1], [2], id="ten fields"),
        pytest.param(f'"M\n",1\n{ROW}', 1, [1], [3], id="quoted newline"),
        pytest.param(f'\n"a\r\rb",1\r{ROW}', 1, [2], [5], id="quoted lone CRs"),
        pytest.param(f'{ROW}\n"M"x,1\n{ROW}', 2, [2], [1, 3], id="text behind a quote"),
        pytest.param(f",,,,,,,,\n{ROW}", 1, [1], [2], id="nine empty fields"),
        pytest.param(f"no survey\n{ROW}", 1, [1], [2], id="prose line"),
        pytest.param(f"{ROW}\n{ROW.replace(',', ';')}", 1, [2], [1], id="one row of semicolons"),
    ],
)
def test_every_record_is_a_row_or_quarantined_at_its_line(
    text: str, rows: int, quarantined_lines: list[int], lines: list[int]
) -> None:
    survey = parse(text)
    assert survey.row_count == rows
    assert [row.line for row in survey.quarantined] == quarantined_lines
    assert survey.lines == lines
    assert {len(values) for values in survey.columns.values()} == {rows}
    assert rows_of(survey) == [VALUES] * rows


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(",".join([*FEATURES, TARGET]), id="our names"),
        pytest.param(
            "Sex, Length, Diameter, Height, Whole weight, Shucked weight, Viscera weight, "
            "Shell weight, Rings",
            id="UCI spelling",
        ),
        pytest.param('\ufeff"SEX",' + ",".join([*MEASUREMENTS, "RINGS"]), id="quoted, with a BOM"),
        pytest.param("\n\n" + ",".join([*FEATURES, TARGET]), id="after blank lines"),
    ],
)
def test_a_header_line_is_skipped(header: str) -> None:
    survey = parse(f"{header}\n{ROW}\n")
    assert survey.header_line
    assert survey.record_count == survey.row_count == 1
    assert survey.lines == [header.count("\n") + 2]


def test_a_header_after_the_first_record_is_quarantined() -> None:
    survey = parse(f"{ROW}\n{','.join([*FEATURES, TARGET])}\n")
    assert not survey.header_line
    assert [(row.line, row.rule) for row in survey.quarantined] == [(2, "sex")]


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        pytest.param("length", "1e-1", 0.1, id="exponent"),
        pytest.param("length", "+.45500001", 0.455, id="rounded to four decimals"),
        pytest.param("length", " 0.455\t", 0.455, id="blanks around"),
        pytest.param("length", '"0.455"', 0.455, id="quoted"),
        pytest.param("length", ' "0.455"', 0.455, id="blank before a quote"),
        pytest.param("height", "1.13", 1.13, id="UCI's largest height"),
        pytest.param("whole_weight", "6.00004", 6.0, id="rounds to the maximum"),
        pytest.param("viscera_weight", "0.00006", 0.0001, id="rounds to the smallest reading"),
        pytest.param("sex", " I ", "I", id="blanks around sex"),
        pytest.param("sex", "f", "F", id="lower-case sex"),
        pytest.param("rings", "9.0", 9, id="rings with a zero decimal"),
        pytest.param("rings", "1e1", 10, id="rings with an exponent"),
        pytest.param("rings", str(MAX_RINGS), MAX_RINGS, id="most rings"),
    ],
)
def test_a_field_is_read_to_its_canonical_value(column: str, text: str, value: str | float) -> None:
    survey = parse(row_with(column, text))
    assert survey.quarantined == []
    assert survey.columns[column] == [value]
    assert type(survey.columns[column][0]) is type(value)


BAD_FIELDS = [
    pytest.param("sex", "MF", "sex", id="two sexes"),
    pytest.param("sex", "", "sex", id="no sex"),
    pytest.param("length", "", "not_a_number", id="empty measurement"),
    pytest.param("length", "1_0", "not_a_number", id="underscore"),
    pytest.param("length", "0x1", "not_a_number", id="hexadecimal"),
    pytest.param("length", "\u0660.\u0665", "not_a_number", id="digits of another script"),
    pytest.param("length", "\u00a00.5", "not_a_number", id="no-break space"),
    pytest.param("length", "0.5\x0b", "not_a_number", id="vertical tab"),
    pytest.param("length", "0.4 5", "not_a_number", id="blank inside"),
    pytest.param("length", "NaN", "not_finite", id="nan"),
    pytest.param("length", "-inf", "not_finite", id="inf"),
    pytest.param("length", "1e999", "not_finite", id="overflow"),
    pytest.param("height", "0", "not_positive", id="zero"),
    pytest.param("height", "-0.1", "not_positive", id="negative"),
    pytest.param("height", "0.00004", "not_positive", id="rounds to zero"),
    pytest.param("height", "1e-400", "not_positive", id="underflow"),
    pytest.param("length", "91", "above_maximum", id="millimetres for file units"),
    pytest.param("whole_weight", "6.0001", "above_maximum", id="just above the maximum"),
]
BAD_RINGS = [
    pytest.param("rings", "9.5", "not_an_integer", id="half a ring"),
    pytest.param("rings", "0", "out_of_range", id="no rings"),
    pytest.param("rings", "61", "out_of_range", id="too many rings"),
    pytest.param("rings", "-1", "out_of_range", id="negative rings"),
    pytest.param("rings", "1e300", "out_of_range", id="enormous rings"),
    pytest.param("rings", "nan", "not_finite", id="nan rings"),
    pytest.param("rings", "nine", "not_a_number", id="rings in words"),
]


def test_rings_are_asked_for_as_a_whole_number() -> None:
    (fault,) = parse(row_with("rings", "nine")).quarantined
    assert fault.message == "rings is 'nine'; it must be a whole number"


@pytest.mark.parametrize(("column", "text", "rule"), [*BAD_FIELDS, *BAD_RINGS])
def test_a_bad_field_quarantines_its_row_with_column_rule_and_raw_text(
    column: str, text: str, rule: str
) -> None:
    bad = row_with(column, text)
    survey = parse(f"{ROW}\r\n{bad}\r\n{ROW}")
    (fault,) = survey.quarantined
    assert (fault.file, fault.line, fault.column, fault.rule) == (FILE, 2, column, rule)
    assert fault.raw == bad
    assert column in fault.message
    assert survey.lines == [1, 3]


def test_the_first_fault_in_column_order_is_the_one_reported() -> None:
    (fault,) = parse("M,0.4,x,0,1,1,1,1,99").quarantined
    assert (fault.column, fault.rule) == ("diameter", "not_a_number")


def test_the_raw_text_of_a_record_over_several_lines_is_kept_whole() -> None:
    bad = '"M\r\n and\n more",1'
    (fault,) = parse(f"{bad}\r\n{ROW}").quarantined
    assert fault.raw == bad


def test_a_long_bad_field_is_shortened_in_the_message_but_not_in_the_raw_text() -> None:
    bad = row_with("length", "x" * 5000)
    (fault,) = parse(f"{ROW}\n{bad}").quarantined
    assert len(fault.message) < 120
    assert fault.raw == bad


def test_bad_records_in_many_places_of_a_long_file_keep_their_lines() -> None:
    bad_lines = {1, 64, 65, 128, 777}
    text = "\n".join("M,x" if line in bad_lines else ROW for line in range(1, 1001))
    survey = parse(text)
    assert {row.line for row in survey.quarantined} == bad_lines
    assert survey.lines == [line for line in range(1, 1001) if line not in bad_lines]
    assert rows_of(survey) == [VALUES] * 995


@pytest.mark.parametrize(
    ("good", "bad", "refused"),
    [(40, 10, False), (40, 11, True), (0, 4, False), (0, 5, True), (16, 5, True)],
)
def test_a_file_is_refused_above_a_fifth_of_bad_records_and_five_of_them(
    good: int, bad: int, *, refused: bool
) -> None:
    text = f"{ROW}\n" * good + f"{row_with('height', '0')}\n" * bad + ",,,,,,,,\n" * 50
    if refused:
        with pytest.raises(UnreadableSurveyError, match=f"{bad} of {good + bad} records break"):
            parse(text)
    else:
        assert len(parse(text).quarantined) == bad + 50


SEMICOLONS = ROW.replace(",", ";")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(f"{ROW}\nM\0".encode(), r"NUL byte at offset 48 \(line 2\)", id="NUL byte"),
        pytest.param(ROW.encode("utf-16"), "UTF-16", id="UTF-16"),
        pytest.param(
            f"{ROW}\r\n{ROW}\rcaf\xe9\n".encode("latin-1"),
            r"byte 0xe9 at offset 98 \(line 3\) .* 'é'",
            id="Latin-1",
        ),
        pytest.param(f"\ufeff{ROW}".encode() + b"\xff", "offset 49", id="bad byte after a BOM"),
        pytest.param(f"{SEMICOLONS}\n{SEMICOLONS}".encode(), "semicolons", id="semicolons"),
        pytest.param(SEMICOLONS.replace(".", ",").encode(), "semicolons", id="decimal commas"),
        pytest.param(ROW.replace(",", "\t").encode(), "tabs", id="tabs"),
        pytest.param(f'{ROW}\n"M,1\n{ROW}\n'.encode(), "line 2 is never closed", id="open quote"),
        pytest.param(f"{ROW}\n{'9' * 200_000}".encode(), "line 2 .*too long", id="huge field"),
    ],
)
def test_a_file_that_cannot_be_a_survey_is_refused_with_its_reason(
    data: bytes, reason: str
) -> None:
    with pytest.raises(UnreadableSurveyError, match=reason) as caught:
        parse_survey(data, FILE)
    assert caught.value.file == FILE
    assert str(caught.value) == f"{FILE}: {caught.value.reason}"


def test_a_file_above_the_size_limit_is_refused_before_parsing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("abalone_assets.survey.records.MAX_FILE_BYTES", len(ROW))
    assert parse_survey(ROW.encode(), FILE).row_count == 1
    # All NUL bytes: were the content looked at, the reason would be another one.
    with pytest.raises(UnreadableSurveyError, match="47 bytes are above the limit of 46: split"):
        parse_survey(bytes(len(ROW) + 1), FILE)


def test_a_refused_file_tells_the_rule_that_is_broken_most_not_first() -> None:
    content = "\n".join([row_with("height", "0"), *[row_with("rings", "9.3")] * 9])
    with pytest.raises(UnreadableSurveyError, match=r"not_an_integer \(9 times\), as in: rings is"):
        parse_survey(content.encode(), FILE)


class TestValidateMeasurements:
    @pytest.mark.parametrize(
        "values",
        [
            pytest.param(["M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15], id="numbers"),
            pytest.param(ROW.split(",")[:8], id="texts"),
            pytest.param([" M ", "0.45500001", *ROW.split(",")[2:8]], id="canonicalised"),
            pytest.param(["m", *ROW.split(",")[1:8]], id="lower-case sex"),
        ],
    )
    def test_gives_canonical_values(self, values: list[str | float]) -> None:
        assert list(validate_measurements(values)) == VALUES[:8]

    @pytest.mark.parametrize(("column", "text", "rule"), BAD_FIELDS)
    def test_refuses_what_ingestion_quarantines_in_the_same_words(
        self, column: str, text: str, rule: str
    ) -> None:
        bad = row_with(column, text)
        (quarantined,) = parse(bad).quarantined
        with pytest.raises(SurveyRowError) as caught:
            validate_measurements(bad.split(",")[:8])
        assert (caught.value.column, caught.value.rule) == (column, rule)
        assert str(caught.value) == caught.value.message == quarantined.message

    @pytest.mark.parametrize(
        ("value", "rule"),
        [
            pytest.param(True, "not_a_number", id="a truth value"),
            pytest.param(None, "not_a_number", id="null"),
            pytest.param([0.5], "not_a_number", id="a list"),
            pytest.param(float("nan"), "not_finite", id="nan"),
            pytest.param(10**400, "not_finite", id="an int beyond floats"),
            pytest.param(0, "not_positive", id="zero"),
            pytest.param(91, "above_maximum", id="an int above the maximum"),
        ],
    )
    def test_refuses_values_that_json_can_bring(self, value: float, rule: str) -> None:
        with pytest.raises(SurveyRowError) as caught:
            validate_measurements(["M", value, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15])
        assert (caught.value.column, caught.value.rule) == ("length", rule)

    @pytest.mark.parametrize("values", [[], VALUES, "M1111111"], ids=["none", "nine", "one text"])
    def test_refuses_another_number_of_values(self, values: list[str | float] | str) -> None:
        with pytest.raises(SurveyRowError, match="expected 8: sex, length") as caught:
            validate_measurements(values)
        assert (caught.value.column, caught.value.rule) == (None, "field_count")

    def test_a_sex_that_is_no_text_is_refused(self) -> None:
        with pytest.raises(SurveyRowError, match="sex is 1; it must be one of M, F, I"):
            validate_measurements([1, *[0.5] * 7])

"""Everything that the survey contract says of what is found in files."""

import re
from pathlib import Path

import pytest

import abalone_assets
from abalone_assets.survey import (
    ParsedSurvey,
    UnreadableSurveyError,
    canonical_survey,
    parse_survey,
)
from abalone_assets.survey.columns import COLUMNS
from abalone_assets.survey.header import HeaderError, read_header
from abalone_assets_tests.survey.files import ANIMALS, text
from abalone_assets_tests.survey.found import FOUND
from abalone_assets_tests.survey.outcomes import OUTCOMES, QUARANTINED, READ, REFUSED, Found

FILE = "abalone.20250301120000"
PAGE = Path(abalone_assets.__file__).parents[1] / "docs" / "survey-contract.md"


def cases(outcome: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("found", "content"),
        [
            pytest.param(found, content, id=f"{found.found[:40]} {number}")
            for found in FOUND
            if found.outcome == outcome
            for number, content in enumerate(found.contents)
        ],
    )


def rows_of(survey: ParsedSurvey) -> list[tuple[object, ...]]:
    return list(zip(*survey.columns.values(), strict=True))


ROWS = rows_of(parse_survey(text(), FILE))


def test_the_page_has_the_same_table() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = [(found, outcome) for found, outcome in rows if outcome in OUTCOMES]
    assert told == [(row.found, row.outcome) for row in FOUND]


def test_the_animals_are_a_survey() -> None:
    assert len(ROWS) == len(ANIMALS) == 40


@cases(READ)
def test_is_read_as_it_was_meant(found: Found, content: bytes) -> None:
    survey = parse_survey(content, FILE)
    assert rows_of(survey) == ROWS
    assert survey.quarantined == []
    assert bool(survey.notes) == bool(found.told), survey.notes
    if found.told:
        assert re.search(found.told, " ".join(survey.notes)), survey.notes


@cases(QUARANTINED)
def test_is_quarantined_and_the_other_rows_are_kept(found: Found, content: bytes) -> None:
    survey = parse_survey(content, FILE)
    kept = [row for number, row in enumerate(ROWS) if number not in found.lost]
    assert set(kept) <= set(rows_of(survey)) <= set(ROWS)
    assert survey.quarantined
    assert all(re.fullmatch(found.told, row.rule) for row in survey.quarantined)
    assert survey.record_count == survey.row_count + len(survey.quarantined)


@cases(REFUSED)
def test_refuses_the_file_with_one_reason(found: Found, content: bytes) -> None:
    with pytest.raises(UnreadableSurveyError, match=found.told) as caught:
        parse_survey(content, FILE)
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize("outcome", [READ, QUARANTINED])
def test_a_canonical_file_is_the_same_survey_and_needs_no_word(outcome: str) -> None:
    for found in FOUND:
        for content in found.contents if found.outcome == outcome else ():
            written = canonical_survey(content, FILE)
            before, after = parse_survey(content, FILE), parse_survey(written, FILE)
            assert after.columns == before.columns
            assert len(after.quarantined) == len(before.quarantined)
            for old, new in zip(before.quarantined, after.quarantined, strict=True):
                assert new.rule in {old.rule, "field_count"}
            assert after.notes == tuple(note for note in before.notes if "cut short" in note)
            assert not after.header_line
            assert canonical_survey(written, FILE) == written


@pytest.mark.parametrize(
    ("name", "at", "words"),
    [
        ("Rings+1.5", 8, "sex and rings have no unit (an age in years is rings + 1.5)"),
        ("Rings (years)", 8, "sex and rings have no unit"),
        ("diamètre", 2, "it does not know 'diamètre'"),
        ("Höhe (mm)", 3, "it does not know 'Höhe (mm)'"),
    ],
)
def test_what_is_not_understood_of_a_name_is_told_for_what_it_is(
    name: str, at: int, words: str
) -> None:
    names = [column.name for column in COLUMNS]
    names[at] = name
    with pytest.raises(HeaderError) as refused:
        read_header(names)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("other units, by all that the numbers say", True),
        ("other units in part of the file", False),
    ],
)
def test_a_refusal_names_the_units_that_would_read_all_of_the_file(
    name: str,
    known: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    (found,) = (each for each in FOUND if each.found == name)
    for content in found.contents:
        with pytest.raises(UnreadableSurveyError) as seen:
            parse_survey(content, FILE)
        assert (seen.value.looks_like is not None) is known


def test_an_animal_in_other_units_than_its_file_is_told_what_it_looks_like() -> None:
    (found,) = (each for each in FOUND if each.found.startswith("an animal in mm and g"))
    said = [parse_survey(content, FILE).quarantined[0].message for content in found.contents]
    assert said[0].endswith("these numbers look like millimetres and grams")
    assert said[1].endswith("but look like millimetres / 200 and grams / 200")

"""Which survey files are held: those that are off as a whole, and hardly any real one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from abalone_assets.ingest.held_files import Judge
from abalone_assets.ingest.plausibility.profile import Profile
from abalone_assets.ingest.plausibility.shipped_profile import UCI_PROFILE
from abalone_assets.lake.manifest import IngestedFile
from abalone_assets.sample_data import base_survey
from abalone_assets.survey import MEASUREMENTS, UnreadableSurveyError, parse_survey
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals, in_part, scaled, swapped

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.support.whole_surveys import Error

FILE = IngestedFile("abalone.20250314061500", 0, "", "sha", 0, 0)
WEIGHTS = ("whole_weight", "shucked_weight", "viscera_weight", "shell_weight")
FAINT = {"ages, rounded down, for rings"}
"""At 50 rows, the rings' own scatter hides one ring more than it should be in a third of files."""


@pytest.fixture(scope="module")
def uci(uci_file: Path) -> Animals:
    return Animals.of(uci_file)


@pytest.fixture(scope="module")
def bundled() -> Animals:
    return Animals.of(base_survey())


@pytest.fixture(scope="module")
def profile(bundled: Animals) -> Profile:
    """Of every second animal of the bundled survey; files are drawn from the others."""
    return Profile.of(bundled[::2].columns())


def judged(profile: Profile, animals: Animals) -> IngestedFile:
    try:
        survey = animals.survey()
    except UnreadableSurveyError as error:
        return replace(FILE, problem=error.reason)
    return Judge("base", profile).judge(survey, FILE)


def held(profile: Profile, animals: Animals) -> str | None:
    return judged(profile, animals).held


def test_the_shipped_profile_is_that_of_the_uci_survey(uci: Animals) -> None:
    fitted = Profile.of(uci.columns())
    for fit, shipped in zip(fitted.fits, UCI_PROFILE.fits, strict=True):
        assert fit.coefficients == pytest.approx(shipped.coefficients, rel=2e-4, abs=1e-5)
        assert fit.deviation == pytest.approx(shipped.deviation, rel=1e-3)


@pytest.mark.parametrize("size", [20, 100])
def test_hardly_any_real_survey_is_held_whatever_its_mix(uci: Animals, size: int) -> None:
    order = np.random.default_rng(11).permutation(len(uci))
    profile = Profile.of(uci[order[:2000]].columns())
    random = np.random.default_rng(12)
    kinds = uci[order[2000:]].kinds().values()
    alarms = sum(
        held(profile, kind.drawn(size, random)) is not None for kind in kinds for _ in range(40)
    )
    assert alarms <= 0.01 * 40 * len(kinds)


@pytest.mark.parametrize("error", [name for name in ERRORS if name not in FAINT])
def test_an_error_that_runs_through_a_survey_lets_none_of_it_in(uci: Animals, error: str) -> None:
    random = np.random.default_rng(7)
    files = [uci.drawn(50, random).with_error(ERRORS[error]) for _ in range(5)]
    assert [judged(UCI_PROFILE, file).rows for file in files] == [0] * 5


def test_ages_for_rings_are_told_from_many_animals(uci: Animals) -> None:
    (error,) = FAINT
    animals = uci.drawn(200, np.random.default_rng(7))
    assert "as if rings were ages in years" in str(
        held(UCI_PROFILE, animals.with_error(ERRORS[error]))
    )


def test_rings_of_one_place_may_be_off_as_ages_are_and_the_reason_says_both(uci: Animals) -> None:
    """UCI's rows 301 to 700 as they follow one another, landed by hand."""
    reason = str(held(UCI_PROFILE, uci[300:700]))
    assert "as if rings were ages in years, unless animals of this place grow otherwise" in reason


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("weights * 0.2", "whole_weight is 0.20 times that of animals of this length, diameter"),
        ("weights * 0.2", "as if weights were in kilograms"),
        ("all measurements * 0.2", "as if all measurements were in metres and kilograms"),
        ("lengths in inches / 200", "as if lengths were in inches / 200"),
        ("height * 0.1", "as if the decimal point of height had slipped"),
        ("length and diameter swapped", "as if length and diameter stood in each other's columns"),
        (
            "weights * 0.2 in every second row",
            " of 50 animals do not go together, as if weights were in kilograms",
        ),
    ],
)
def test_the_reason_says_what_the_file_looks_like(
    bundled: Animals, profile: Profile, error: str, words: str
) -> None:
    animals = bundled[1::2].drawn(50, np.random.default_rng(1)).with_error(ERRORS[error])
    assert words in str(held(profile, animals))


def test_a_held_file_keeps_its_rows_out_and_counted(bundled: Animals, profile: Profile) -> None:
    off = bundled[1:501:2].with_error(scaled(WEIGHTS, 0.2))
    file = judged(profile, off)
    assert (file.rows, file.held_rows, file.quarantined) == (0, 250, 0)
    plain = judged(profile, bundled[1:501:2])
    assert (plain.rows, plain.held_rows, plain.held) == (250, 0, None)


def test_a_few_odd_animals_are_counted_and_hold_no_file(bundled: Animals, profile: Profile) -> None:
    animals = bundled[1:101:2]
    before = judged(profile, animals).odd_animals
    file = judged(profile, animals.with_error(in_part(scaled(WEIGHTS, 0.2), 17)))
    assert (file.held, file.odd_animals) == (None, before + 3)


def test_one_or_two_animals_are_held_if_a_unit_explains_all_of_them(
    bundled: Animals, profile: Profile
) -> None:
    kilograms = bundled[1:7:2].with_error(scaled(WEIGHTS, 0.2))
    assert held(profile, kilograms[:1]) == (
        "the measurements of 1 of 1 animals do not go together, as if weights were in kilograms"
    )
    assert held(profile, kilograms[:2]) is not None
    one_only = bundled[1:5:2].with_error(in_part(scaled(WEIGHTS, 0.2), 2))
    slip = bundled[1:3:2].with_error(scaled(["height"], 0.1))
    for kept in (one_only, slip):
        assert (held(profile, kept), judged(profile, kept).odd_animals) == (None, 1)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (scaled(WEIGHTS, 0.2), "weights were in kilograms"),
        (scaled(MEASUREMENTS, 0.2), "all measurements were in metres and kilograms"),
        (swapped("length", "diameter"), "length and diameter stood in each other's columns"),
        (scaled(["height"], 0.1), "the decimal point of height had slipped"),
    ],
)
@pytest.mark.parametrize("every", [3, 6, 10])
def test_a_small_part_of_a_file_that_is_off_in_the_same_way_holds_it(
    uci: Animals, error: Error, words: str, every: int
) -> None:
    animals = uci.drawn(200, np.random.default_rng(7)).with_error(in_part(error, every))
    assert f"of 200 animals do not go together, as if {words}" in str(held(UCI_PROFILE, animals))


def test_many_animals_that_are_off_in_the_same_way_are_no_slips_in_any_file(uci: Animals) -> None:
    animals = uci.drawn(3000, np.random.default_rng(7))
    assert "as if weights were in kilograms" in str(
        held(UCI_PROFILE, animals.with_error(in_part(scaled(WEIGHTS, 0.2), 50)))
    )


@pytest.mark.parametrize("size", [1, 2, 10, 60])
def test_odd_real_animals_are_not_odd_in_the_same_way(uci: Animals, size: int) -> None:
    random = np.random.default_rng(13)
    whole = range(4000) if size == 1 else range(300)
    files = (uci[at : at + 1] if size == 1 else uci.drawn(size, random) for at in whole)
    reasons = [str(held(UCI_PROFILE, file)) for file in files]
    assert not [reason for reason in reasons if "together, as if" in reason]


@pytest.mark.parametrize("size", [12, 60, 250])
def test_rings_that_a_spreadsheet_filled_in_hold_the_file(uci: Animals, size: int) -> None:
    animals = uci.drawn(size, np.random.default_rng(7))
    animals.numbers[:, -1] = 10
    assert held(UCI_PROFILE, animals) == f"all {size} animals have 10 rings"


def test_rings_of_other_rows_hold_the_file(uci: Animals) -> None:
    random = np.random.default_rng(7)
    for _ in range(10):
        animals = uci.drawn(400, random)
        assert held(UCI_PROFILE, animals) is None
        random.shuffle(animals.numbers[:, -1])
        assert "the rings were those of other rows" in str(held(UCI_PROFILE, animals))


def test_a_row_that_is_repeated_is_one_animal(profile: Profile) -> None:
    row = b"M,0.455,0.365,0.095,0.1,0.2245,0.101,0.15,40\n"
    assert Judge("base", profile).judge(parse_survey(row * 300, "twice"), FILE).held is None


def test_a_file_without_rows_is_not_held(profile: Profile) -> None:
    file = Judge("base", profile).judge(parse_survey(b"", "none"), FILE)
    assert (file.held, file.rows, file.odd_animals) == (None, 0, 0)


def test_a_simulated_file_is_exempt(bundled: Animals, profile: Profile) -> None:
    off = bundled[:50].with_error(scaled(WEIGHTS, 0.2)).survey()
    simulated = IngestedFile("simulated", 0, "", "sha", 0, 0, origin="synthetic")
    assert Judge("base", profile).judge(off, simulated).rows == 50

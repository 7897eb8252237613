"""Why a whole file is bad: the one reason behind most of its bad records, and how to mend it."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from abalone_assets.survey.columns import AGE_OFFSET_YEARS, COLUMNS, FEATURES, SEXES
from abalone_assets.survey.dialect import DELIMITERS
from abalone_assets.survey.file_names import WITH_RINGS, WITHOUT_RINGS
from abalone_assets.survey.rules import (
    FIELD_READERS,
    SurveyRowError,
    field_reader,
    validate_measurements,
)
from abalone_assets.survey.units import CONTRACT_UNITS, PEOPLE_USE, Units, as_size, guess_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from abalone_assets.survey.dialect import Reading
    from abalone_assets.survey.header import Layout
    from abalone_assets.survey.parsed import QuarantinedRow

    _Explanation = Callable[["BadRecords"], tuple[float, str]]
    """From the records to the share of them that it explains, and the reason."""

_NAMES: Final = tuple(column.name for column in COLUMNS)
_LENGTH: Final = _NAMES.index("length")
_DIAMETER: Final = _NAMES.index("diameter")
_WHOLE: Final = _NAMES.index("whole_weight")
_INTEGER: Final = re.compile(r"[0-9]+")
_COMMA_NUMBER: Final = re.compile(r"[+-]?[0-9]*,[0-9]+")
_WORDS_OF_SEX: Final = frozenset({"male", "female", "infant", "juvenile"})
_SAMPLE: Final = 1000
_MOST: Final = 0.5
_NEARLY_ALL: Final = 0.9
_ROUND: Final = (0.5, 1.05)
"""Diameter / length of a living abalone: wider than UCI's 0.6 to 1.0."""


@dataclass(frozen=True)
class BadRecords:
    """Records that broke a hard rule.

    Attributes:
        raws: The text of each, or of a sample of them.
        layout: Which of their fields is which column.
        reading: How their fields were read.
        share_of_file: How much of the file's records they are.
    """

    raws: Sequence[str]
    layout: Layout
    reading: Reading
    share_of_file: float

    @classmethod
    def of(
        cls, rows: Sequence[QuarantinedRow], layout: Layout, reading: Reading, share_of_file: float
    ) -> BadRecords:
        """These rows, or about a thousand of them evenly from all of the file."""
        sample = rows[:: max(1, len(rows) // _SAMPLE)]
        return cls([row.raw for row in sample], layout, reading, share_of_file)

    @cached_property
    def fields(self) -> list[list[str]]:
        """The fields of each, without blanks; none where the quotes are malformed."""
        return [self._split(raw) for raw in self.raws]

    @cached_property
    def animals(self) -> list[list[str]]:
        """The fields, in the contract's order, of those that have as many as they should."""
        whole = [fields for fields in self.fields if len(fields) == self.layout.width]
        return [[fields[at] for at in self.layout.positions] for fields in whole]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that they were read as."""
        return _NAMES[: len(self.layout.positions)]

    @property
    def has_rings(self) -> bool:
        """Whether rings are one of them."""
        return self.names == _NAMES

    def share(self, hits: Iterable[object]) -> float:
        """The share of the records that the hits are."""
        return sum(map(bool, hits)) / len(self.raws)

    def _split(self, raw: str) -> list[str]:
        reader = csv.reader([raw], delimiter=self.reading.delimiter, skipinitialspace=True)
        try:
            fields = [field.strip() for field in next(reader, [])]
        except csv.Error:
            return []
        return [f.replace(",", ".") for f in fields] if self.reading.decimal == "," else fields


def certain_cause(bad: BadRecords) -> str | None:
    """What explains every one of the records, however few they are; None when nothing does."""
    return _cause(bad, 1.0, (_delimiter, _decimal_commas, _without_rings, _with_rings, _units))


def likely_cause(bad: BadRecords, rows: Sequence[QuarantinedRow]) -> str:
    """The reason behind most of the records; without one, the rule that is broken most.

    Args:
        bad: The records.
        rows: All of them, sampled or not.
    """
    causes = (
        *(_delimiter, _index, _decimal_commas, _bare_commas, _without_rings, _with_rings),
        *(_order, _age, _words, _units),
    )
    known = _cause(bad, _MOST, causes)
    if known:
        return known
    (most, count) = Counter((row.column, row.rule) for row in rows).most_common(1)[0]
    first = next(row for row in rows if (row.column, row.rule) == most)
    return f"the rule broken most is {first.rule} ({count} times), as in: {first.message}"


def units_that_mend(bad: BadRecords) -> Units | None:
    """The units, other than the told ones, that would read nearly all of the file, if any would."""
    told = bad.layout.told_units
    units = guess_units(_sizes(bad), told)
    if units is None or units == told:
        return None
    share = bad.share(_obeys(fields, units) for fields in bad.animals)
    return units if share * bad.share_of_file >= _NEARLY_ALL else None


def looks_like(columns: Mapping[str, Sequence[str | float]], told: Units) -> Units | None:
    """The units that a survey's numbers look like, as they were before they were converted.

    Args:
        columns: Canonical measurements.
        told: The units that they were converted from; believed unless they cannot be.

    Returns:
        None when it is not clear.
    """
    animals = list(zip(columns["length"], columns["whole_weight"], strict=True))
    longer, heavier = told.length.to_contract(1.0), told.weight.to_contract(1.0)
    sample = animals[:: max(1, len(animals) // _SAMPLE)]
    return guess_units(
        ((float(each[0]) / longer, float(each[1]) / heavier) for each in sample), told
    )


def contradicted_units(columns: Mapping[str, Sequence[str | float]], layout: Layout) -> str | None:
    """Why the units that a header tells cannot be, if the numbers clearly look like others.

    Args:
        columns: Canonical measurements.
        layout: With the units that they were converted from.
    """
    told = layout.told_units
    return _contradiction(told, looks_like(columns, told))


def mend_units(units: Units) -> str:
    """What to do about a file in these units."""
    return (
        f"land it with --units {units.name}, or tell the units in a header, such as "
        f"Length ({units.length.symbol}) and Whole weight ({units.weight.symbol})"
    )


def _contradiction(told: Units, units: Units | None) -> str | None:
    if units is None or units == told:
        return None
    return (
        f"its measurements are said to be in {told.length.symbol} and {told.weight.symbol}, but "
        f"the numbers look like {units.words}: correct the units"
    )


def _cause(bad: BadRecords, most: float, explanations: Sequence[_Explanation]) -> str | None:
    for explain in explanations:
        share, reason = explain(bad)
        if share > 0 and share >= most:
            return reason
    return None


def _delimiter(bad: BadRecords) -> tuple[float, str]:
    shares = {
        other: bad.share(_is_delimited_by(other, bad, raw) for raw in bad.raws)
        for other in DELIMITERS
        if other != bad.reading.delimiter
    }
    found = max(shares, key=lambda other: shares[other])
    name, share = DELIMITERS[found], shares[found]
    if share * bad.share_of_file < _NEARLY_ALL:
        reason = f"part of the file is separated by {name}: export all of it with commas"
    else:
        reason = (
            f"the fields are separated by {name}: export it with commas, or land it with "
            "`abalone land`, which converts it"
        )
    return share, reason


def _is_delimited_by(delimiter: str, bad: BadRecords, raw: str) -> bool:
    # Exports with semicolons often have decimal commas, which a comma reader takes for delimiters.
    count, read, all_of_them = (
        raw.count(delimiter),
        raw.count(bad.reading.delimiter),
        len(bad.names) - 1,
    )
    more = count > read or count == read == all_of_them
    return delimiter != "," and more and (count >= all_of_them or not read)


def _index(bad: BadRecords) -> tuple[float, str]:
    wide = bad.layout.width + 1
    numbers = [int(f[0]) for f in bad.fields if len(f) == wide and _INTEGER.fullmatch(f[0][:15])]
    counts = all(one < two for one, two in pairwise(numbers))
    return (len(numbers) / len(bad.raws) if counts else 0.0), (
        f"a counting number stands before the {len(bad.names)} fields, an index that was exported "
        f"too: export it without, or land it with --columns id,{','.join(bad.names)}"
    )


def _decimal_commas(bad: BadRecords) -> tuple[float, str]:
    hits = (any(map(_COMMA_NUMBER.fullmatch, animal[1:])) for animal in bad.animals)
    return bad.share(hits) if bad.reading.decimal != "," else 0.0, (
        "its numbers have decimal commas: export them with points, or land it with `abalone land`, "
        "which converts them (--decimal comma where it cannot be sure)"
    )


def _bare_commas(bad: BadRecords) -> tuple[float, str]:
    wide = bad.layout.width + 2
    hits = (len(f) > wide and all(map(_INTEGER.fullmatch, f[1:])) for f in bad.fields)
    return bad.share(hits), (
        "its numbers have decimal commas, and commas separate the fields too, so they cannot be "
        "told apart: export it with points, or with semicolons between the fields"
    )


def _without_rings(bad: BadRecords) -> tuple[float, str]:
    """Animals whose rings nobody counted, as a file of another kind holds them."""
    no_header = bad.has_rings and bad.layout.width == len(_NAMES)
    hits = (_is_unaged(fields, bad.layout.told_units) for fields in bad.fields)
    return bad.share(hits) if no_header else 0.0, (
        f"its records have {len(FEATURES)} fields, and no rings: {WITHOUT_RINGS}"
    )


def _with_rings(bad: BadRecords) -> tuple[float, str]:
    """A survey, where animals without rings are expected."""
    hits = (is_surveyed(fields, bad.layout.told_units) for fields in bad.fields)
    return 0.0 if bad.has_rings else bad.share(hits), (
        f"its records have {len(_NAMES)} fields: {WITH_RINGS}"
    )


def is_surveyed(fields: Sequence[str], told: Units = CONTRACT_UNITS) -> bool:
    """Whether these are a survey's row: an animal in the told units, or usual ones, and rings."""
    if len(fields) != len(_NAMES):
        return False
    try:
        FIELD_READERS[-1](fields[-1])
    except SurveyRowError:
        return False
    return _is_unaged(fields[:-1], told)


def _is_unaged(fields: Sequence[str], told: Units) -> bool:
    """Whether these are an animal without rings, in the told units or in usual ones."""
    return any(_is_animal(fields, units) for units in {told, *PEOPLE_USE})


def _is_animal(fields: Sequence[str], units: Units) -> bool:
    try:
        validate_measurements(fields, units)
    except SurveyRowError:
        return False
    return True


def _order(bad: BadRecords) -> tuple[float, str]:
    shares = [
        bad.share(fields[at].upper() in SEXES for fields in bad.animals)
        for at in range(1, len(bad.names))
    ]
    at = max(range(len(shares)), key=lambda place: shares[place])
    return shares[at], (
        f"the sex is in the place of {_NAMES[at + 1]}, so the columns are in another order: write "
        "a header, or land it with --columns and their names in the order of the file"
    )


def _age(bad: BadRecords) -> tuple[float, str]:
    hits = (animal[-1].endswith((".5", ".50")) for animal in bad.animals if bad.has_rings)
    return bad.share(hits), (
        f"the rings end in .5: these are ages in years, which are rings + {AGE_OFFSET_YEARS}. "
        f"Subtract {AGE_OFFSET_YEARS} from each"
    )


def _words(bad: BadRecords) -> tuple[float, str]:
    return bad.share(animal[0].lower() in _WORDS_OF_SEX for animal in bad.animals), (
        "the sex is written as a word: write M, F or I (infant)"
    )


def _units(bad: BadRecords) -> tuple[float, str]:
    if bad.layout.has_units:
        told = bad.layout.told_units
        reason = _contradiction(told, guess_units(_sizes(bad), told))
        return (1.0 if reason else 0.0), reason or ""
    units = guess_units(_sizes(bad))
    if units is None or units == CONTRACT_UNITS:
        return 0.0, ""
    share = bad.share(_obeys(fields, units) for fields in bad.animals)
    if share * bad.share_of_file < _NEARLY_ALL:
        return share, f"part of the file looks like {units.words}: write all of it in one way"
    return share, f"these look like {units.words}: {mend_units(units)}"


def _sizes(bad: BadRecords) -> list[tuple[float, float]]:
    sizes = [(as_size(f[_LENGTH]), as_size(f[_WHOLE])) for f in bad.animals]
    return [(length, weight) for length, weight in sizes if length and weight]


def _obeys(fields: Sequence[str], units: Units) -> bool:
    """Whether an animal in these units would obey the hard rules and have an abalone's shape."""
    told = units.by_column()
    try:
        values = [
            field_reader(column, told[column.name])(field)
            for column, field in zip(COLUMNS[: len(fields)], fields, strict=True)
        ]
    except SurveyRowError:
        return False
    length, diameter = float(values[_LENGTH]), float(values[_DIAMETER])
    return _ROUND[0] * length <= diameter <= _ROUND[1] * length

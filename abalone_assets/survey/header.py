"""The header of a survey: which field is which column, and in which unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SurveyError
from abalone_assets.survey.columns import AGE_OFFSET_YEARS, COLUMNS
from abalone_assets.survey.file_names import WITHOUT_RINGS
from abalone_assets.survey.units import (
    CONTRACT_UNITS,
    LENGTH_UNITS,
    WEIGHT_UNITS,
    Kind,
    Unit,
    Units,
    kind_of,
    unit_spelled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES: Final = tuple(column.name for column in COLUMNS)
_AGE: Final = "age"
_INDEX: Final = "an index"
PROBLEM: Final = "problem"
"""A column in which somebody wrote what is wrong with a row: none of a survey, and left out."""

# UCI's names, and those of its copies in R (AppliedPredictiveModeling) and at OpenML.
_SPELLINGS: Final = {
    **{name.replace("_", ""): name for name in _NAMES},
    "type": "sex",
    "gender": "sex",
    "longestshell": "length",
    "shelllength": "length",
    "len": "length",
    "diam": "diameter",
    "shelldiameter": "diameter",
    "shellheight": "height",
    **{name.replace("_weight", "wt"): name for name in _NAMES if name.endswith("_weight")},
    **{name.replace("_weight", ""): name for name in _NAMES if name.endswith("_weight")},
    **{f"weight{name.replace('_weight', '')}": name for name in _NAMES if "_weight" in name},
    "ring": "rings",
    "ringcount": "rings",
    "ringscount": "rings",
    "numberofrings": "rings",
    "noofrings": "rings",
    "nrings": "rings",
    "classnumberofrings": "rings",
    "age": _AGE,
    "ageyears": _AGE,
    "ageinyears": _AGE,
}
_INDEX_SPELLINGS: Final = frozenset(
    {"id", "ids", "idx", "index", "no", "nr", "num", "number", "row", "rowid", "rowname"}
    | {"rownames", "rownumber", "unnamed0", "x", "animal", "animalid", "animalno", "specimen"}
    | {"specimenid", "sample", "sampleid", "obs", "observation", "record", "recordid", PROBLEM}
)
_UNITLESS: Final = {"sex": {"", "mfi", "mf"}, "rings": {"", "count", "n", "number"}}
_TOKEN: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")
_WORD: Final = re.compile(r"[0-9]+|[^\W\d_]+")  # where case does not tell words apart for sure
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]*[.,]?[0-9]+(?:[eE][+-]?[0-9]+)?\s*")
_MISSING: Final = frozenset({"", "na", "nan", "n/a", "null", "none", "-", "?"})
_LETTERS: Final = re.compile(r"[^\W\d_]{2}")

_SURELY_NAMES: Final = 2
"""Fields that are columns' names make a header; a bad row has none."""

_LAND_IT: Final = (
    "correct the names, or land it with --columns and these names in the order of the file"
)
_LIKELY_NAMES: Final = 8
"""So many different words and no number make a header, too, though one of unknown names."""


class HeaderError(SurveyError):
    """A header that is not understood: which field is which column cannot be known."""


@dataclass(frozen=True)
class Layout:
    """Where the columns are in a record: all nine, or those but for the rings.

    Attributes:
        positions: For each column the index of its field.
        width: How many fields a record has.
        units: For each column its unit, or None: sex, rings, and what is in the contract's units.
        ignored: Names of the fields that are no column and are left out.
    """

    positions: tuple[int, ...]
    width: int
    units: tuple[Unit | None, ...]
    ignored: tuple[str, ...] = ()

    @property
    def has_units(self) -> bool:
        """Whether units were told."""
        return any(self.units)

    @property
    def told_units(self) -> Units:
        """The units of length and whole weight."""
        length, weight = (self.units[_NAMES.index(name)] for name in ("length", "whole_weight"))
        return Units(length or CONTRACT_UNITS.length, weight or CONTRACT_UNITS.weight)

    @property
    def units_named(self) -> str:
        """The units that were told, such as ``mm and g``."""
        return " and ".join(dict.fromkeys(unit.symbol for unit in self.units if unit))

    @property
    def order(self) -> str:
        """The columns' names in the order of the fields."""
        return ", ".join(
            _NAMES[at] for at in sorted(range(len(self.positions)), key=self.positions.__getitem__)
        )

    @property
    def measures_in_one_way(self) -> bool:
        """Whether all lengths are in one unit, and all weights."""
        told = self.told_units.by_column()
        return not self.has_units or all(
            unit is None or unit == told[name]
            for name, unit in zip(_NAMES, self.units, strict=False)
        )

    def with_units(self, units: Units) -> Layout:
        """The same fields with all lengths and weights in these units."""
        told = tuple(units.by_column().values())[: len(self.positions)]
        return Layout(self.positions, self.width, told, self.ignored)


def contract_layout(columns: Sequence[str] = _NAMES) -> Layout:
    """That of a file that obeys the contract, of these columns."""
    count = len(columns)
    return Layout(tuple(range(count)), count, (None,) * count)


@dataclass(frozen=True)
class _Field:
    """What one field of a header says: a column, an index or nothing that is known."""

    text: str
    column: str | None
    unit: Unit | None = None
    unknown_unit: bool = False


def is_header(fields: Sequence[str]) -> bool:
    """Whether a record is a header: of names that are known, or at least of different words."""
    found = [_read_field(field) for field in fields]
    if names_columns(fields):
        return True
    words = [field.strip().casefold() for field in fields if field.strip()]
    return (
        len(words) >= _LIKELY_NAMES
        and len(set(words)) == len(words)
        and words[0] not in {"m", "f", "i"}
        and not any(_NUMBER.fullmatch(word) for word in words)
        and 2 * sum(_is_word(word) for word in words) > len(found)
    )


def names_columns(fields: Sequence[str]) -> bool:
    """Whether a record names columns that are known."""
    known = {_read_field(field).column for field in fields} - {None, _INDEX}
    return len(known) >= _SURELY_NAMES


def read_header(
    fields: Sequence[str],
    columns: Sequence[str] = _NAMES,
    *,
    remedy: str = _LAND_IT,
    others: bool = False,
) -> Layout:
    """The layout that a header tells.

    Args:
        fields: Names in any order and any usual spelling, with units behind them or without. Empty
            names at the end are none; an index, a problem, and an age beside the rings, are left
            out.
        columns: Those that it must name, the first ones of the contract; others are left out too.
        remedy: What to do about a header that is not understood.
        others: Whether names that it does not know are columns of the file's own.

    Raises:
        HeaderError: A name or unit is unknown, a column is missing or named twice, or the unit of
            some measurements is told but not that of the others.
    """
    while fields and not fields[-1].strip():
        fields = fields[:-1]
    found = [_read_field(field) for field in fields]
    named = [field.column for field in found]
    if _AGE in named and "rings" not in named and "rings" in columns:
        age = found[named.index(_AGE)].text
        raise HeaderError(
            f"its header has {age!r} but no rings: an age in years is rings + {AGE_OFFSET_YEARS}. "
            f"Subtract {AGE_OFFSET_YEARS} and call the column rings; if it has counted rings, just "
            "call it so"
        )
    problems = [
        *_unknown([field for field in found if not others or field.column in {*columns}]),
        *_missing_or_repeated(found, columns),
    ] or _partial_units(found)
    if problems:
        raise HeaderError(
            f"its header is not understood: {'; '.join(problems)}. The columns are "
            f"{', '.join(columns)}, in any order: {remedy}"
        )
    positions = tuple(named.index(name) for name in columns)
    units = tuple(found[at].unit for at in positions)
    ignored = tuple(field.text or "(no name)" for field in found if field.column not in {*columns})
    return Layout(positions, len(found), units, ignored)


def _unknown(found: Sequence[_Field]) -> list[str]:
    columns: list[str] = []
    units: list[_Field] = []
    counts: list[_Field] = []
    for number, field in enumerate(found, start=1):
        if field.unknown_unit:
            (units if kind_of(field.column) else counts).append(field)
        elif field.column is None or (field.column == _INDEX and not field.text and number > 1):
            columns.append(repr(field.text) if field.text else f"field {number} without a name")
    problems = [f"it does not know {', '.join(columns)}"] if columns else []
    if units:
        shown = ", ".join(repr(field.text) for field in units)
        known = [", ".join(u.symbol for u in kind) for kind in (LENGTH_UNITS, WEIGHT_UNITS)]
        problems.append(
            f"what stands behind the name in {shown} is no known unit; of lengths these are "
            f"{known[0]}, of weights {known[1]}"
        )
    if counts:
        shown = ", ".join(repr(field.text) for field in counts)
        problems.append(
            f"what stands behind the name in {shown} is not understood: sex and rings have no unit "
            f"(an age in years is rings + {AGE_OFFSET_YEARS})"
        )
    return problems


def _missing_or_repeated(found: Sequence[_Field], columns: Sequence[str]) -> list[str]:
    named = [field.column for field in found]
    missing = [name for name in columns if name not in named]
    repeated = [
        f"{name} is named {named.count(name)} times" for name in columns if named.count(name) > 1
    ]
    hint = f" ({WITHOUT_RINGS})" if missing == ["rings"] else ""
    return [*([f"there is no {', no '.join(missing)}{hint}"] if missing else []), *repeated]


def _partial_units(found: Sequence[_Field]) -> list[str]:
    measured = [field for field in found if kind_of(field.column)]
    bare = [repr(field.text) for field in measured if field.unit is None]
    told = [repr(field.text) for field in measured if field.unit is not None]
    if not bare or not told:
        return []
    return [f"{told[0]} tells a unit and {', '.join(bare)} none: write it behind each or none"]


def _is_word(text: str) -> bool:
    return text not in _MISSING and _LETTERS.search(text) is not None


@lru_cache(maxsize=1024)
def _read_field(text: str) -> _Field:
    """What a name says; its words are told apart by case, signs and blanks."""
    text = text.strip().strip("'\"").strip()
    words = (_TOKEN if text.isascii() else _WORD).findall(text)
    tokens = [token.casefold() for token in words]
    joined = "".join(tokens)
    if joined in _INDEX_SPELLINGS or not joined:
        return _Field(text, _INDEX)
    for count in range(len(tokens), 0, -1):
        column = _SPELLINGS.get("".join(tokens[:count]))
        if column is None:
            continue
        rest = "".join(tokens[count:])
        kind = kind_of(column)
        if not rest and not _stray_unit(text):
            return _Field(text, column)
        if kind:
            unit = None if _stray_unit(text) else _unit_of(kind, rest)
            return _Field(text, column, unit, unknown_unit=unit is None)
        return _Field(text, column, unknown_unit=rest not in _UNITLESS.get(column, {"years"}))
    return _Field(text, None)


def _unit_of(kind: Kind, text: str) -> Unit | None:
    """The unit behind a name, as ``mm`` or as ``in mm``."""
    return unit_spelled(kind, text) or unit_spelled(kind, text.removeprefix("in"))


def _stray_unit(text: str) -> bool:
    """Whether there are signs that are no blanks, brackets or separators, as in ``(%)``."""
    return re.search(r"[^\w\s()\[\]{}.,:;/\\#*-]", text) is not None

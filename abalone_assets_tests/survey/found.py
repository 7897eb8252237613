"""What is found in survey files, and what becomes of it: the table of docs/survey-contract.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from abalone_assets.sample_data import base_survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

READ: Final = "read as meant"
QUARANTINED: Final = "row quarantined"
REFUSED: Final = "file refused"
OUTCOMES: Final = (READ, QUARANTINED, REFUSED)

Fields = list[str]

ANIMALS: Final[list[Fields]] = [
    line.split(",") for line in base_survey().read_text().splitlines()[:40]
]
UCI: Final = [
    *("Sex", "Length", "Diameter", "Height", "Whole weight", "Shucked weight"),
    *("Viscera weight", "Shell weight", "Rings"),
]
FOREIGN: Final = ["sexo", "talla", "ancho", "alto", "peso", "carne", "tripa", "nácar", "aros"]
SWAPPED: Final = [0, 1, 2, 3, 4, 5, 7, 6, 8]
"""The order of the copies whose shell weight stands before the viscera's."""


def text(
    rows: Sequence[Fields] = ANIMALS,
    header: Fields | None = None,
    *,
    delimiter: str = ",",
    end: str = "\n",
) -> bytes:
    """A file's bytes."""
    lines = [delimiter.join(fields) for fields in ([header] if header else []) + list(rows)]
    return ("\n".join(lines) + end).encode()


def ordered(fields: Fields, order: Sequence[int] = SWAPPED) -> Fields:
    """The fields in another order."""
    return [fields[at] for at in order]


def in_units(length: float, weight: float, rows: Sequence[Fields] = ANIMALS) -> list[Fields]:
    """The animals in units of so many millimetres and grams."""
    sizes = [None, *[length] * 3, *[weight] * 4, None]
    return [
        [
            value if size is None else f"{float(value) * 200 / size:.7g}"
            for value, size in zip(fields, sizes, strict=True)
        ]
        for fields in rows
    ]


def named_units(length: str, weight: str, pattern: str = "{} ({})") -> Fields:
    """UCI's header with units."""
    units = ["", *[length] * 3, *[weight] * 4, ""]
    return [
        pattern.format(name, unit) if unit else name for name, unit in zip(UCI, units, strict=True)
    ]


def each(change: Callable[[Fields], Fields], every: int = 1) -> list[Fields]:
    """The animals, every so manyth of them changed."""
    return [
        change(fields) if number % every == 0 else fields for number, fields in enumerate(ANIMALS)
    ]


def sexed(change: Callable[[str], str]) -> Callable[[Fields], Fields]:
    """Change the sex."""
    return lambda fields: [change(fields[0]), *fields[1:]]


def with_commas(fields: Fields) -> Fields:
    """With decimal commas."""
    return [value.replace(".", ",") for value in fields]


def aged(fields: Fields) -> Fields:
    """With the age in years for the rings."""
    return [*fields[:8], str(float(fields[8]) + 1.5)]


def numbered(rows: Sequence[Fields]) -> list[Fields]:
    """With an index before the sex."""
    return [[str(number), *fields] for number, fields in enumerate(rows)]


@dataclass(frozen=True)
class Found:
    """One row of the table.

    Attributes:
        found: What is found, as the page says it.
        outcome: What becomes of it.
        contents: Files in which it is found.
        told: A pattern of the note, the reason or the broken rule; empty when nothing is told.
        lost: Animals that are quarantined.
    """

    found: str
    outcome: str
    contents: tuple[bytes, ...]
    told: str = ""
    lost: tuple[int, ...] = field(default=())


def _one(value: str, at: int, place: int = 3) -> bytes:
    rows = [list(fields) for fields in ANIMALS]
    rows[place][at] = value
    return text(rows)


FOUND: Final = (
    Found(
        "byte order mark, CRLF, blank lines, quoted fields, blanks around fields",
        READ,
        (
            b"\xef\xbb\xbf" + text(),
            text().replace(b"\n", b"\r\n"),
            text().replace(b"\n", b"\n\n"),
            text(each(lambda fields: [f' "{value}"' for value in fields])),
            text(each(lambda fields: [f" {value}\t" for value in fields])),
        ),
    ),
    Found(
        "a first line `sep=,` of a spreadsheet",
        READ,
        (b"sep=,\r\n" + text(),),
    ),
    Found(
        "a header: the columns' names in any usual spelling",
        READ,
        (
            text(header=UCI),
            b"\xef\xbb\xbf" + text(header=UCI),
            text(header=[f'"{name}"' for name in UCI]),
            text(header=[name.upper() for name in UCI]),
            text(header=[name.lower().replace(" ", "_") for name in UCI]),
            text(header=[name.replace(" ", ".") for name in UCI]),
            text(header=[name.title().replace(" ", "") for name in UCI]),
            text(header=[name.lower().replace(" ", "") for name in UCI]),
            text(header=[name.replace(" ", "-") for name in UCI]),
            text(header=[*UCI[:8], "Class_number_of_rings"]),
            text(header=["Type", "LongestShell", *UCI[2:]]),
        ),
    ),
    Found(
        "a header with the columns in another order",
        READ,
        (
            text([ordered(fields) for fields in ANIMALS], ordered(UCI)),
            text([fields[::-1] for fields in ANIMALS], UCI[::-1]),
        ),
        "in the order ",
    ),
    Found(
        "a header with units: mm, cm, m, in; g, kg, mg, oz, lb; mm/200, g/200",
        READ,
        (
            text(in_units(1, 1), named_units("mm", "g")),
            text(in_units(1, 1), named_units("mm", "g", "{} [{}]")),
            text(in_units(1, 1), named_units("mm", "g", "{}_{}")),
            text(in_units(1, 1), named_units("mm", "g", '"{}, {}"')),
            text(in_units(1, 1), named_units("mm.", "g.", "{}..{}")),
            text(in_units(1, 1), named_units("millimetres", "grams", "{} in {}")),
            text(in_units(10, 1000), named_units("cm", "kg", "{}[{}]")),
            text(in_units(1000, 0.001), named_units("m", "mg")),
            text(in_units(25.4, 28.349523125), named_units("inches", "oz")),
            text(in_units(25.4, 453.59237), named_units("in", "lbs")),
            text(in_units(200, 1), named_units("mm/200", "g")),
        ),
        "converted from ",
    ),
    Found(
        "an index beside the columns (`id`, `Unnamed: 0`, no name), a `problem`, an age beside the "
        "rings",
        READ,
        (
            text(numbered(ANIMALS), ["", *UCI]),
            text(numbered(ANIMALS), ['""', *UCI]),
            text(numbered(ANIMALS), ["id", *UCI]),
            text(numbered(ANIMALS), ["Unnamed: 0", *UCI]),
            text([["mended", *fields] for fields in ANIMALS], ["problem", *UCI]),
            text([[*fields, aged(fields)[8]] for fields in ANIMALS], [*UCI, "Age"]),
        ),
        "no column of a survey",
    ),
    Found(
        "the sex in lower case",
        READ,
        (text(each(sexed(str.lower))), text(each(sexed(str.lower), 7))),
        r"(40|6) rows with the sex in lower case",
    ),
    Found(
        "empty fields behind the last",
        READ,
        (
            text(each(lambda fields: [*fields, "", ""])),
            text(each(lambda fields: [*fields, "", " "]), [*UCI, "", ""]),
            text(each(lambda fields: [*fields, ""], 7)),
        ),
        r"(40|6) rows with empty fields behind the last",
    ),
    Found("no final newline", READ, (text(end=""),), "the last line .* if the file was cut short"),
    Found(
        "a field that breaks the rule of its column",
        QUARANTINED,
        (_one("X", 0), _one("0", 3), _one("nan", 4), _one("91", 1), _one("9.5", 8), _one("", 2)),
        "sex|not_positive|not_finite|above_maximum|not_an_integer|not_a_number",
        (3,),
    ),
    Found(
        "another number of fields, text behind a closing quote",
        QUARANTINED,
        (_one("1,1", 4), text(each(lambda fields: fields[:5], 50)), _one('"1"x', 4)),
        "field_count|quoting",
        (3, 0),
    ),
    Found(
        "an animal in mm and g in a survey, or one of a survey's units in a file in mm and g",
        QUARANTINED,
        (
            text([*ANIMALS[:3], *in_units(1, 1)[3:4], *ANIMALS[4:]]),
            text([*in_units(1, 1)[:3], *ANIMALS[3:4], *in_units(1, 1)[4:]], named_units("mm", "g")),
        ),
        "above_maximum|units",
        (3,),
    ),
    Found(
        "nine empty fields, as below the last line of a spreadsheet",
        QUARANTINED,
        (text([*ANIMALS, *[[""] * 9] * 40]),),
        "sex",
    ),
    Found(
        "the same header again, further down",
        QUARANTINED,
        (
            text([*ANIMALS[:20], UCI, *ANIMALS[20:]], UCI),
            text([*ANIMALS[:20], UCI, *ANIMALS[20:]]),
            text([named_units("mm", "g"), *in_units(1, 1)], named_units("mm", "g")),
        ),
        "sex",
    ),
    Found(
        "NUL bytes, not UTF-8 (UTF-16, Latin-1), a quote never closed",
        REFUSED,
        (
            text()[:50] + b"\0" + text()[50:],
            text().decode().encode("utf-16"),
            text(header=["Sex", "L\u00e4nge"]).decode().encode("latin-1"),
            _one('"0.5', 4),
        ),
        "NUL|UTF-16|Latin-1|never closed",
    ),
    Found(
        "a header with unknown names or units, a column missing or repeated, units for some only",
        REFUSED,
        (
            text(
                header=[
                    "sexo",
                    "longitud",
                    "diametro",
                    "altura",
                    "peso",
                    "carne",
                    "viscera",
                    "concha",
                    "anillos",
                ]
            ),
            text(header=[*UCI[:5], "Whole weight.1", *UCI[6:]]),
            text(header=named_units("furlongs", "g")),
            text(header=named_units("%", "g")),
            text(header=named_units("g", "mm")),
            text([fields[:8] for fields in ANIMALS], UCI[:8]),
            text(header=[*UCI[:7], "viscera_weight", "Rings"]),
            text(header=[UCI[0], "Length (mm)", *UCI[2:]]),
            text([[*fields, "1"] for fields in ANIMALS], [*UCI, "Station"]),
        ),
        "its header is not understood: .* The columns are sex, length",
    ),
    Found(
        "animals without rings, few or many, with and without a header",
        REFUSED,
        (
            text([fields[:8] for fields in ANIMALS]),
            text([fields[:8] for fields in ANIMALS[:2]]),
            text([fields[:8] for fields in ANIMALS], UCI[:8]),
        ),
        "animals whose rings nobody counted come in a file called animals.YYYYMMDDHHMMSS",
    ),
    Found(
        "a header with units that its numbers contradict",
        REFUSED,
        (
            text(header=named_units("mm", "g")),
            text(in_units(1, 1), named_units("cm", "kg")),
            text(in_units(10, 1), named_units("mm", "g")),
            text(in_units(1000, 1000), named_units("mm", "kg")),
        ),
        "said to be in .* but the numbers look like .*: correct the units",
    ),
    Found(
        "a header with an age and no rings, rings that end in .5",
        REFUSED,
        (
            text(each(aged), [*UCI[:8], "Age"]),
            text(header=[*UCI[:8], "age (years)"]),
            text(each(aged)),
            text(each(aged), UCI),
        ),
        r"rings \+ 1\.5",
    ),
    Found(
        "another header further down, or a header that is not the first line",
        REFUSED,
        (
            text([*ANIMALS, ordered(UCI), *(ordered(fields) for fields in ANIMALS)], UCI),
            text([*ANIMALS, named_units("mm", "g"), *in_units(1, 1)]),
            text([["Survey of 3 March"], ordered(UCI), *(ordered(fields) for fields in ANIMALS)]),
            text(
                [
                    ["Survey"],
                    FOREIGN,
                    *ANIMALS,
                ]
            ),
        ),
        r"line (2|41|42) is a header",
    ),
    Found(
        "other units, by all that the numbers say",
        REFUSED,
        (
            text(in_units(1, 1)),
            text(in_units(1, 1), UCI),
            text(in_units(1, 1)[:1]),
            text(in_units(10, 1)),
            text(in_units(10, 200)),
            text(in_units(200, 1)),
            text(in_units(25.4, 28.349523125)),
            text([["", "mm", "mm", "mm", "g", "g", "g", "g", ""], *in_units(1, 1)], UCI),
        ),
        "these look like .*land it with --units ((mm|cm)-g|cm-scaled|scaled-g|in-oz), or tell",
    ),
    Found(
        "other units in part of the file",
        REFUSED,
        (text([*ANIMALS, *in_units(1, 1)]), text([*ANIMALS, *in_units(1, 1)[:12]], UCI)),
        "part of the file looks like millimetres and grams",
    ),
    Found(
        "semicolons, tabs or vertical bars between fields, in all of the file or in much of it",
        REFUSED,
        (
            text(delimiter=";"),
            text(header=UCI, delimiter=";"),
            text(each(with_commas), delimiter=";"),
            text(delimiter="\t"),
            text(delimiter="|"),
            text(each(lambda fields: [";".join(fields)], 2)),
        ),
        "separated by (semicolons|tabs|vertical bars): export (it with .*`abalone land`|all of it)",
    ),
    Found(
        "decimal commas",
        REFUSED,
        (
            text(each(lambda fields: [f'"{value}"' for value in with_commas(fields)])),
            text(each(lambda fields: [f'"{value}"' for value in with_commas(fields)]), UCI),
            text(each(with_commas)),
        ),
        "decimal commas",
    ),
    Found(
        "an index before the sex without a header, the sex in another field, sexes in words",
        REFUSED,
        (
            text(numbered(ANIMALS)),
            text([[*fields[1:], fields[0]] for fields in ANIMALS]),
            text(each(sexed(lambda sex: {"M": "Male", "F": "female", "I": "infant"}[sex]))),
        ),
        "--columns id,sex|in another order|written as a word",
    ),
    Found(
        "more than 20 % of the records bad, and five at least",
        REFUSED,
        (
            text([*ANIMALS, *[["M", "x"]] * 11]),
            text(each(lambda fields: [*fields[:3], "0", *fields[4:]], 4)),
            text(each(sexed(lambda _: "1"))),
        ),
        r"records break a rule of the survey contract, more than 20%: .* as in: ",
    ),
)

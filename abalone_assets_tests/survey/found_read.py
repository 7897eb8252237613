"""What is found in survey files and read as it was meant."""

from __future__ import annotations

from typing import Final

from abalone_assets_tests.survey.files import (
    ANIMALS,
    UCI,
    aged,
    each,
    in_units,
    named_units,
    numbered,
    ordered,
    sexed,
    text,
)
from abalone_assets_tests.survey.outcomes import READ, Found

FOUND_READ: Final = (
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
)

"""What is found in survey files and refuses all of the file."""

from __future__ import annotations

from typing import Final

from abalone_assets_tests.survey.files import (
    ANIMALS,
    FOREIGN,
    UCI,
    aged,
    each,
    in_units,
    named_units,
    numbered,
    ordered,
    sexed,
    text,
    with_commas,
    with_value,
)
from abalone_assets_tests.survey.outcomes import REFUSED, Found

FOUND_REFUSED: Final = (
    Found(
        "NUL bytes, not UTF-8 (UTF-16, Latin-1), a quote never closed",
        REFUSED,
        (
            text()[:50] + b"\0" + text()[50:],
            text().decode().encode("utf-16"),
            text(header=["Sex", "L\u00e4nge"]).decode().encode("latin-1"),
            with_value('"0.5', 4),
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
            text([fields[:8] for fields in in_units(1, 1)]),
            text([fields[:8] for fields in in_units(1, 1)[:2]]),
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

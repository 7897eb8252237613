"""``abalone predict``: ask the running endpoint."""

from __future__ import annotations

import sys
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, TextIO
from urllib.parse import urlsplit

import click

from abalone_assets.cli.output import console, example, json_option, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.serving.client import EndpointClient, Prediction

BATCH_ROWS: Final = 10_000
"""Rows of one request; well below the largest body that an endpoint takes."""

ENDS: Final = ("rings_low", "rings_high")
VALUES: Final = "SEX LENGTH DIAMETER HEIGHT WHOLE SHUCKED VISCERA SHELL"


def _check_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    parts = urlsplit(url or "http://host")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise click.BadParameter(f"{url} is not an http:// URL, such as http://127.0.0.1:8080")
    return url


@click.command(
    context_settings={"ignore_unknown_options": True},  # a negative number is no option
    epilog=example(
        "abalone predict M 0.455 0.365 0.095 0.514 0.2245 0.101 0.15",
        "abalone predict --file animals.csv",
        "head -3 animals.csv | abalone predict -",
    ),
)
@click.argument("values", nargs=-1, metavar=f"[{VALUES} | -]")
@click.option(
    "--file", "file", type=click.File(), help="CSV of eight fields a line, no header; - is stdin."
)
@click.option(
    "--url",
    callback=_check_url,
    help="Base URL of the endpoint server, instead of this home's.",
)
@json_option
def predict(
    values: tuple[str, ...], file: TextIO | None, url: str | None, *, as_json: bool
) -> None:
    """Ask the running endpoint how old an abalone is.

    Give the sex (M, F or I) and the seven measurements of one animal, in the survey's units
    (lengths in mm / 200, weights in g / 200), or a CSV file of many.
    """
    lines = _lines(values, file)
    client = _connected(url)
    _check_has_model(client)
    batches = (lines[at : at + BATCH_ROWS] for at in range(0, len(lines), BATCH_ROWS))
    animals = _animals([client.invoke("\n".join(batch) + "\n") for batch in batches])
    if as_json:
        print_json({"endpoint": client.name, "url": client.url, "predictions": animals})
    else:
        _show(animals)


def _lines(values: Sequence[str], file: TextIO | None) -> list[str]:
    from abalone_assets.errors import SurveyError
    from abalone_assets.survey import validate_measurements

    if values == ("-",) and file is None:
        file = sys.stdin
    elif values:
        if file is not None:
            raise click.UsageError("give either the values of one animal or --file, not both")
        return [",".join(map(str, validate_measurements(values)))]
    if file is None:
        raise click.UsageError(f"give {VALUES} of one animal, --file CSV, or - for stdin")
    try:
        lines = [line.strip() for line in file if line.strip()]
    except UnicodeDecodeError as error:
        raise SurveyError(f"{file.name}: not UTF-8 text: {error.reason}") from error
    if not lines:
        raise SurveyError(f"{file.name}: no rows in it; give eight fields a line")
    return lines


def _connected(url: str | None) -> EndpointClient:
    from abalone_assets.errors import EndpointError
    from abalone_assets.serving.deployment import connect
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    name = settings.endpoint_name
    if settings.profile == "aws" and url is None:
        raise EndpointError(
            f"`abalone predict` asks a server of `abalone serve`; ask SageMaker's endpoint {name} "
            "with boto3's sagemaker-runtime or `aws sagemaker-runtime invoke-endpoint`"
        )
    client = connect(name, state_file=settings.endpoint_state_file, url=url)
    if client is None:
        where = f"at {url}" if url else f"for {settings.home}"
        raise EndpointError(
            f"no server of endpoint {name} answers {where}: start one with `abalone serve`"
        )
    return client


def _check_has_model(client: EndpointClient) -> None:
    from abalone_assets.errors import EndpointError

    description = client.describe()
    if description["version"] is not None:
        return
    requested, failure = description["requested_version"], description["failure_reason"]
    if requested is None:
        why = "has no model yet: `abalone dev` or `abalone demo` releases the first one"
    elif failure:
        why = f"cannot serve version {requested}: {failure}"
    else:
        why = f"is still loading version {requested}; ask again in a moment"
    raise EndpointError(f"endpoint {client.name} at {client.url} {why}")


def _animals(answers: Sequence[Prediction]) -> list[dict[str, Any]]:
    """What was answered for each row, as the JSON document has it."""
    from abalone_assets.survey import age_years

    return [
        {
            "rings": rings,
            **({} if ends is None else dict(zip(ENDS, ends, strict=True))),
            "age_years": round(age_years(rings), 4),
            "model_version": answer.version,
        }
        for answer in answers
        for rings, ends in zip_longest(answer.rings, answer.intervals or ())
    ]


def _show(animals: Sequence[dict[str, Any]]) -> None:
    from abalone_assets.modeling.models.intervals import COVERAGE

    versions = ", ".join(map(str, sorted({animal["model_version"] for animal in animals})))
    how_sure = f"in {COVERAGE * 10:.0f} of 10 animals"
    if len(animals) == 1:
        (animal,) = animals
        within = f" ({_within(animal)} {how_sure})" if ENDS[0] in animal else ""
        console().print(
            f"{animal['rings']:.1f} rings{within}, {animal['age_years']:.1f} years old "
            f"(model version {versions})"
        )
        return
    headings = ["row", "rings", how_sure, "age in years"]
    rows = (
        (number, f"{animal['rings']:.1f}", _within(animal), f"{animal['age_years']:.1f}")
        for number, animal in enumerate(animals, start=1)
    )
    print_table(headings, rows, right=headings)
    console().print(f"{len(animals)} animals, model version {versions}")


def _within(animal: dict[str, Any]) -> str:
    """The animal's prediction interval, if it has one."""
    return " to ".join(f"{animal[end]:.1f}" for end in ENDS if end in animal)

"""``abalone predict``: ask the running endpoint."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import urlsplit

import click

from abalone_assets.ageing.ages_file import STDOUT, is_parquet
from abalone_assets.ageing.animals_file import BATCH_ROWS, AnimalsFile
from abalone_assets.cli.aged_file import AgedFile, of_rings, refuse_bad, remedy
from abalone_assets.cli.output import console, example, json_option, print_table
from abalone_assets.survey.units import CONTRACT_UNITS, Units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.ageing.batch import Batch
    from abalone_assets.serving.client import EndpointClient, Prediction

ENDS: Final = ("rings_low", "rings_high")
VALUES: Final = "SEX LENGTH DIAMETER HEIGHT WHOLE SHUCKED VISCERA SHELL"
SPREADSHEETS: Final = (".xlsx", ".xls", ".ods")
"""What would be a CSV under a name by which no program opens one."""


def _check_url(_: click.Context, __: click.Parameter, url: str | None) -> str | None:
    parts = urlsplit(url or "http://host")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise click.BadParameter(f"{url} is not an http:// URL, such as http://127.0.0.1:8080")
    return url


def _check_output(_: click.Context, __: click.Parameter, output: str | None) -> str | None:
    if output is not None and Path(output).suffix.lower() in SPREADSHEETS:
        raise click.BadParameter(
            f"{output}: spreadsheets are not written: name a .csv, which they open (with "
            "--decimal-comma where they expect one), or a .parquet"
        )
    return output


@click.command(
    context_settings={"ignore_unknown_options": True},  # a negative number is no option
    epilog=example(
        "abalone predict M 0.455 0.365 0.095 0.514 0.2245 0.101 0.15",
        "abalone predict --units mm-g M 91 73 19 102.8 44.9 20.2 30",
        "abalone predict animals.csv",
        "abalone predict --units mm-g --output ages.parquet animals.csv",
        "head -3 animals.csv | abalone predict -",
    ),
)
@click.argument("values", nargs=-1, metavar=f"[{VALUES} | FILE | -]")
@click.option("--file", "file", type=click.File("rb"), help="The same as FILE; - is stdin.")
@click.option(
    "--units",
    metavar="LENGTH-WEIGHT",
    help="Of the measurements, unless a header tells them: mm-g, or any that `abalone land` takes. "
    "Default: survey, which is mm / 200 and g / 200.",
)
@click.option(
    "--output",
    metavar="FILE",
    callback=_check_output,
    help="Write animals and ages to this file, .csv or .parquet, however many; - is CSV on stdout.",
)
@click.option(
    "--decimal-comma",
    is_flag=True,
    help="With --output: a CSV with decimal commas and semicolons, for spreadsheets set up so.",
)
@click.option(
    "--strict", is_flag=True, help="With --output: refuse a file in which a line is no animal."
)
@click.option(
    "--url",
    callback=_check_url,
    help="Base URL of the endpoint server, instead of this home's.",
)
@json_option
def predict(
    values: tuple[str, ...],
    *,
    file: BinaryIO | None,
    units: str | None,
    output: str | None,
    decimal_comma: bool,
    strict: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Ask the running endpoint how old an abalone is.

    Give the sex (M, F or I) and the seven measurements of one animal, or a CSV file of many: eight
    columns in this order, or below a header of their names in any order, which may tell the units
    (Length (mm), whole_weight_g). Other columns, such as an id, go along into --output. There a
    line that is no animal has no age and a problem instead, and the exit code is 4.
    """
    for option in (value for value in values if value.startswith("--")):
        raise click.NoSuchOption(option)
    if output is not None and as_json:
        raise click.UsageError("give either --output or --json, not both")
    if strict and output is None:
        raise click.UsageError("--strict is for --output; without it a bad line is refused anyway")
    if decimal_comma and (output is None or is_parquet(output)):
        raise click.UsageError("--decimal-comma is for --output FILE.csv")
    told = Units.named(units) if units else None
    stream = _stream(values, file)
    if stream is None:
        _one(values, told or CONTRACT_UNITS, output, url, as_json=as_json)
        return
    name = str(getattr(stream, "name", "stdin"))
    with _readable(name):
        animals = click.get_current_context().with_resource(AnimalsFile(stream, name, told))
    batches = _batches(animals)
    first = next(batches)
    if output is None or strict:
        refuse_bad(first, animals)
    client = _connected(url)
    _check_has_model(client)
    if output is not None:
        given = chain([first], batches)
        aged = AgedFile(client, animals, strict, stream)
        aged.write(given, output, decimal_comma=decimal_comma)
        return
    following = next(batches, None)
    if following is not None and not as_json:
        raise click.UsageError(
            f"more than {BATCH_ROWS} animals are no table: give --output FILE.csv or FILE.parquet"
        )
    given = chain([first], [] if following is None else [following], batches)
    if as_json:
        _print_json(client, (_body(batch, animals) for batch in given))
    else:
        _show(_animals(client.invoke(_body(first, animals))), first.ignored_rings)


def _stream(values: Sequence[str], file: BinaryIO | None) -> BinaryIO | None:
    """The file that was named, in whichever way; None when the values are one animal's."""
    if file is not None:
        if values:
            raise click.UsageError("give either --file, or a file or the values of one animal")
        return file
    if not values:
        raise click.UsageError(f"give {VALUES} of one animal, a CSV file, or - for stdin")
    if len(values) > 1:
        return None
    if values == (STDOUT,):
        return sys.stdin.buffer
    if not Path(values[0]).is_file():
        raise click.UsageError(f"{values[0]}: there is no such file; {VALUES} are one animal's")
    with _readable(values[0]):
        return click.get_current_context().with_resource(Path(values[0]).open("rb"))


@contextmanager
def _readable(name: str) -> Iterator[None]:
    from abalone_assets.errors import SurveyError

    try:
        yield
    except OSError as error:
        raise SurveyError(f"{name}: cannot be read: {error.strerror or error}") from error


def _batches(animals: AnimalsFile) -> Iterator[Batch]:
    """The animals of a file.

    Raises:
        SurveyError: As `AnimalsFile.batches`, or the file cannot be read to its end.
    """
    batches = animals.batches(BATCH_ROWS)
    while True:
        with _readable(animals.name):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _one(
    values: Sequence[str], units: Units, output: str | None, url: str | None, *, as_json: bool
) -> None:
    """Ask about one animal."""
    from abalone_assets.errors import SurveyError
    from abalone_assets.survey import SurveyRowError, validate_measurements

    if output is not None:
        raise click.UsageError("--output is for a file of animals")
    try:
        row = validate_measurements(values, units)
    except SurveyRowError as error:
        raise SurveyError(error.message + remedy(error.looks_like, in_file=False)) from error
    client = _connected(url)
    _check_has_model(client)
    body = ",".join(map(str, row)) + "\n"
    if as_json:
        _print_json(client, [body])
    else:
        _show(_animals(client.invoke(body)), 0)


def _body(batch: Batch, animals: AnimalsFile) -> str:
    """What the endpoint is asked about a batch, all of which are animals."""
    refuse_bad(batch, animals)
    return batch.to_csv()


def _print_json(client: EndpointClient, bodies: Iterable[str]) -> None:
    """The document, written as its animals are answered."""
    head = json.dumps({"endpoint": client.name, "url": client.url}, ensure_ascii=False)
    click.echo(f'{head[:-1]}, "predictions": [', nl=False)
    before = "\n"
    for body in bodies:
        for animal in _animals(client.invoke(body)):
            click.echo(f"{before} {json.dumps(animal)}", nl=False)
            before = ",\n"
    click.echo("\n]}")


def _connected(url: str | None) -> EndpointClient:
    from abalone_assets.errors import EndpointError
    from abalone_assets.serving.local_endpoint import connect
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


def _animals(answer: Prediction) -> list[dict[str, Any]]:
    """What was answered for each row, as the JSON document has it."""
    from abalone_assets.survey import age_years

    return [
        {
            "rings": rings,
            **({} if ends is None else dict(zip(ENDS, ends, strict=True))),
            "age_years": round(age_years(rings), 4),
            "model_version": answer.version,
        }
        for rings, ends in zip_longest(answer.rings, answer.intervals or ())
    ]


def _show(animals: Sequence[dict[str, Any]], ignored_rings: int) -> None:
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
    ignored = of_rings(ignored_rings)
    console().print(f"{len(animals)} animals, model version {versions}{ignored}")


def _within(animal: dict[str, Any]) -> str:
    """The animal's prediction interval, if it has one."""
    return " to ".join(f"{animal[end]:.1f}" for end in ENDS if end in animal)

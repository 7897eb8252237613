"""``abalone predict``: ask the running endpoint."""

from __future__ import annotations

import json
import os
import stat
import sys
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Final, TextIO
from urllib.parse import urlsplit

import click

from abalone_assets.ageing.animals_file import (
    ANSWERS,
    BATCH_ROWS,
    STDOUT,
    Batch,
    read_animals,
    writing_ages,
)
from abalone_assets.cli.output import (
    console,
    counted,
    example,
    json_option,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from abalone_assets.serving.client import EndpointClient, Prediction

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
        "abalone predict --file animals.csv --output ages.parquet",
        "head -3 animals.csv | abalone predict -",
    ),
)
@click.argument("values", nargs=-1, metavar=f"[{VALUES} | -]")
@click.option(
    "--file",
    "file",
    type=click.File(),
    help="CSV of eight fields a line, or nine with the rings, which are ignored; a header may "
    "lead. - is stdin.",
)
@click.option(
    "--output",
    metavar="FILE",
    help="Write animals and ages to this file, .csv or .parquet, however many; - is CSV on stdout.",
)
@click.option(
    "--url",
    callback=_check_url,
    help="Base URL of the endpoint server, instead of this home's.",
)
@json_option
def predict(
    values: tuple[str, ...],
    file: TextIO | None,
    output: str | None,
    url: str | None,
    *,
    as_json: bool,
) -> None:
    """Ask the running endpoint how old an abalone is.

    Give the sex (M, F or I) and the seven measurements of one animal, in the survey's units
    (lengths in mm / 200, weights in g / 200), or a CSV file of many.
    """
    for option in (value for value in values if value.startswith("--")):
        raise click.NoSuchOption(option)
    if output is not None and as_json:
        raise click.UsageError("give either --output or --json, not both")
    batches = _batches(values, file)
    first = next(batches)
    client = _connected(url)
    _check_has_model(client)
    if output is not None:
        _write(client, chain([first], batches), output, _size_of(file))
        return
    following = next(batches, None)
    if following is not None and not as_json:
        raise click.UsageError(
            f"more than {BATCH_ROWS} animals are no table: give --output FILE.csv or FILE.parquet"
        )
    given = chain([first], [] if following is None else [following], batches)
    if as_json:
        _print_json(client, given)
    else:
        _show(_animals(client.invoke(first.to_csv())), first)


def _batches(values: Sequence[str], file: TextIO | None) -> Iterator[Batch]:
    from abalone_assets.survey import validate_measurements

    if values == ("-",) and file is None:
        file = sys.stdin
    elif values:
        if file is not None:
            raise click.UsageError("give either the values of one animal or --file, not both")
        return iter([Batch([validate_measurements(values)], 0)])
    if file is None:
        raise click.UsageError(f"give {VALUES} of one animal, --file CSV, or - for stdin")
    return read_animals(file, file.name, batch_rows=BATCH_ROWS)


def _size_of(file: TextIO | None) -> int | None:
    """The bytes of a file, None of a pipe."""
    if file is None:
        return None
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _write(client: EndpointClient, batches: Iterable[Batch], output: str, size: int | None) -> None:
    """Ask batch after batch, and write each as it is answered."""
    animals, asked, ignored, versions = 0, 0, 0, set[int]()
    with (
        progress_bar("animals") as show,
        writing_ages(output, lambda text: click.echo(text, nl=False)) as write,
    ):
        for batch in batches:
            body = batch.to_csv()
            answered = _animals(client.invoke(body))
            write(
                [
                    [*row, *(animal.get(name) for name in ANSWERS)]
                    for row, animal in zip(batch.rows, answered, strict=True)
                ]
            )
            animals, asked = animals + len(batch.rows), asked + len(body)
            ignored += batch.ignored_rings
            versions |= {animal["model_version"] for animal in answered}
            show(animals, max(animals, round(animals * size / asked)) if size else animals)
    named = ", ".join(map(str, sorted(versions)))
    where = "" if output == STDOUT else f"{output}: "
    said = f"{where}{counted(animals, 'animal')}, model version {named}{_of_rings(ignored)}"
    console(stderr=True).print(said)


def _print_json(client: EndpointClient, batches: Iterable[Batch]) -> None:
    """The document, written as its animals are answered."""
    head = json.dumps({"endpoint": client.name, "url": client.url}, ensure_ascii=False)
    click.echo(f'{head[:-1]}, "predictions": [', nl=False)
    before = "\n"
    for batch in batches:
        for animal in _animals(client.invoke(batch.to_csv())):
            click.echo(f"{before} {json.dumps(animal)}", nl=False)
            before = ",\n"
    click.echo("\n]}")


def _of_rings(ignored: int) -> str:
    return f"; the rings of {counted(ignored, 'line')} were not looked at" if ignored else ""


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


def _show(animals: Sequence[dict[str, Any]], batch: Batch) -> None:
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
    ignored = _of_rings(batch.ignored_rings)
    console().print(f"{len(animals)} animals, model version {versions}{ignored}")


def _within(animal: dict[str, Any]) -> str:
    """The animal's prediction interval, if it has one."""
    return " to ".join(f"{animal[end]:.1f}" for end in ENDS if end in animal)

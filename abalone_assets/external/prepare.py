"""Prepare on Spark: the script of the Glue job.

Dagster passes the `PrepareRequest` as the extra ``request`` and gets the `PrepareReport` as the
custom message ``{"report": {...}}``. By hand: ``python -m abalone_assets.external.prepare --request
FILE`` reads the request from a JSON file and logs the report.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import StorageError
from abalone_assets.etl.request import PrepareRequest
from abalone_assets.external.entry import ArgumentParser, log_to_stdout, run_as_script
from abalone_assets.external.reporting import Reporter, reporting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUEST_ARGUMENT: Final = "--request"


def main(argv: Sequence[str] | None = None, reporter: Reporter | None = None) -> None:
    """Run the preparation that the caller asks for, and report it.

    Args:
        argv: May hold ``--request FILE``; what Glue passes besides is ignored. The process's own
            when None.
        reporter: Asks when there is no file, and is told; the log alone when None.

    Raises:
        StorageError: There is no request, or the preparation fails.
    """
    from pyspark.sql import SparkSession

    from abalone_assets.etl import spark_engine

    reporter = reporter or Reporter()
    file = _parser().parse_known_args(argv)[0].request
    request = request_of(_read(file) if file else reporter.extras.get("request"))
    spark = SparkSession.builder.appName("abalone-prepare").getOrCreate()
    reporter.log(f"preparing {len(request.inputs)} inputs on Spark {spark.version}")
    report = spark_engine.prepare(spark, request)
    reporter.report({"report": asdict(report)})


def request_of(document: Any) -> PrepareRequest:  # noqa: ANN401 - JSON from outside
    """The request from its JSON document.

    Raises:
        StorageError: It is none.
    """
    known = {field.name for field in fields(PrepareRequest)}
    if isinstance(document, dict) and {"inputs", "merged", "splits"} <= document.keys() <= known:
        several = {name: tuple(document.get(name, ())) for name in ("inputs", "newest")}
        return PrepareRequest(**{**document, **several})
    raise StorageError(
        f"no preparation to run: pass the request, an object with {', '.join(sorted(known))}, as "
        f"the Pipes extra 'request' or by {REQUEST_ARGUMENT} FILE"
    )


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="abalone_assets.external.prepare",
        description="Merge surveys and split them, on Spark.",
        allow_abbrev=False,
    )
    parser.add_argument(REQUEST_ARGUMENT, type=Path, help="JSON file with the request")
    return parser


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"{file}: no request can be read from it: {error}") from error


def _reported() -> None:
    with reporting() as reporter:
        main(reporter=reporter)


def _by_hand() -> None:
    from abalone_assets.etl.java import ensure_java

    ensure_java()
    main()


if __name__ == "__main__":
    if REQUEST_ARGUMENT in sys.argv:
        run_as_script(_by_hand)
    else:
        log_to_stdout()  # Glue itself tells of an exception, in the run's error message
        _reported()

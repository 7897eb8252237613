"""Tells Dagster, through Pipes, what a script in a container does, if Dagster started it.

Context and messages travel through S3, or through folders where there is no network. The bootstrap
parameters come as environment variables (SageMaker) or as command-line arguments (Glue); without
them, a reporter only logs.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence

    from dagster_pipes import (
        PipesContext,
        PipesContextLoader,
        PipesMessageWriter,
        PipesParamsLoader,
    )

logger = logging.getLogger(__name__)

CONTEXT_VARIABLE: Final = "DAGSTER_PIPES_CONTEXT"
MESSAGES_VARIABLE: Final = "DAGSTER_PIPES_MESSAGES"
CONTEXT_ARGUMENT: Final = "--dagster-pipes-context"
MESSAGES_ARGUMENT: Final = "--dagster-pipes-messages"
REGION_VARIABLE: Final = "AWS_DEFAULT_REGION"
"""The only variable that boto3 reads; SageMaker and other SDKs name it ``AWS_REGION``."""

REGION_ARGUMENT: Final = "--aws-region"
CONTEXT_FILE_VARIABLE: Final = "DAGSTER_PIPES_CONTEXT_FILE"
MESSAGES_FOLDER_VARIABLE: Final = "DAGSTER_PIPES_MESSAGES_FOLDER"
"""Set in network isolation, where SageMaker carries both."""

UPLOAD_SECONDS: Final = 2.0
"""How often messages are written to S3 while the script runs."""


class ReportingError(AbaloneError):
    """Dagster's parameters are incomplete, or lack what the script needs."""


class Reporter:
    """Whom a script tells what it did; this one is alone with its log."""

    @property
    def extras(self) -> Mapping[str, Any]:
        """What the caller passes besides: a JSON document."""
        return {}

    def report_metadata(self, metadata: Mapping[str, Any], data_version: str) -> None:
        """Tell that the step's one asset is materialized; metadata are of plain Python types."""
        logger.info("%s (data version %s)", dict(metadata), data_version)

    def report(self, document: Mapping[str, Any]) -> None:
        """Tell the caller something of the caller's own."""
        logger.info("%s", dict(document))

    def log(self, message: str) -> None:
        """Write a line to the log of the run."""
        logger.info("%s", message)


class PipesReporter(Reporter):
    """A reporter whose reports reach Dagster."""

    def __init__(self, pipes: PipesContext) -> None:
        self._pipes = pipes

    @property
    def extras(self) -> Mapping[str, Any]:
        """As passed to the Pipes client's ``run``."""
        return self._pipes.extras

    def report_metadata(self, metadata: Mapping[str, Any], data_version: str) -> None:
        """Report a materialization, and log it."""
        super().report_metadata(metadata, data_version)
        self._pipes.report_asset_materialization(dict(metadata), data_version)

    def report(self, document: Mapping[str, Any]) -> None:
        """Send a custom message."""
        self._pipes.report_custom_message(dict(document))

    def log(self, message: str) -> None:
        """Log here and in the run."""
        super().log(message)
        self._pipes.log.info(message)


@contextmanager
def reporting(
    argv: Sequence[str] | None = None, environ: MutableMapping[str, str] = os.environ
) -> Iterator[Reporter]:
    """A reporter to whoever started this process.

    An exception closes the session as failed, so that the run shows it, and is raised again. What
    the process knows of its region is noted where boto3 looks, for every client that it makes.

    Args:
        argv: Arguments that may hold the bootstrap parameters and the region; the process's own
            when None.
        environ: Variables that may hold them; these win.

    Raises:
        ReportingError: One of the two bootstrap parameters is missing.
    """
    arguments = sys.argv[1:] if argv is None else argv
    region = environ.get("AWS_REGION") or _argument(arguments, REGION_ARGUMENT)
    if region:
        environ.setdefault(REGION_VARIABLE, region)
    bootstrap = _bootstrap(arguments, environ)
    if bootstrap is None:
        yield Reporter()
        return
    from dagster_pipes import (
        PipesMappingParamsLoader,
        PipesS3ContextLoader,
        PipesS3MessageWriter,
        open_dagster_pipes,
    )

    if isolated := _isolated(environ):
        from dagster_pipes import PipesDefaultContextLoader

        from abalone_assets.external.folder_messages import FolderMessageWriter

        params: PipesParamsLoader = PipesMappingParamsLoader(isolated)
        loader: PipesContextLoader = PipesDefaultContextLoader()
        writer: PipesMessageWriter[Any] = FolderMessageWriter(interval=UPLOAD_SECONDS)
    else:
        import boto3

        s3 = boto3.client("s3", region_name=environ.get(REGION_VARIABLE))
        params = PipesMappingParamsLoader(bootstrap)
        loader = PipesS3ContextLoader(s3)
        writer = PipesS3MessageWriter(s3, interval=UPLOAD_SECONDS)
    with open_dagster_pipes(
        params_loader=params, context_loader=loader, message_writer=writer
    ) as pipes:
        yield PipesReporter(pipes)


def _isolated(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Pipes' parameters in network isolation, or None where there is a network."""
    from dagster_pipes import encode_param

    if CONTEXT_FILE_VARIABLE not in environ:
        return None
    return {
        CONTEXT_VARIABLE: encode_param({"path": environ[CONTEXT_FILE_VARIABLE]}),
        MESSAGES_VARIABLE: encode_param({"folder": environ[MESSAGES_FOLDER_VARIABLE]}),
    }


def _bootstrap(argv: Sequence[str], environ: Mapping[str, str]) -> dict[str, str] | None:
    """The two parameters by the names of their variables, or None when there is neither."""
    found: dict[str, str] = {}
    for variable, argument in (
        (CONTEXT_VARIABLE, CONTEXT_ARGUMENT),
        (MESSAGES_VARIABLE, MESSAGES_ARGUMENT),
    ):
        value = environ.get(variable) or _argument(argv, argument)
        if value:
            found[variable] = value
    if len(found) == 1:
        [there] = found
        raise ReportingError(
            f"{there} came without its counterpart: Dagster passes both {CONTEXT_VARIABLE} and "
            f"{MESSAGES_VARIABLE}, as variables or as arguments"
        )
    return found or None


def _argument(argv: Sequence[str], name: str) -> str | None:
    """The value of ``--name value`` or ``--name=value``, the last one given."""
    value = None
    for argument, following in zip(argv, [*argv[1:], None], strict=False):
        if argument == name:
            value = following
        elif argument.startswith(f"{name}="):
            value = argument.partition("=")[2]
    return value

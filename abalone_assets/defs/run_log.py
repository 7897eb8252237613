"""What a run logs where its process writes, as lines of JSON: ``ABALONE_LOG_FORMAT=json``."""

import logging
import sys
from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.execution import context_creation_job


def _json_run_log(_context: dg.InitLoggerContext) -> logging.Logger:
    from abalone_assets.settings.logs import json_formatter

    log = logging.getLoggerClass()("abalone_run", logging.DEBUG)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter())
    log.addHandler(handler)
    return log


json_run_log = dg.LoggerDefinition(
    _json_run_log, description="Lines of JSON, as ABALONE_LOG_FORMAT=json asks for."
)
"""Writes each record of a run to the process's standard error."""


def log_runs_as_json() -> None:
    """Let the runs of this process log lines of JSON, whoever launches them.

    Dagster takes its coloured logger unless the configuration of each single run names another, and
    runs of the UI and of backfills name none.
    """
    setattr(context_creation_job, "default_system_loggers", _default_loggers)  # noqa: B010 - not exported


def _default_loggers(
    instance: dg.DagsterInstance | None,  # noqa: ARG001 - as Dagster's own
) -> Sequence[tuple[dg.LoggerDefinition, Mapping[str, object]]]:
    return [(json_run_log, {})]

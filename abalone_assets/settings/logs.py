"""Logs as JSON Lines, for whoever collects them: ``ABALONE_LOG_FORMAT=json``.

Every line says when, how bad, what and by which version of the platform; what belongs to a run also
says run, job, step and asset, and what is about a file says that.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from abalone_assets import __version__

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    Line = MutableMapping[str, Any]

RUN_FIELDS: Final = {"run_id": "run", "job_name": "job", "step_key": "step"}
"""What Dagster knows of a log record, and what it is called in a line."""


def log_as_json() -> None:
    """Let this process log lines of JSON to its standard error: warnings, and our own progress."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("abalone_assets").setLevel(logging.INFO)


def json_formatter() -> logging.Formatter:
    """Formats a record of the standard library, or one of Dagster's, as one line of JSON."""
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ExtraAdder({"file", "model_version"}),
        ],
        processors=[
            _with_origin,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )


def _with_origin(_logger: object, _method: str, line: Line) -> Line:
    line["version"] = __version__
    line["process"] = os.getpid()
    known: Any = getattr(line.get("_record"), "dagster_meta", None)
    if known is None:
        return line
    line["event"] = known["orig_message"]
    line.update({ours: known[name] for name, ours in RUN_FIELDS.items() if known.get(name)})
    event = known.get("dagster_event")
    if event is None:
        return line
    line["type"] = event.event_type_value
    if event.asset_key is not None:
        line["asset"] = event.asset_key.to_user_string()
    if event.partition is not None:
        line["partition"] = event.partition
    if event.is_failure and (error := getattr(event.event_specific_data, "error", None)):
        line["error"] = error.to_string()
    return line

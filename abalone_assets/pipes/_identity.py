"""What makes two requests for a job the same one, so that a retry finds the job it already has."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_RESUME_RETRY_TAG,
    RESUME_RETRY_TAG,
    RETRY_NUMBER_TAG,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


MAX_ATTEMPTS: Final = 99
"""Jobs of one identity; the hundredth is refused rather than named."""

_NAME_LENGTH: Final = 63
_DIGEST_LENGTH: Final = 16
_PREFIX_LENGTH: Final = _NAME_LENGTH - _DIGEST_LENGTH - len(f"--{MAX_ATTEMPTS}")


def identify(
    context: dg.OpExecutionContext | dg.AssetExecutionContext,
    *,
    prefix: str | None,
    request: Mapping[str, Any],
    extras: Mapping[str, Any],
    inputs: str,
) -> str:
    """The identity of the job that a step asks for: a readable prefix, and a digest of all else.

    With ``-<attempt>`` it is a valid name of a SageMaker job, of at most 63 characters.

    Args:
        context: Of the step.
        prefix: Beginning of the job's name; None takes the asset's or the op's.
        request: What the caller gives to the service.
        extras: What the caller gives to the job through Pipes.
        inputs: Digest of inputs that show in neither.
    """
    described = {
        "run": lineage(context.instance, context.run)[-1],
        "step": context.get_step_execution_context().step.key,
        "assets": _asset_keys(context),
        "partitions": {k: v for k, v in context.run.tags.items() if "partition" in k},
        "request": request,
        "extras": extras,
        "inputs": inputs,
    }
    canonical = json.dumps(described, sort_keys=True, default=str)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{_tidy(prefix or _step_name(context))}-{digest}"


def lineage(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """The ids of a run and of those whose work it goes on with, the latest first.

    Automatic retries and re-executions from failure go on with their parent's work. A person's
    re-execution of a whole run begins anew, and so do the retries of that one.
    """
    run_ids = [run.run_id]
    latest: dg.DagsterRun | None = run
    while latest is not None and (
        RETRY_NUMBER_TAG in latest.tags
        or "true" in map(latest.tags.get, (RESUME_RETRY_TAG, ASSET_RESUME_RETRY_TAG))
    ):
        parent_id = latest.parent_run_id
        if parent_id is None or parent_id in run_ids:
            break
        run_ids.append(parent_id)
        latest = instance.get_run_by_id(parent_id)
    return run_ids


def _asset_keys(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> list[str]:
    if not context.has_assets_def:
        return []
    return sorted(key.to_user_string() for key in context.selected_asset_keys)


def _step_name(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> str:
    keys = _asset_keys(context)
    return keys[0] if len(keys) == 1 else op_context(context).op_handle.name


def _tidy(text: str) -> str:
    return re.sub("[^A-Za-z0-9]+", "-", text)[:_PREFIX_LENGTH].strip("-") or "job"


def op_context(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> dg.OpExecutionContext:
    """The op's context: of the asset's, Dagster deprecates the attributes that are needed here."""
    return (
        context.op_execution_context if isinstance(context, dg.AssetExecutionContext) else context
    )

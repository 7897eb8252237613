"""The night's tidying: what the settings do not keep goes, so that nothing grows for ever."""

import dagster as dg

from abalone_assets.automation.runs import GC_JOB
from abalone_assets.defs.one_driver import unless_driven_by_another
from abalone_assets.settings.platform import load_settings


@dg.op
def remove_what_is_not_kept(context: dg.OpExecutionContext) -> None:
    """Remove old models, reports, runs and logs; what anybody needs stays."""
    from abalone_assets.automation.retention import all_kinds
    from abalone_assets.local.instance import instance_elsewhere
    from abalone_assets.retention.kind import bytes_of

    settings = load_settings()
    is_shared = instance_elsewhere(settings) is not None
    for kind in all_kinds(settings, context.instance, only_our_runs=is_shared):
        freed = kind.free()
        context.log.info(
            "%s: removed %d (%d bytes), %d stay", kind.name, len(freed), bytes_of(freed),
            len(kind.kept),
        )  # fmt: skip
        for warning in kind.warnings:
            context.log.warning(warning)


@dg.job(name=GC_JOB)
def collect_garbage_job() -> None:
    """Remove what `abalone gc` says would go."""
    remove_what_is_not_kept()


@dg.schedule(
    job=collect_garbage_job,
    cron_schedule="40 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
@unless_driven_by_another
def retention_schedule() -> dg.RunRequest:
    """Ask for a run every night: to look through a large home takes longer than a tick may."""
    return dg.RunRequest()

"""What the schedule and `abalone gc` free: of the stores, and of the instance's history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abalone_assets.automation.old_runs import RunRules, run_kinds
from abalone_assets.retention.collect import stored_kinds

if TYPE_CHECKING:
    import dagster as dg

    from abalone_assets.retention.kind import Kind
    from abalone_assets.settings.platform import Settings


def all_kinds(
    settings: Settings, instance: dg.DagsterInstance | None, *, only_our_runs: bool = False
) -> list[Kind]:
    """All that takes space and does not stay for ever, with the reasons why things stay.

    Args:
        settings: The settings in force.
        instance: Whose runs are looked at; None for no runs.
        only_our_runs: It may be another project's, too, whose runs stay.

    Raises:
        EndpointError: AWS refuses to say what is live.
        StorageError: A store refuses, or a record is damaged.
    """
    now = datetime.now(UTC)
    rules = RunRules(settings.keep_runs, settings.keep_run_days, only_our_runs)
    runs = [] if instance is None else run_kinds(instance, rules, now)
    return [*stored_kinds(settings, now), *runs]

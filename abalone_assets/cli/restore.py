"""``abalone restore``: Dagster's history again, after its database was lost or moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from abalone_assets.cli.output import (
    console,
    example,
    json_option,
    print_json,
    print_table,
    with_progress,
)
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from abalone_assets.restore.write import Restored


@click.command(epilog=example("abalone restore --dry-run", "abalone restore"))
@click.option("--dry-run", is_flag=True, help="Only say what would be restored.")
@json_option
def restore(*, dry_run: bool, as_json: bool) -> None:
    """Rebuild what Dagster shows of assets from the records of lake and registry.

    After Dagster's database was lost, or was moved to PostgreSQL, its pages are empty, although
    nothing is lost: the lake is the truth, and no sensor asks for anything. This writes the
    materializations with their numbers and times, the partitions, each evaluated model, and the
    results of checks that the records tell. Runs and logs do not come back. What Dagster knows
    already is left alone, so a second time changes nothing.

    It writes into the home's own Dagster, or into the instance that DAGSTER_HOME names elsewhere:
    an empty one, or one that knows this platform. One that knows other projects alone is refused.
    """
    from abalone_assets.cli.instance import instance_folder, opened_instance, require_ours
    from abalone_assets.errors import SettingsError
    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.open import open_registry
    from abalone_assets.restore.animals import animals_told
    from abalone_assets.restore.releases import releases_told
    from abalone_assets.restore.surveys import surveys_told
    from abalone_assets.restore.write import missing_in, record, summary
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    lake = Lake(settings.lake_uri)
    left_out: list[str] = []
    told = [
        *surveys_told(lake),
        *animals_told(lake),
        *releases_told(lake, open_registry(settings), left_out.append),
    ]
    with opened_instance(settings, make=not dry_run) as instance:
        if instance is None and not dry_run:
            raise SettingsError("set DAGSTER_HOME to the folder of the instance to restore")
        if instance is not None:
            require_ours(settings, instance)
        missing = told if instance is None else missing_in(instance, told)
        if instance is not None and not dry_run:
            for each in with_progress(missing, "restoring", total=len(missing)):
                record(instance, each)
    result = summary(missing, len(told) - len(missing))
    folder = instance_folder(settings)
    if as_json:
        where = None if folder is None else str(folder)
        document = {**result.to_document(), "left_out": left_out}
        print_json({"restored": not dry_run, "instance": where, **document})
        return
    _show(result, dry_run=dry_run)
    for warning in left_out:
        console(stderr=True).print(f"Warning: {warning}", style="yellow")
    if folder is not None:
        console().print(f"Dagster's instance: {folder}")


def _show(result: Restored, *, dry_run: bool) -> None:
    assets = sorted({*result.materializations, *result.checks})
    print_table(
        ["asset", "materializations", "checks"],
        (
            (each, str(result.materializations.get(each, 0)), str(result.checks.get(each, 0)))
            for each in assets
        ),
        right={"materializations", "checks"},
    )
    count = sum(result.materializations.values()) + sum(result.checks.values())
    known = f"Dagster knew {counted(result.known, 'event')} that the records tell of already."
    if not count:
        console().print(f"Nothing to do. {known}")
        return
    done = "would be restored" if dry_run else "restored"
    console().print(f"{counted(count, 'event')} {done}. {known}")

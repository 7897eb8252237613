#!/usr/bin/env bash
# dagster 1.13.27, SQLite: DagsterInstance.delete_run takes the run's partitions along, although the asset still holds
# them, and leaves the run's own database file and the results of its checks.
#
# Seen:
#   partitions before: a, b
#   partitions after: b
#   the asset's last materialization is of run: deleted
#   files of the deleted run: 1
#   check executions of the deleted run: 1
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dagster==1.13.27
mkdir "$work/home"
printf 'telemetry:\n  enabled: false\n' > "$work/home/dagster.yaml"
DAGSTER_HOME="$work/home" "$work/venv/bin/python" - 2> "$work/log" <<'PY' | tee "$work/seen"
import os
from pathlib import Path

import dagster as dg
import sqlalchemy as db


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def day() -> None: ...


@dg.asset_check(asset=day)
def is_whole() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


with dg.DagsterInstance.get() as instance:
    dg.materialize([day], instance=instance, partition_key="b")
    run = dg.materialize([day, is_whole], instance=instance, partition_key="a").run_id
    key = dg.AssetKey("day")
    print("partitions before:", ", ".join(sorted(instance.get_materialized_partitions(key))))
    instance.delete_run(run)
    print("partitions after:", ", ".join(sorted(instance.get_materialized_partitions(key))))
    last = instance.get_latest_materialization_event(key)
    print("the asset's last materialization is of run:", "deleted" if last.run_id == run else "another")
    runs = Path(os.environ["DAGSTER_HOME"], "history", "runs")
    print("files of the deleted run:", len(list(runs.glob(f"{run}.db"))))
    with instance.event_log_storage.index_connection() as connection:
        query = db.text("select count(*) from asset_check_executions where run_id = :run")
        print("check executions of the deleted run:", connection.execute(query, {"run": run}).scalar())
PY
diff - "$work/seen" <<'SEEN'
partitions before: a, b
partitions after: b
the asset's last materialization is of run: deleted
files of the deleted run: 1
check executions of the deleted run: 1
SEEN

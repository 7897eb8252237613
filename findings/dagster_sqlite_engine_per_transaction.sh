#!/usr/bin/env bash
# dagster 1.13.27, SQLAlchemy 2.1.9: the SQLite storages make a new SQLAlchemy engine, without a pool, for every
# transaction. A run of one asset that does nothing makes more engines than it stores events; making engines and
# opening files is a good part of the time of short runs.
#
# Seen: events stored: 12, engines made: 35.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dagster==1.13.27 SQLAlchemy==2.1.9
mkdir "$work/home"
printf 'telemetry:\n  enabled: false\n' > "$work/home/dagster.yaml"
DAGSTER_HOME="$work/home" "$work/venv/bin/python" - 2>/dev/null <<'PY'
import sys

import dagster as dg
from sqlalchemy.engine import Engine

made = 0
plain = Engine.__init__


def counted(self, *args, **kwargs):
    global made
    made += 1
    plain(self, *args, **kwargs)


@dg.asset
def nothing() -> None: ...


with dg.DagsterInstance.get() as instance:
    dg.materialize([nothing], instance=instance)  # the files are made
    Engine.__init__ = counted
    run = dg.materialize([nothing], instance=instance).run_id
    Engine.__init__ = plain
    events = len(instance.all_logs(run))
print(f"events stored: {events}, engines made: {made}")
sys.exit(made < 2 * events)
PY

#!/usr/bin/env bash
# dagster 1.13.27, dagster-postgres 0.29.27, SQLAlchemy 2.1.9, PostgreSQL 16 (pgserver 0.1.4): the storages on PostgreSQL keep
# no connection. Each statement or two has one of its own, for which the server starts a process, and with TLS there is a
# handshake: a run of one asset that does nothing connects more often than it stores events, and a tick that only asks for the
# latest runs connects each time. Only dagster-webserver keeps connections (optimize_for_webserver).
#
# Seen: events stored: 12, connections made: 33; ten looks at the runs: 10.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dagster==1.13.27 dagster-postgres==0.29.27 SQLAlchemy==2.1.9 \
  psycopg2-binary==2.9.13 pgserver==0.1.4
mkdir "$work/home" && chmod 755 "$work"
DAGSTER_HOME="$work/home" "$work/venv/bin/python" - "$work" 2>/dev/null <<'PY'
import json
import pathlib
import sys

import dagster as dg
import pgserver
from sqlalchemy import event
from sqlalchemy.engine import Engine

work = pathlib.Path(sys.argv[1])
server = pgserver.get_server(work / "data", cleanup_mode="stop")
url = server.get_uri().replace("postgresql://", "postgresql+psycopg2://")
config = {"telemetry": {"enabled": False}, "storage": {"postgres": {"postgres_url": url}}}
(work / "home/dagster.yaml").write_text(json.dumps(config))
made = []


@dg.asset
def nothing() -> None: ...


with dg.DagsterInstance.get() as instance:
    dg.materialize([nothing], instance=instance)  # the tables are made
    event.listen(Engine, "connect", lambda *connected: made.append(connected))
    run = dg.materialize([nothing], instance=instance).run_id
    by_run = len(made)
    events = len(instance.all_logs(run))
    made.clear()
    for _ in range(10):
        instance.get_runs(limit=1)
    looks = len(made)
print(f"events stored: {events}, connections made: {by_run}; ten looks at the runs: {looks}")
sys.exit(not (by_run > 2 * events and looks == 10))
PY

#!/usr/bin/env bash
# dagster 1.13.27, dagster-postgres 0.29.27: `dagster api grpc` looks twice a second whether a run's process has died, and
# fails the run. The thread that looks ends with an exception when the database does not answer it, and nothing starts it
# again: from then on no death of a run's process is noticed, those included that happen long after the database is back.
# The health check goes on to say that all is well, and GetCurrentRuns to name the runs. PostgreSQL comes from pgserver.
#
# Seen:
#   killed while the database is there: FAILURE
#   killed while the database is away, which then is back for 30 s: STARTED
#   killed after that: STARTED
#   health check: gRPC connection successful
#   runs that the server executes: 2, its processes: 0
set -euo pipefail
server=; work=$(mktemp -d); chmod 755 "$work"
trap '{ kill -9 "$server"; end_postgres; } 2> /dev/null || true; wait; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  dagster==1.13.27 dagster-postgres==0.29.27 pgserver==0.1.4
cd "$work"; export PATH="$work/venv/bin:$PATH" DAGSTER_HOME="$work/home" PYTHONPATH="$work"
programs=$(echo venv/lib/python3*/site-packages/pgserver/pginstall/bin)
read -r port grpc < <(python -c 'import socket
both = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]; print(*(each.getsockname()[1] for each in both))')
as=(); [ "$(id -u)" != 0 ] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups) # PostgreSQL refuses root

postgres() {
  "${as[@]}" "$programs/postgres" -D data -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    >> postgres.log 2>&1 & echo $! > postgres
  until "${as[@]}" "$programs/pg_isready" --quiet --host 127.0.0.1 --port "$port"; do sleep 0.2; done
}
end_postgres() { # with all of its processes
  kill -9 "$(cat "$work/postgres")" $(pgrep --parent "$(cat "$work/postgres")")
}
launch() { # a run, until its process executes it
  dagster job launch --workspace workspace.yaml --job sleeps --run-id "$1" > log 2>&1
  until [ "$(status "$1")" = STARTED ]; do sleep 1; done
}
status() {
  python -c "import dagster as dg, sys; print(dg.DagsterInstance.get().get_run_by_id('$1').status.value)"
}
worker() { pgrep --parent "$server" --full 'spawn_main'; }

mkdir data home; [ ${#as[@]} = 0 ] || chown 65534:65534 data
"${as[@]}" "$programs/initdb" --pgdata data --username dagster --auth trust > log
postgres
cat > home/dagster.yaml <<YAML
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
storage:
  postgres:
    postgres_db: {scheme: postgresql+psycopg2, username: dagster, hostname: 127.0.0.1, port: $port, db_name: postgres}
YAML
cat > workspace.yaml <<YAML
load_from: [{grpc_server: {host: 127.0.0.1, port: $grpc, location_name: example}}]
YAML
cat > example.py <<'PY'
import time

import dagster as dg


@dg.op
def sleep() -> None:
    time.sleep(3600)


@dg.job(executor_def=dg.in_process_executor)
def sleeps() -> None:
    sleep()


defs = dg.Definitions(jobs=[sleeps])
PY
dagster api grpc --module-name example --host 127.0.0.1 --port "$grpc" > server.log 2>&1 & server=$!
until dagster api grpc-health-check --port "$grpc" > log 2>&1; do sleep 1; done
{
  launch 00000000-0000-4000-8000-000000000001
  kill -9 "$(worker)"; sleep 10
  echo "killed while the database is there: $(status 00000000-0000-4000-8000-000000000001)"

  launch 00000000-0000-4000-8000-000000000002
  end_postgres; kill -9 "$(worker)"; sleep 20; postgres; sleep 30
  echo "killed while the database is away, which then is back for 30 s: $(status 00000000-0000-4000-8000-000000000002)"

  launch 00000000-0000-4000-8000-000000000003
  kill -9 "$(worker)"; sleep 30
  echo "killed after that: $(status 00000000-0000-4000-8000-000000000003)"

  echo "health check: $(dagster api grpc-health-check --port "$grpc")"
  python - "$grpc" "$(worker | wc -l)" <<'PY'
import sys

from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import deserialize_value

answer = DagsterGrpcClient(port=int(sys.argv[1])).get_current_runs()
runs = deserialize_value(answer, GetCurrentRunsResult).current_runs
print(f"runs that the server executes: {len(runs)}, its processes: {sys.argv[2]}")
PY
} | tee seen
diff - seen <<'SEEN'
killed while the database is there: FAILURE
killed while the database is away, which then is back for 30 s: STARTED
killed after that: STARTED
health check: gRPC connection successful
runs that the server executes: 2, its processes: 0
SEEN

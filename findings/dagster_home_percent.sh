#!/usr/bin/env bash
# dagster 1.13.27: a percent sequence in the path of DAGSTER_HOME is decoded by the SQLite storages, whose connection
# string is a URL made from the path as it is. With a home called "a%20b", the database of the runs is looked for in
# a folder called "a b"; when there is none, opening the instance fails with "unable to open database file".
#
# Seen:
#   home a%20b: OperationalError, unable to open database file
#   with a folder "a b/history" beside it: opened, and runs.db is in "a b/history"
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dagster==1.13.27
cat > "$work/open.py" <<'PY'
import dagster as dg

try:
    with dg.DagsterInstance.get() as instance:
        print("opened,", len(instance.get_runs()), "runs")
except Exception as error:
    print(type(error).__name__, str(error).splitlines()[0])
PY
mkdir "$work/a%20b"
printf 'telemetry:\n  enabled: false\n' > "$work/a%20b/dagster.yaml"
first=$(DAGSTER_HOME="$work/a%20b" "$work/venv/bin/python" "$work/open.py" 2>/dev/null)
mkdir -p "$work/a b/history/runs" "$work/a b/schedules"
second=$(DAGSTER_HOME="$work/a%20b" "$work/venv/bin/python" "$work/open.py" 2>/dev/null)
printf '%s\n%s\n' "$first" "$second"
(cd "$work" && find "a b" "a%20b" -name '*.db' | sort)
grep -q "unable to open database file" <<< "$first"
grep -q "opened, 0 runs" <<< "$second"
test -f "$work/a b/history/runs.db"
test ! -f "$work/a%20b/history/runs.db"

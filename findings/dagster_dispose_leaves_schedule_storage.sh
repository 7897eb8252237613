#!/usr/bin/env bash
# dagster 1.13.27: DagsterInstance.dispose() disposes of the run storage and the event log storage, but not of the
# schedule storage. A custom storage that holds connections (a pool, say) keeps those for sensors and schedules open.
#
# Seen:
#   disposed: event_log_storage, run_storage
#   not disposed: schedule_storage
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dagster==1.13.27
mkdir "$work/home"
printf 'telemetry:\n  enabled: false\n' > "$work/home/dagster.yaml"
DAGSTER_HOME="$work/home" "$work/venv/bin/python" - <<'PY' | tee "$work/seen"
import dagster as dg

called = []
instance = dg.DagsterInstance.get()
for name in ("event_log_storage", "run_storage", "schedule_storage"):
    storage = getattr(instance, name)
    plain = storage.dispose
    storage.dispose = lambda name=name, plain=plain: (called.append(name), plain())
instance.dispose()
names = {"event_log_storage", "run_storage", "schedule_storage"}
print("disposed:", ", ".join(sorted(called)))
print("not disposed:", ", ".join(sorted(names - set(called))))
PY
diff - "$work/seen" <<'SEEN'
disposed: event_log_storage, run_storage
not disposed: schedule_storage
SEEN

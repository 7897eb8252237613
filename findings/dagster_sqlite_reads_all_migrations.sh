#!/usr/bin/env bash
# dagster 1.13.27, alembic 1.20.1: whoever opens an instance on SQLite has Alembic load all of Dagster's migration scripts
# anew for each database file, only to learn that there is a newest one. Each run has an event file of its own, which costs
# them twice when it is made and once more in each process that opens it. Nothing is kept between two of these looks: the
# second opening in one process loads as many as the first one.
#
# Seen, of 88 scripts:
#   instance made: 616 loaded
#   opened again: 176, which takes 0.6 of its CPU seconds
#   opened once more: 176
#   a run of one asset that does nothing: 264
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dagster==1.13.27 alembic==1.20.1
mkdir "$work/home"; echo 'telemetry: {enabled: false}' > "$work/home/dagster.yaml"
cd "$work"; export DAGSTER_HOME="$work/home"
cat > look.py <<'PY'
import logging
import time
from pathlib import Path

import alembic.script.base
import dagster as dg
import dagster._core.storage as storage

logging.disable(logging.CRITICAL)
loaded, seconds = 0, 0.0
load = alembic.script.base.ScriptDirectory._load_revisions


def counting(self):
    global loaded, seconds
    began = time.process_time()
    for each in load(self):
        loaded += 1
        yield each
    seconds += time.process_time() - began


alembic.script.base.ScriptDirectory._load_revisions = counting
scripts = len(list(Path(storage.__file__).parent.joinpath("alembic", "versions").glob("[!_]*.py")))


def count(what, do):
    global loaded, seconds
    loaded, seconds, began = 0, 0.0, time.process_time()
    do()
    print(f"{what}: {loaded} scripts loaded, {seconds:.3f} of {time.process_time() - began:.3f} CPU s")
    return loaded, seconds / (time.process_time() - began)


def opened():
    with dg.DagsterInstance.get() as instance:
        instance.get_runs(limit=1)


@dg.asset
def nothing() -> None: ...


print(f"{scripts} scripts")
made, _ = count("instance made", opened)
again, share = count("opened again", opened)
more, _ = count("opened once more", opened)
with dg.DagsterInstance.get() as instance:
    run, _ = count("a run", lambda: dg.materialize([nothing], instance=instance))
assert again == more == 2 * scripts and made > again and run >= 2 * scripts and share > 0.4, (scripts, made, again, more, run, share)
PY
"$work/venv/bin/python" look.py

#!/usr/bin/env bash
# dagster 1.13.27: runs that execute_in_process, or `dagster job execute`, stores in the instance have no repository of
# origin. All runs are listed, but the job's own runs, which its page and the Timeline show, lack them; a run that
# `dagster job launch` makes is among them.
#
# Seen:
#   runs: 3, with a repository: 1
#   of the job: 1
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check dagster==1.13.27 dagster-graphql==1.13.27
mkdir "$work/home"
printf 'telemetry:\n  enabled: false\n' > "$work/home/dagster.yaml"
cat > "$work/defs.py" <<'PY'
import dagster as dg


@dg.op
def work() -> None:
    pass


@dg.job
def nightly() -> None:
    work()


defs = dg.Definitions(jobs=[nightly])
PY
cd "$work"
export DAGSTER_HOME="$work/home"
PYTHONPATH="$work" venv/bin/python - 2> log <<'PY'
import dagster as dg
from defs import defs

with dg.DagsterInstance.get() as instance:
    assert defs.resolve_job_def("nightly").execute_in_process(instance=instance).success
PY
venv/bin/dagster job execute -f defs.py -j nightly > log 2>&1
venv/bin/dagster job launch -f defs.py -j nightly > log 2>&1
venv/bin/dagster-graphql -f defs.py -t '{
  runsOrError { ... on Runs { results { repositoryOrigin { repositoryName } } } }
  repositoriesOrError { ... on RepositoryConnection { nodes { pipelines { name runs(limit: 9) { runId } } } } }
}' 2> log | grep '^{' > answer.json
venv/bin/python - <<'PY' | tee seen
import json

data = json.load(open("answer.json"))["data"]
runs = data["runsOrError"]["results"]
[job] = [each for each in data["repositoriesOrError"]["nodes"][0]["pipelines"] if each["name"] == "nightly"]
print(f"runs: {len(runs)}, with a repository: {sum(bool(each['repositoryOrigin']) for each in runs)}")
print(f"of the job: {len(job['runs'])}")
PY
diff - seen <<'SEEN'
runs: 3, with a repository: 1
of the job: 1
SEEN

"""A run worker of its own process, to be killed: ``worker RUN_ID KIND BUCKET ARGUMENTS``."""

import json
import sys

import dagster as dg

from abalone_assets_tests.pipes.lab import asset_of, client_of, execute

if __name__ == "__main__":
    run_id, kind, bucket, arguments = sys.argv[1:]
    client = client_of(kind, bucket)
    asset = asset_of(lambda context: client.run(context=context, **json.loads(arguments)))
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        execute(instance, asset, run)

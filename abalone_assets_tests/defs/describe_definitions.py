"""Print the definitions as JSON, from a process of its own: ``python -m …describe_definitions``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from abalone_assets import definitions

if TYPE_CHECKING:
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph, AssetNode


def describe() -> dict[str, Any]:
    """Asset keys first, then everything that a reviewer of a change of the graph should see."""
    loaded = definitions.defs()
    repository = loaded.get_repository_def()
    graph = repository.asset_graph
    nodes = sorted(graph.asset_nodes, key=lambda node: node.key.to_user_string())
    return {
        "asset_keys": [node.key.to_user_string() for node in nodes],
        "assets": {node.key.to_user_string(): _asset(graph, node) for node in nodes},
        "jobs": {
            job.name: sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
            for job in repository.get_all_jobs()
            if not job.name.startswith("__")
        },
        "sensors": {
            sensor.name: {
                "job": sensor.job_name if sensor.targets else None,
                "status": sensor.default_status.value,
                "least_seconds": sensor.minimum_interval_seconds,
            }
            for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name)
        },
        "schedules": {
            schedule.name: {
                "job": schedule.job_name,
                "status": schedule.default_status.value,
                "cron": schedule.cron_schedule,
                "timezone": schedule.execution_timezone,
            }
            for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name)
        },
        "resources": {
            name: resource.configurable_resource_cls.__name__
            for name, resource in sorted((loaded.resources or {}).items())
        },
    }


def _asset(graph: AssetGraph, node: AssetNode) -> dict[str, Any]:
    checks = {
        key.name: graph.get_check_spec(key).blocking
        for key in sorted(node.check_keys, key=lambda key: key.name)
    }
    return {
        "group": node.group_name,
        "kinds": sorted(node.kinds),
        "owners": sorted(node.owners),
        "deps": sorted(key.to_user_string() for key in node.parent_keys),
        "partitions": str(node.partitions_def) if node.partitions_def else None,
        "backfill_policy": str(node.backfill_policy.policy_type) if node.backfill_policy else None,
        "checks": {name: "blocking" if blocking else "warns" for name, blocking in checks.items()},
        # Without the digest of the features: who adds one changes no snapshot.
        "code_version": node.code_version and node.code_version.partition(".")[0],
        "described": bool(node.description),
        "has_code_reference": "dagster/code_references" in node.metadata,
        "materializable": node.is_materializable,
    }


def heavy_modules() -> list[str]:
    """Packages in this process that loading the definitions must not cost."""
    heavy = {
        *("boto3", "ctgan", "dagster_aws", "dagster_pyspark", "duckdb", "matplotlib", "optuna"),
        *("pandas", "pyarrow", "pyspark", "rich", "sagemaker", "scipy", "sklearn", "torch"),
        *("keras", "narwhals", "numpy", "polars", "psutil", "requests", "xgboost"),
        # Our own modules that do the work, which begins with a step or a tick.
        *(f"abalone_assets.{room}" for room in ("ingest", "registry", "search")),
        *("abalone_assets.lake.manifest_store", "abalone_assets.modeling.features"),
        *("abalone_assets.etl.preparation", "abalone_assets.synthesis.synthesizer"),
    }
    return sorted(heavy & sys.modules.keys())


if __name__ == "__main__":
    opened: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.getaddrinfo"}:
            opened.append(f"{event} {arguments}")

    sys.addaudithook(watch)
    document = {"definitions": describe(), "heavy": heavy_modules(), "connections": opened}
    json.dump(document, sys.stdout)

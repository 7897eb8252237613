"""What Dagster itself may do: start run workers, watch and stop them; nothing of the data.

The daemon has all of it, the web server all but the starting: what people launch there is queued.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.stacks import names as n
from deploy.stacks.names import arn
from deploy.stacks.permissions import ANY, NO_RESOURCE, Permission
from deploy.stacks.run_permissions import compute_logs

if TYPE_CHECKING:
    from deploy.stacks.names import Names

ANY_TASK = "a task has an id of its own; the cluster is named"


def watch(names: Names) -> list[Permission]:
    """Look after run workers and stop them, show what they printed; nothing of the data."""
    return [
        compute_logs(names),
        Permission(
            "ListComputeLogs",
            ["s3:ListBucket"],
            [names.logs_bucket_arn],
            conditions={"StringLike": {"s3:prefix": f"{n.COMPUTE_LOGS}/*"}},
        ),
        Permission(
            "WatchRunWorkers",
            ["ecs:DescribeTasks", "ecs:StopTask"],
            [_tasks(names)],
            wildcards=ANY_TASK,
        ),
        Permission(
            "DescribeTaskDefinitions",
            ["ecs:DescribeTaskDefinition"],
            [ANY],
            wildcards=NO_RESOURCE,
        ),
        Permission(
            "ReadRunWorkerLogs",
            ["logs:GetLogEvents"],
            [arn("logs", f"log-group:/{names.cluster}/run:log-stream:*")],
            wildcards="each task has a log stream of its own",
        ),
    ]


def launch(names: Names, cluster_arn: str, run_roles: list[str]) -> list[Permission]:
    """Start run workers, in the network of the task that starts them.

    Args:
        names: Of the deployment.
        cluster_arn: The only cluster that tasks may be started in.
        run_roles: ARNs of a run worker's task role and execution role.
    """
    return [
        Permission(
            "StartRunWorkers",
            ["ecs:RunTask"],
            [arn("ecs", f"task-definition/{names.run_task_family}:*")],
            wildcards="any revision of the run workers' task definition",
            conditions={"ArnEquals": {"ecs:cluster": cluster_arn}},
        ),
        Permission(
            "TagRunWorkers",
            ["ecs:TagResource"],
            [_tasks(names)],
            wildcards=ANY_TASK,
            conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
        ),
        Permission(
            "PassRunRoles",
            ["iam:PassRole"],
            run_roles,
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        Permission(
            "FindOwnNetwork", ["ec2:DescribeNetworkInterfaces"], [ANY], wildcards=NO_RESOURCE
        ),
    ]


def _tasks(names: Names) -> str:
    return arn("ecs", f"task/{names.cluster}/*")

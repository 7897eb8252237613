"""``python -m deploy.destroy``: take the platform down, what costs by the hour first.

Order: Dagster is stopped, so that nothing new is started; the record of the last release goes
before what was released, so that the next deployment releases anew wherever this is cut short; the
endpoint, running jobs, model packages and logs go; then the stacks of platform and jobs. The data
stack (buckets, images) stays unless ``--delete-data`` is given. In the end it is told what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import translate_errors
from deploy.cloudformation import Stacks
from deploy.command import Command, context_option
from deploy.config import DeployConfig, DeployError, read_context
from deploy.stored import StoredData
from deploy.teardown import Teardown

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT = "but not surveys, lake and images"


def destroy(
    config: DeployConfig,
    stacks: Stacks,
    teardown: Teardown,
    stored: StoredData,
    *,
    delete_data: bool,
) -> tuple[list[str], list[str]]:
    """Take a deployment down; every step skips what is gone already, so it may be run again.

    Returns:
        What is left that is paid for by the hour (nothing, if all went well), and the data.

    Raises:
        AbaloneError: A step failed; those after it were not tried.
    """
    teardown.stop_dagster()
    stored.forget_release()
    teardown.delete_endpoint()
    teardown.stop_jobs()
    teardown.delete_model_packages()
    teardown.delete_logs()
    teardown.lift_protections()
    for stack in (teardown.platform, f"{config.name}-jobs"):
        stacks.delete(stack)
    if delete_data:
        stored.delete(stacks)
    return teardown.costly_leftovers(), stored.left(stacks)


@click.command(cls=Command)
@context_option
@click.option(
    "--delete-data", is_flag=True, help="Delete the buckets with all data, and the images."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def main(ctx: click.Context, context: Sequence[str], *, delete_data: bool, yes: bool) -> None:
    """Delete the platform from the account that the credentials belong to."""
    config = DeployConfig.from_context(read_context(context))
    with translate_errors(DeployError, "AWS identity"):
        account = client("sts").get_caller_identity()["Account"]
    what = "surveys, lake and images too" if delete_data else KEPT
    click.echo(
        f"This deletes the deployment {config.name} in {account} {region()}: Dagster, the endpoint,"
        f" the registry with all model versions, {what}."
    )
    if not yes and click.prompt(f"Type {config.name} to go on", default="") != config.name:
        raise DeployError("nothing was deleted")
    stacks = Stacks(client("cloudformation"), click.echo)
    costly, kept = destroy(
        config,
        stacks,
        Teardown(config, stacks, client, click.echo),
        StoredData(config, account, region(), client, click.echo),
        delete_data=delete_data,
    )
    for line in (*costly, *kept):
        click.echo(f"Left: {line}")
    if not kept and not costly:
        click.echo("Nothing is left.")
    ctx.exit(1 if costly else 0)


if __name__ == "__main__":
    main()

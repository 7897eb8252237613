"""What the commands of this folder share: their context option, and how they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from abalone_assets.cli.output import FAILED, INTERRUPTED, one_line
from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Callable

context_option: Callable[..., Any] = click.option(
    "-c",
    "--context",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a context value of deploy/cdk.json; may be given again.",
)


class Command(click.Command):
    """Ends with one red line when something went wrong that people can mend."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click.Command.invoke
        """Run the command; an error exits with 1, Ctrl-C with 130."""
        try:
            return super().invoke(ctx)
        except AbaloneError as error:
            click.secho(f"Error: {one_line(error)}", fg="red", err=True)
            ctx.exit(FAILED)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)

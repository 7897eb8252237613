"""``abalone``: land surveys, look at the platform, serve and ask its model, run it all.

The commands' modules import only what `--help` needs; each command imports its own work when it
runs, and few import Dagster.
"""

from __future__ import annotations

import click

from abalone_assets import __version__
from abalone_assets.cli.accept import accept
from abalone_assets.cli.approve import approve, reject
from abalone_assets.cli.backup import backup
from abalone_assets.cli.demo import demo
from abalone_assets.cli.dev import dev
from abalone_assets.cli.diff import diff
from abalone_assets.cli.doctor import doctor
from abalone_assets.cli.forget import forget
from abalone_assets.cli.gc import gc
from abalone_assets.cli.home import at_home
from abalone_assets.cli.land import land
from abalone_assets.cli.mlflow import mlflow
from abalone_assets.cli.notify import notify
from abalone_assets.cli.output import ErrorBoundary, example
from abalone_assets.cli.predict import predict
from abalone_assets.cli.release import release
from abalone_assets.cli.reproduce import reproduce
from abalone_assets.cli.restore import restore
from abalone_assets.cli.rollback import rollback
from abalone_assets.cli.serve import serve
from abalone_assets.cli.status import status
from abalone_assets.cli.synthesize import synthesize
from abalone_assets.cli.verify import verify
from abalone_assets.cli.versions import versions

__all__ = ["main"]


@click.group(
    cls=ErrorBoundary,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example("abalone demo", "abalone dev", "abalone land abalone.20250314061500"),
)
@click.version_option(__version__, prog_name="abalone")
def main() -> None:
    """Turn every new abalone survey into a better model in production.

    Settings come from ABALONE_… environment variables; ABALONE_HOME (default: .abalone here or in
    the nearest folder above) is the folder of everything that is kept locally.
    """


_NEED_NO_HOME = (demo, dev, doctor, notify)
"""`demo` and `dev` alone make one. In a new one, what the others keep would go unseen, and what
they tell would be of nothing, as if no survey had ever landed."""

_NEED_NONE_WITH = {backup: "checks", predict: "url"}
"""Options with which a command works on what they name, such as the copy of a home that is lost."""

for command in (
    demo,
    dev,
    doctor,
    land,
    forget,
    status,
    versions,
    diff,
    reproduce,
    serve,
    predict,
    accept,
    approve,
    reject,
    release,
    rollback,
    synthesize,
    gc,
    verify,
    backup,
    restore,
    notify,
    mlflow,
):
    if command.callback is not None:
        command.callback = at_home(
            command.callback,
            must_exist=command not in _NEED_NO_HOME,
            unless=_NEED_NONE_WITH.get(command),
        )
    main.add_command(command)

"""``abalone mlflow``: send MLflow what it lacks of the versions, now."""

from __future__ import annotations

import click

from abalone_assets.cli.output import console, example, json_option, print_json
from abalone_assets.errors import counted


@click.command(epilog=example("abalone mlflow", "abalone mlflow --json"))
@json_option
def mlflow(*, as_json: bool) -> None:
    """Send MLflow every version that it lacks, and have its alias champion follow what is live.

    To the server that ABALONE_MLFLOW_URI names; the sensor `mlflow_sensor` does the same after each
    release and decision. What is there already is left as it is. Exits with 1 when MLflow could not
    be told of everything.
    """
    from abalone_assets.settings.platform import load_settings
    from abalone_assets.tracking.server import MlflowError
    from abalone_assets.tracking.tell import tell_mlflow

    err = console(stderr=True)
    with err.status("Telling MLflow …"):
        sent = tell_mlflow(load_settings(), err.print)
    if as_json:
        print_json(
            {
                "server": sent.server,
                "sent": sent.versions,
                "champion": sent.champion,
                "problem": sent.problem,
            }
        )
    if sent.problem:
        raise MlflowError(sent.problem)
    if not as_json:
        live = "no version is live" if sent.champion is None else f"version {sent.champion} is live"
        what = counted(len(sent.versions), "version") if sent.versions else "nothing, it had all"
        console().print(f"Sent {what}; {live}: {sent.server}")

"""``abalone serve``: the endpoint server of this home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from abalone_assets.cli.output import console, example

if TYPE_CHECKING:
    from abalone_assets.serving.state import ServerState
    from abalone_assets.settings.platform import Settings

QUESTION = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15"
"""The sex and the measurements of one abalone, to ask an endpoint about."""


@click.command(epilog=example("abalone serve", "abalone serve --port 8123"))
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1, ABALONE_ENDPOINT_HOST]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.  [default: 8080, ABALONE_ENDPOINT_PORT]",
)
def serve(host: str | None, port: int | None) -> None:
    """Serve the deployed model over HTTP until Ctrl-C.

    It speaks SageMaker's hosting contract. A version that is deployed later is swapped in without
    a gap; until the first one it answers 503.
    """
    from abalone_assets.serving.server import serve as serve_endpoint
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    refuse_second_server(settings)
    serve_endpoint(
        settings,
        host=settings.endpoint_host if host is None else host,
        port=settings.endpoint_port if port is None else port,
        on_ready=_announce,
    )


def refuse_second_server(settings: Settings) -> None:
    """Make sure that no server answers for this home's endpoint yet.

    Raises:
        EndpointError: One does.
    """
    from abalone_assets.errors import EndpointError
    from abalone_assets.serving.local_endpoint import connect

    running = connect(settings.endpoint_name, state_file=settings.endpoint_state_file)
    if running is not None:
        raise EndpointError(
            f"endpoint {settings.endpoint_name} of {settings.home} is served already at"
            f" {running.url}; stop that server first, or use it"
        )


def _announce(state: ServerState) -> None:
    out = console()
    out.print(f"Endpoint {state.endpoint} at {state.url}", style="bold")
    url = f"{state.url}/endpoints/{state.endpoint}/invocations"
    out.print("Ask it for rings:")
    out.print(f"  curl -H 'Content-Type: text/csv' --data '{QUESTION}' {url}")
    out.print(f"Open {state.url}/ in a browser for the Age Calculator, surveys and models.")
    out.print("Ctrl-C stops it.")

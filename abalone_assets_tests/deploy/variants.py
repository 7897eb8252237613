"""Synthesises several deployments in one process, as the CDK takes seconds to start.

``python -m abalone_assets_tests.deploy.variants -o FOLDER`` writes each to a folder of its name.
"""

from __future__ import annotations

from pathlib import Path

import click

from abalone_assets_tests.deploy.support import COMPANY, OIDC, SERVERLESS, name_of
from deploy import app


@click.command()
@click.option("-o", "--output", type=Path, required=True)
def main(output: Path) -> None:
    for context in (OIDC, COMPANY, SERVERLESS):
        arguments = [part for pair in context for part in ("-c", pair)]
        folder = output / name_of(context)
        app.main(["-o", str(folder), *arguments], standalone_mode=False)


if __name__ == "__main__":
    main()

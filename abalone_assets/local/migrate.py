"""Makes a Dagster instance ready before its daemon starts: the first step in production.

``dagster instance migrate``, and the limits of the pools: see `make_pools`.
"""

from __future__ import annotations

import click
import dagster as dg

from abalone_assets.local.instance import make_pools


def main() -> None:
    """Migrate the instance that ``DAGSTER_HOME`` names, and give its pools their limits."""
    with dg.DagsterInstance.get() as instance:
        instance.upgrade(click.echo)
        make_pools(instance)


if __name__ == "__main__":
    main()

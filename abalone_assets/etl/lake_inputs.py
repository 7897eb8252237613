"""What a lake is prepared from: its base survey and survey days, the newest month's apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets.etl.request import MERGED, SPLIT_PERCENT, PrepareRequest
from abalone_assets.lake.manifest import month_of

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import Manifest

KEPT_FROM_ROWS: Final = 1_000_000
"""Fewer are prepared anew within a second, so nothing of them is kept."""


def lake_request(lake: Lake, manifest: Manifest) -> PrepareRequest:
    """The preparation of all that a manifest lists.

    Crews survey today. So the days of the last month change and the others do not: what is made of
    those is kept, once they are many.
    """
    days = manifest.days_with_rows
    older = [day for day in days if month_of(day) != month_of(days[-1])]
    raw = [lake.uri("raw_abalone")] if manifest.raw else []
    raw_rows = manifest.raw.rows if manifest.raw else 0
    keeps = bool(days) and raw_rows + sum(map(manifest.rows_of, older)) >= KEPT_FROM_ROWS
    if not keeps:
        older = days
    return PrepareRequest(
        inputs=(*raw, *(lake.uri("new_surveys", day) for day in older)),
        merged=lake.uri(MERGED),
        splits={name: lake.uri(name) for name in SPLIT_PERCENT},
        digest=manifest.digest,
        newest=tuple(lake.uri("new_surveys", day) for day in days[len(older) :]),
        older=manifest.digest_of(older) if keeps else "",
        rows=manifest.rows,
        writes=manifest.writes,
    )

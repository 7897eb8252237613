"""What assets annotate their frames with.

Dagster resolves annotations when the definitions load, and Polars takes a tenth of that time.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["DataFrame"]

if TYPE_CHECKING:
    from polars import DataFrame
else:
    DataFrame = Any

"""How rows are dealt to the three splits: by a hash of their own values, for ever.

The hash is a polynomial over the row's fixed-point fields, modulo the Mersenne prime 2^31 - 1
(Carter and Wegman, *Universal classes of hash functions*, 1979), on integers only. The preparation
computes it where the data is; an evaluation computes it again and trusts nobody.
"""

from __future__ import annotations

from typing import Final

SPLIT_PERCENT: Final = {"train_split": 80, "validation_split": 15, "test_split": 5}
"""Share of the rows in each split, in percent; the order assigns the hash buckets 0 to 99."""

BUCKETS: Final = 100
HASH_MODULUS: Final = 2**31 - 1
HASH_BASE: Final = 1_103_515_245
"""Below the modulus, so that no product leaves a signed 64-bit integer."""


def buckets_of(split: str) -> range:
    """The hash buckets of a split's rows.

    Raises:
        ValueError: There is no such split.
    """
    first = 0
    for name, percent in SPLIT_PERCENT.items():
        if name == split:
            return range(first, first + percent)
        first += percent
    raise ValueError(f"{split}: the splits are {', '.join(SPLIT_PERCENT)}")

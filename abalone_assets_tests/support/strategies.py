"""What Hypothesis draws for tests: animals within the contract."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from abalone_assets.survey import COLUMNS, MAX_RINGS, MEASUREMENTS, SEXES


class Shown(bytes):
    """Bytes of which a report shows the beginning only."""

    def __repr__(self) -> str:
        more = f" … {len(self)} bytes" if len(self) > 400 else ""
        return f"{bytes(self[:400])!r}{more}"


MAXIMUM = {column.name: column.maximum or 0 for column in COLUMNS}

rows_of_a_survey: st.SearchStrategy[list[tuple[Any, ...]]] = st.lists(
    st.tuples(
        st.sampled_from(SEXES),
        *(
            st.integers(1, int(MAXIMUM[name] * 10_000)).map(lambda n: n / 10_000)
            for name in MEASUREMENTS
        ),
        st.integers(1, MAX_RINGS),
    ),
    min_size=1,
    max_size=20,
)
"""Sex, measurements at instrument precision and rings, in the columns' order."""

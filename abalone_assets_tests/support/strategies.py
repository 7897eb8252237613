"""What Hypothesis draws for tests: animals within the contract."""

from __future__ import annotations

from datetime import date
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

_DAYS = st.one_of(
    st.dates(), st.dates(date(2025, 2, 27), date(2025, 3, 8)), st.dates(date(2020, 1, 1))
)
_WRITTEN = st.sampled_from(
    [
        *("{0:%Y-%m-%d}", "{0.year}-{0.month}-{0.day}", "{0:%Y%m%d}", "{0:%G-W%V-%u}"),
        *("{0:%Y-%m-%d}T00:00", "{0:%Y-%m-%d}|{0:%Y-%m-%d}", " {0:%Y-%m-%d}\n", "{0:%Y-%m}"),
        *(
            "../{0:%Y-%m-%d}",
            "{0:%Y-%m-%d}/..",
            "{0:%d.%m.%Y}",
            "-{0:%Y-%m-%d}",
            '["{0:%Y-%m-%d}"]',
        ),
        *("survey_day={0:%Y-%m-%d}", "{0:%Y-%m-%d}\0", "{0:%Y-%m-%d}...", "{0:%Y-%m-%d}Z"),
    ]
)

partition_keys: st.SearchStrategy[str] = st.one_of(
    _DAYS.map(str),
    st.builds(lambda written, day: written.format(day), _WRITTEN, _DAYS),
    st.sampled_from(["", ".", "..", "../../x", "/etc/passwd", "*", "%2e%2e%2f", "null", "-1", "0"]),
    st.sampled_from(
        [
            "\u0662\u0660\u0662\u0665-\u0660\u0663-\u0660\u0663",
            "\uff12025-03-03",
            "2025-03-03' or 1=1 --",
            "x" * 5000,
        ]
    ),
    st.text(max_size=12),
)
"""What people and tools pass as a day: days, days that are no partitions, and anything else."""
